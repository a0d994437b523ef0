"""Coverage-guided fuzzing: inputs that reach new code are kept and changed further.

python tests/proof/fuzz.py engine --seconds 600   libFuzzer, clang-19: fills of any region in C
python tests/proof/fuzz.py request --seconds 600  libFuzzer, clang-19: requests of weightinit_fast.h
python tests/proof/fuzz.py python --seconds 600   atheris: calls of the public functions

`engine` and `request` build tests/engine/fuzz_fill.c and fuzz_request.c with AddressSanitizer and
UBSan. `python` instruments the package's Python code, and needs atheris in its environment. All
begin with the inputs in tests/data/fuzz, and print executions, coverage and findings. --keep N
replaces these inputs with the N that reach the most. After a finding its input is printed, and the
exit code is 1.
"""

import argparse
import gc
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import FunctionType

from engine import CHECKS, ROOT, build, sanitizing

DATA = ROOT / "tests/data/fuzz"
FLAGS = sanitizing(f"fuzzer-no-link,{CHECKS}")
#: The folders of fuzz_target, and of what it imports.
TARGET = [str(ROOT / "tests/calls"), str(ROOT / "tests")]
LENGTH = {"engine": 96, "request": 160, "python": 160}
#: What is fuzzed in C -> its program.
PROGRAMS = {"engine": "fuzz_fill", "request": "fuzz_request"}


def build_engine(work, program):
    """Build a fuzz target in C; return the command that runs it."""
    folder = work / "engine-fuzz"
    options = ["-DCMAKE_C_COMPILER=clang-19", f"-DCMAKE_C_FLAGS={FLAGS}", "-DWIF_LIBFUZZER=ON"]
    options += ["-DWIF_OPTIMISATION=-O1", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"]
    build(folder, *options, targets=[program])
    return [str(folder / program)]


def run_atheris(options):
    """Turn this process into the fuzzer, which never returns."""
    import atheris  # noqa: PLC0415  only where it is asked for

    sys.path[:0] = TARGET
    import fuzz_target  # noqa: PLC0415

    # Instrument functions, since the loader of an editable install bypasses atheris's import hook.
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and re.match(
            r"(weightinit_fast|fuzz_target)\b", function.__module__ or ""
        ):
            atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], *options], fuzz_target.run)
    atheris.Fuzz()


def fuzz(command, kind, work, seconds, seed):
    """Let the fuzzer run; return its corpus and whether it found nothing."""
    corpus, found = work / f"{kind}-corpus", work / f"{kind}-found"
    corpus.mkdir(exist_ok=True)
    found.mkdir(exist_ok=True)
    kept = DATA / kind
    kept.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={LENGTH[kind]}", "-len_control=0"]
    options += [f"-artifact_prefix={found}/", "-print_final_stats=1", "-print_funcs=0"]
    options += ["-timeout=300", "-rss_limit_mb=4096", f"-seed={seed}"]
    log = work / f"{kind}.log"
    with log.open("w") as file:
        done = subprocess.run(
            [*command, *options, str(corpus), str(kept)],
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text(errors="replace")
    executed = re.findall(r"number_of_executed_units:\s*(\d+)", text)
    executed = executed or re.findall(r"^#(\d+)", text, re.MULTILINE)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    edges, features, inputs = covered[-1] if covered else (0, 0, 0)
    print(f"{kind}: {executed[-1] if executed else 0} executions in {seconds} s at most")
    print(f"{kind}: {edges} edges, {features} features, {inputs} inputs in the corpus")
    findings = sorted(found.glob("*"))
    print(f"{kind}: {len(findings)} findings")
    for path in findings:
        print(f"  {path.name}: {path.read_bytes().hex()}")
    if done.returncode or findings:
        print(text[-4000:])
    return corpus, done.returncode == 0 and not findings


def lines_reached(data):
    """Return the package's lines that a call runs."""
    import fuzz_target  # noqa: PLC0415

    reached = set()

    def trace(frame, event, _):
        if "weightinit_fast" not in frame.f_code.co_filename:
            return None
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        fuzz_target.run(data)
    finally:
        sys.settrace(None)
    return reached


def cover(corpus, kept, most):
    """Return the inputs that reach the most lines together, chosen greedily, `most` at most."""
    sys.path[:0] = TARGET
    paths = sorted([*corpus.glob("*"), *kept.glob("*")], key=lambda path: path.stat().st_size)
    reach = {data: lines_reached(data) for data in (path.read_bytes() for path in paths)}
    chosen, reached = [], set()
    while len(chosen) < most:
        best = max(reach, key=lambda data: len(reach[data] - reached))
        if reach[best] <= reached:
            break
        chosen.append(best)
        reached |= reach[best]
    print(f"{len(chosen)} of {len(reach)} inputs reach {len(reached)} lines of Python")
    return chosen


def merge(command, corpus, kept, most):
    """Return the inputs that reach the most edges of the engine, `most` at most.

    libFuzzer chooses a cover greedily, and writes it in that order.
    """
    with tempfile.TemporaryDirectory() as merged:
        options = [f"-max_len={max(LENGTH.values())}", "-set_cover_merge=1", "-use_counters=0"]
        folders = [merged, str(corpus), str(kept)]
        subprocess.run([*command, *options, *folders], check=True, capture_output=True)
        paths = sorted(Path(merged).glob("*"), key=lambda path: path.stat().st_mtime_ns)
        print(f"the first {most} of {len(paths)} inputs that reach all edges")
        return [path.read_bytes() for path in paths[:most]]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=[*PROGRAMS, "python"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=int, metavar="N", help="update tests/data/fuzz")
    parser.add_argument("--work", type=Path, help="build and corpus; kept (default: temporary)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if arguments.kind in PROGRAMS:
            command = build_engine(work, PROGRAMS[arguments.kind])
        else:
            command = [sys.executable, __file__, "atheris"]
        kind = arguments.kind
        corpus, fine = fuzz(command, kind, work, arguments.seconds, arguments.seed)
        if arguments.keep:
            kept = DATA / kind
            choose = cover if kind == "python" else partial(merge, command)
            chosen = choose(corpus, kept, arguments.keep)
            shutil.rmtree(kept)
            kept.mkdir()
            for n, data in enumerate(chosen):
                (kept / f"{n:02}").write_bytes(data)
    return 0 if fine else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["atheris"]:
        run_atheris(sys.argv[2:])
    sys.exit(main())
