"""Memory, undefined behaviour and races: the engine and the extension under sanitizers, memcheck.

python tests/proof/sanitize.py engine     ASan + UBSan, gcc, clang: golden cases, fuzz targets
python tests/proof/sanitize.py address    ASan + UBSan, gcc: the test suite, every set
python tests/proof/sanitize.py thread     ThreadSanitizer, clang: parallel fills by every set
python tests/proof/sanitize.py valgrind   memcheck: golden cases, fuzz targets, fills from Python
python tests/proof/sanitize.py --quick    samples of engine and address with gcc alone, in minutes

--quick after the name of a part takes a sample of that part. Each part builds what it needs in
--work. A report of a sanitizer ends its program, and the exit code is then 1. The parts need gcc,
clang-19, libclang-rt-19-dev and valgrind, and a package index or the --work folder of an earlier
run. --quick without a part needs gcc and a package index.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine import CHECKS, ROOT, build, sanitizing

FILLS = str(Path(__file__).resolve().with_name("fills.py"))

# UBSan also checks alignment. Kernels store to unaligned addresses by the vocabulary alone.
CHECKED = sanitizing(CHECKS)
RACES = "-fsanitize=thread -fno-omit-frame-pointer -g1"

PACKAGES = (
    *("scikit-build-core>=0.10", "cython>=3.1", "cmake", "ninja"),
    *("numpy>=2.0", "pytest>=8", "hypothesis>=6", "mpmath>=1.3", "threadpoolctl>=3"),
    "ml_dtypes>=0.5",
)
#: The files of the suite that read and write most of the engine's memory.
MEMORY = (
    *("memory/test_layout", "memory/test_tiles", "memory/test_rows", "memory/test_dlpack"),
    *("refusals/test_core_bounds", "values/test_golden", "values/test_kernels"),
)
#: This test measures memory, which AddressSanitizer holds back when it is freed.
FLAT = "tests/process/test_leaks.py::test_a_hundred_thousand_calls_leave_nothing"
ISAS = ("scalar", "avx2", "avx512", "neon")
#: Golden cases of at most this many elements: the megawords take an hour under valgrind.
SHORT = 5000


class Failed(Exception):  # noqa: N818
    """A command that did not succeed."""


def run(*command, **environment):
    """Run a command and pass its output on; raise Failed unless it succeeds."""
    start = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)), env=os.environ | environment, check=False, cwd=ROOT
    )
    shown = " ".join(str(part).rsplit("/", 1)[-1] for part in command[:6])
    print(f"-- {time.perf_counter() - start:.0f} s, exit {done.returncode}: {shown}", flush=True)
    if done.returncode:
        raise Failed(shown)


def output_of(*command, **environment):
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | environment,
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def build_engine(work, name, compiler, flags):
    """Build tests/engine; return the folder of its programs.

    All options that its kernels are compiled with are those of `build_extension`, whose kernels
    ccache then finds.
    """
    folder = work / f"engine-{name}"
    options = [f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={flags}"]
    options += ["-DWIF_OPTIMISATION=-O1", "-DCMAKE_BUILD_TYPE=Release"]
    options += ["-DCMAKE_POSITION_INDEPENDENT_CODE=ON"]
    build(folder, *options, targets=["golden_dump", "fuzz_fill", "fuzz_request"])
    return folder


def environment_of(work):
    """Return the Python of a virtual environment without the package."""
    python = work / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", work / "venv")
        run(python, "-m", "pip", "install", "-q", *PACKAGES)
    return python


def build_extension(work, name, compiler, flags):
    """Build and install the package with a compiler and flags; return its folder."""
    site = work / f"{name}-site"
    options = [f"-Cbuild-dir={work / name}-build", "-Cinstall.strip=false"]
    options += [f"-Ccmake.define.CMAKE_C_FLAGS={flags}"]
    options += ["-Ccmake.define.WIF_OPTIMISATION=-O1", "-Ccmake.build-type=Release"]
    pip = [environment_of(work), "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps"]
    path = f"{work / 'venv/bin'}:{os.environ['PATH']}"
    run(*pip, "--upgrade", "--target", site, *options, ROOT, CC=compiler, PATH=path)
    return site


def library(compiler, name):
    """Return the path of a library that comes with a compiler."""
    return output_of(compiler, f"-print-file-name={name}")[1].strip()


def isas_of(python, **environment):
    script = (
        "import weightinit_fast as wi;"
        "print(*(name for name, how in wi.info()['isas'].items() if how == 'runnable'))"
    )
    return output_of(python, "-c", script, **environment)[1].split()


# ---- the parts -----------------------------------------------------------------------------------


def engine(work, quick, compilers=("gcc", "clang-19")):
    """Draw the golden cases and run the fuzz target, with every set."""
    for compiler in compilers:
        folder = build_engine(work, compiler, compiler, CHECKED)
        most = ["--most", SHORT] if quick else []
        run(sys.executable, ROOT / "tests/golden.py", *most, "--dump", folder / "golden_dump")
        kept = sorted((ROOT / "tests/data/fuzz/engine").glob("*"))
        run(folder / "fuzz_fill", f"-runs={2000 if quick else 20000}", *kept)
        kept = sorted((ROOT / "tests/data/fuzz/request").glob("*"))
        run(folder / "fuzz_request", f"-runs={2000 if quick else 20000}", *kept)


def address(work, quick):
    """Run the test suite and fills by every set."""
    site = build_extension(work, "address", "gcc", CHECKED)
    python = environment_of(work)
    checked = {
        "PYTHONPATH": str(site),
        "LD_PRELOAD": library("gcc", "libasan.so"),
        # CPython keeps some memory until it ends. A huge allocation returns null, so that NumPy
        # raises MemoryError. Tests with guard pages or truncated files expect a signal.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_segv=0:handle_sigbus=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # each object has a block of its own, with borders
        "PYTHONSAFEPATH": "1",
    }
    script = "import ctypes, numpy as np; a = np.empty(1000); ctypes.memset(a.ctypes.data, 0, 8001)"
    if "heap-buffer-overflow" not in output_of(python, "-c", script, **checked)[1]:
        raise Failed("the setup cannot see a byte written beyond an array")
    print("a byte beyond an array: reported")
    for isa in isas_of(python, **checked):
        kinds = ["--items", 20_000, "--threads", 1, 3, "--process"]
        run(python, FILLS, *kinds, "--isa", isa, **checked)
    files = [f"tests/{name}.py" for name in MEMORY] if quick else ["-m", "", "tests"]
    widest = isas_of(python, **checked)[-1]
    only = ["-k", f"{widest} or not ({' or '.join(ISAS)})"] if quick else []
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--deselect", FLAT]
    run(*pytest, *only, *files, **checked)


def thread(work, quick):
    """Ask ThreadSanitizer about the pool, and about parallel fills by every set.

    It watches accesses of at most 16 bytes. These are all accesses of the scalar set, but only the
    ends of rows of the others. Which bytes a task writes does not depend on the set.
    """
    site = build_extension(work, "thread", "clang-19", RACES)
    python = environment_of(work)
    watched = {
        "PYTHONPATH": str(site),
        "LD_PRELOAD": library("clang-19", "libclang_rt.tsan-x86_64.so"),
        # Python and NumPy are not instrumented, and what they do under the GIL is not judged.
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:exitcode=66:die_after_fork=0",
        "PYTHONSAFEPATH": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    # ThreadSanitizer needs a fixed layout of addresses: -R switches randomisation off.
    command = ["setarch", "-R", python, FILLS]
    scalar = [*command, "--isa", "scalar"]
    code, text = output_of(*scalar, "--race", **watched)
    found = code == 66 and "WARNING: ThreadSanitizer: data race" in text
    print(f"tasks that overlap: {'a race is reported' if found else 'NO RACE REPORTED'}")
    if not found:
        raise Failed(f"the setup cannot see races:\n{text}")
    run(*scalar, "--items", 5000, "--threads", 2, 3, 7, "--process", **watched)
    if not quick:  # enough elements that each type has several direct tasks
        run(*scalar, "--items", 600_000, "--threads", 3, **watched)
        kinds = ["--items", 20_000, "--threads", 2, 7, "--process"]
        for isa in isas_of(python, **watched):
            run(*command, "--isa", isa, *kinds, **watched)


def valgrind(work, quick):
    """Ask memcheck, under which programs see a processor with AVX2 and without AVX-512."""
    folder = build_engine(work, "plain", "gcc", "-g1 -fno-omit-frame-pointer")
    memcheck = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full"]
    for program in ("fuzz_fill", "fuzz_request"):
        run(*memcheck, folder / program, f"-runs={300 if quick else 3000}")
    most = ["--most", 1000 if quick else SHORT]
    run(
        sys.executable, ROOT / "tests/golden.py", *most, "--dump", *memcheck, folder / "golden_dump"
    )
    if quick:
        return
    site, log = build_extension(work, "plain", "gcc", "-g1 -fno-omit-frame-pointer"), work / "log"
    memcheck = ["valgrind", "--num-callers=30", f"--log-file={log}", "--error-limit=no"]
    for isa in ("scalar", "avx2"):
        command = [*memcheck, environment_of(work), FILLS, "--items", 5000, "--isa", isa]
        run(*command, PYTHONPATH=str(site), PYTHONMALLOC="malloc", PYTHONSAFEPATH="1")
        blocks = re.split(r"\n==\d+== *\n", log.read_text())
        ours = [
            b for b in blocks if "_core." in b and re.search(r"uninitialised|Invalid|overlap", b)
        ]
        print(
            f"{isa}: {len(blocks)} blocks of memcheck's log, {len(ours)} errors with _core in them"
        )
        if ours:
            raise Failed(ours[0])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {f.__name__: f for f in (engine, address, thread, valgrind)}
    parser.add_argument("part", choices=parts, nargs="?")
    parser.add_argument("--quick", action="store_true", help="a sample, for every change")
    parser.add_argument("--work", type=Path, help="where to build; kept (default: a temporary one)")
    arguments = parser.parse_args()
    name = arguments.part or "quick"
    if name == "quick" and not arguments.quick:
        parser.error("which part, or --quick?")
    with tempfile.TemporaryDirectory(prefix="sanitize-") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        try:
            if arguments.part:
                parts[arguments.part](work, arguments.quick)
            else:
                engine(work, quick=True, compilers=["gcc"])
                address(work, quick=True)
        except Failed as failure:
            print(f"{name}: FAILED: {failure}")
            return 1
    print(f"{name}: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
