"""Show in one grid that the bits are the same everywhere.

Every build of the engine alone (tests/engine) draws the cases of tests/data/golden.json with each
instruction set that it can run, natively or under emulation. Every CPython, with and without
threads, runs the tests of that file: sets, threads, cuts, layouts, floating-point states. A cell
shows how many cases reproduced the SHA-256 of the file, or how many did not. The exit code is 1 if
any did not, or if a row could not be run.

Orthogonal matrices have a column of their own. On the rows of the engine alone it counts, over all
instruction sets, the matrices of the golden file and those of tests/proof/matrices.py, which are
compared with the oracle of the stream contract.

``python tests/proof/matrix.py`` runs all rows (an hour on two cores, most of it under emulation),
``--fast`` runs those of continuous integration, and ``--only TEXT`` those with TEXT in their name.
``--most N`` leaves out the cases of more than N elements from the rows of the engine alone, and
``--orthogonal`` leaves out everything but the orthogonal matrices of those rows.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from engine import ROOT, build, cross, exported, instruction_sets
from provenance import heading

sys.path.insert(0, str(ROOT / "tests"))
import golden
import matrices

SETS = tuple(instruction_sets())
GOLDEN_TESTS = ("values/test_golden.py", "process/test_fpstate.py")
#: Tests of the golden file and of the floating-point state -> their column.
CHECKS = {
    "test_the_file_holds_every_case_and_no_other": "file",
    "test_every_instruction_set": "sets",
    "test_public_calls": "calls",
    "test_orthogonal_matrices": "orthogonal",
    "test_every_thread_count": "threads",
    "test_random_cuts": "cuts",
    "test_random_slices": "slices",
    "test_layouts_through_the_public_surface": "layouts",
    "test_floating_point_state_of_the_host": "state",
    "test_floating_point_traps_of_the_host": "state",
}


class Engine(NamedTuple):
    """A build of tests/engine: the compiler, its options, and what runs the result."""

    compiler: str
    level: str = "-O3"
    runner: tuple[str, ...] = ()
    target: tuple[str, ...] = ()  # options of a cross-build
    flags: str = ""
    sets: tuple[str, ...] = ()  # at least these must run
    most: int = 1 << 63  # elements of a case; larger cases are left out
    draws: bool = True  # whether anything but orthogonal matrices is drawn

    def sets_and_failures(self, folder):
        for tool in (self.compiler, *self.runner[:1]):
            if not shutil.which(tool):
                raise FileNotFoundError(f"no {tool} here")
        options = [f"-DCMAKE_C_COMPILER={self.compiler}", f"-DWIF_OPTIMISATION={self.level}"]
        options += ["-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_C_FLAGS={self.level} {self.flags}"]
        program = build(folder, *options, *self.target, targets=["golden_dump"]) / "golden_dump"
        if WINDOWS in self.target:
            program = program.with_suffix(".exe")
        for name in SETS:
            for path in folder.glob(f"engine/CMakeFiles/wif_{name}.dir/isa/isa.c.*"):
                if (found := exported(path)) != {f"wif_kernels_{name}"}:
                    raise FileNotFoundError(f"{name} exports {', '.join(found)}")
        command = [*self.runner, str(program)]
        found = golden.runnable(command)
        if missing := set(self.sets) - set(found):
            raise FileNotFoundError(f"{', '.join(missing)} did not run")
        chosen = golden.cases_and_matrices(self.most)
        draws = [case for case in chosen if isinstance(case, golden.Case)] if self.draws else []
        factors = [case for case in chosen if isinstance(case, golden.Matrix)]
        cells = {isa: (len(draws), len(golden.differing(command, isa, draws))) for isa in found}
        count = failed = 0
        for isa in found:
            compared, bad = matrices.differing(command, isa, self.most)
            count += compared + len(factors)
            failed += len(bad) + len(golden.differing(command, isa, factors))
        return cells | {"orthogonal": (count, failed)}


class Package(NamedTuple):
    """An installation of the package under a CPython."""

    python: str
    threads: bool = True

    def sets_and_failures(self, folder):
        if (
            not shutil.which(self.python)
            or subprocess.run([self.python, "-c", ""], capture_output=True, check=False).returncode
        ):
            raise FileNotFoundError(f"no {self.python} here")
        bin_ = folder / "venv/bin"
        options = [f"-Ccmake.define.WIF_THREADS={'ON' if self.threads else 'OFF'}"]
        options += [f"-Cbuild-dir={folder / 'build'}"]
        for command in (
            [self.python, "-m", "venv", bin_.parent],
            [bin_ / "pip", "install", "-q", f"{ROOT}[test]", *options],
            [
                bin_ / "python",
                "-P",
                "-c",
                "import weightinit_fast as wi; print(wi.info()['threads_wait_by'])",
            ],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
            if done.returncode:
                raise FileNotFoundError(done.stderr.strip().splitlines()[-1])
        if (done.stdout.strip() != "None") != self.threads:
            raise FileNotFoundError(f"threads wait by {done.stdout.strip()}")
        report = folder / "report.xml"
        tests = [ROOT / "tests" / name for name in GOLDEN_TESTS]
        command = [
            bin_ / "pytest",
            "-q",
            "-m",
            "",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *tests,
        ]
        subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
        cells = {}
        for case in ET.parse(report).iter("testcase"):
            function, _, parameters = case.get("name").partition("[")
            column = CHECKS[function]
            if column == "sets":
                column = parameters.partition("-")[0]
            if case.find("skipped") is None:
                bad = case.find("failure") is not None or case.find("error") is not None
                done, failed = cells.get(column, (0, 0))
                cells[column] = (done + 1, failed + bad)
        return cells


def emulated(target, system, **more):
    """Return an Engine for another architecture."""
    options, runner = cross(target, system)
    return Engine(f"{target}-gcc", runner=runner, target=options, **more)


WINDOWS = "-DCMAKE_SYSTEM_NAME=Windows"
os.environ.setdefault("WINEDEBUG", "-all")  # wine's own messages
WINE = "/usr/lib/wine/wine64"  # Debian's package wine64 has no command on the PATH
MINGW = Engine("x86_64-w64-mingw32-gcc", "-O2", runner=(WINE,), target=(WINDOWS,), sets=("scalar",))
NEON = emulated("aarch64-linux-gnu", "aarch64", sets=("neon",))
FAST = {
    "clang -O3": Engine("clang-19"),
    "aarch64, emulated": NEON,
    # wine starts a program in a tenth of a second, and the larger cases take ten minutes.
    "Windows, by wine": MINGW._replace(most=5000),
}
ROWS = FAST | {
    "Windows, by wine": MINGW,
    "gcc -O3": Engine("gcc"),
    **{f"{cc[:5]} {o}": Engine(cc, o) for cc in ("gcc", "clang-19") for o in ("-O0", "-O2")},
    "musl, gcc -O3": Engine("musl-gcc"),
    "s390x (big-endian), emulated": emulated("s390x-linux-gnu", "s390x"),
    "armhf (32 bits), emulated": emulated("arm-linux-gnueabihf", "armv7", flags="-mfpu=vfpv4"),
    **{f"CPython 3.{minor}": Package(f"python3.{minor}") for minor in (11, 12, 13)},
    "CPython 3.11, serial": Package("python3.11", threads=False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--most", type=int, metavar="N")
    parser.add_argument("--orthogonal", action="store_true")
    arguments = parser.parse_args()
    print(*heading(), sep="\n")
    columns = (*SETS, *dict.fromkeys(c for c in CHECKS.values() if c != "sets"))
    wide = max(map(len, ROWS)) + 1
    print(" " * wide, *columns, sep="  ")
    cells = failures = 0
    rows = FAST if arguments.fast else ROWS
    for name in (name for name in rows if arguments.only in name):
        row = rows[name]
        if isinstance(row, Engine):
            most = min(row.most, arguments.most or row.most)
            row = row._replace(most=most, draws=not arguments.orthogonal)
        elif arguments.orthogonal:
            continue
        began = time.monotonic()
        print(f"{name:<{wide}}", end="", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = row.sets_and_failures(Path(folder))
            except FileNotFoundError as error:
                failures += 1
                print(f"  not run: {error}")
                continue
        for column in columns:
            done, failed = found.get(column, (0, 0))
            cell = f"{failed} DIFFER" if failed else str(done or ".")
            print(f"  {cell:>{len(column)}}", end="")
            cells += done
            failures += failed
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    print(f"{cells} cells, {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
