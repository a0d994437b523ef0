"""The whole package on AArch64: a Debian for arm64 with its own CPython and NumPy, under qemu.

python tests/proof/aarch64_debian.py FOLDER            makes the system in FOLDER, and runs tests
python tests/proof/aarch64_debian.py FOLDER TEST ...   runs these tests; FOLDER may exist already

debootstrap unpacks Debian's packages, pip adds wheels for AArch64, and the cross-compiler makes the
extension with the headers of that CPython. Nothing of the host is changed: qemu starts each program
of the system by its path. A program `python` in the system does this by itself, so that tests that
start another Python need nothing else. Needs debootstrap, qemu-user, gcc-aarch64-linux-gnu, cmake,
Cython, and a network; half a GB of disk; one to two hours, nearly all of it for the tests.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from engine import ROOT, cross
from provenance import heading

MIRROR = "http://deb.debian.org/debian"
INIT = ROOT / "weightinit_fast/__init__.py"
MODULES = "usr/lib/python3/dist-packages"
WHEELS = ("numpy", "pytest", "hypothesis", "mpmath", "threadpoolctl", "ml_dtypes")
TESTS = (
    *("values/test_golden.py", "values/test_isa.py", "calls/test_surface.py"),
    *("memory/test_layout.py", "process/test_forks.py", "process/test_fpstate.py"),
    *("process/test_runtime.py", "process/test_threads.py", "process/test_pool.py"),
)


def run(*command, **options):
    """Run a command; if it fails, end with what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def make_system(root):
    """Unpack Debian 12 and wheels for its CPython 3.11."""
    run("debootstrap", "--foreign", "--arch=arm64", "--variant=minbase",
        "--include=python3,libpython3-dev", "bookworm", root, MIRROR)  # fmt: skip
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        run("dpkg-deb", "-x", package, root)
    python = root / "usr/bin/python"
    emulate = f'qemu-aarch64 -L "{root}" -0 "{python}" "{python}3.11"'
    python.write_text(f'#!/bin/sh\nexec {emulate} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    platforms = [f"--platform=manylinux{version}_aarch64" for version in ("2014", "_2_28")]
    run(sys.executable, "-m", "pip", "install", "-q", "--target", root / MODULES,
        "--only-binary=:all:", "--python-version=3.11", *platforms, *WHEELS)  # fmt: skip


def install_package(root):
    """Cross-compile the extension, and install the package in the system with its metadata."""
    modules = root / MODULES
    build = root / "build"
    version = re.search(r'__version__ = "(.*)"', INIT.read_text("utf-8"))[1]
    metadata = modules / f"weightinit_fast-{version}.dist-info"
    metadata.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: weightinit_fast\nVersion: {version}\n"
    (metadata / "METADATA").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "weightinit_fast", modules / "weightinit_fast", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("*.so", "__pycache__"))  # fmt: skip
    options, _ = cross("aarch64-linux-gnu", "aarch64")
    run("cmake", "-S", ROOT, "-B", build, *options, "-DWIF_REQUIRE=all",
        "-DSKBUILD_PROJECT_NAME=weightinit_fast", "-DSKBUILD_PROJECT_VERSION=0",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DPython_INCLUDE_DIR={root}/usr/include/python3.11",
        f"-DCMAKE_C_FLAGS=-idirafter {root}/usr/include")  # fmt: skip
    run("cmake", "--build", build, "-j2")
    run("cmake", "--install", build, "--prefix", modules)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("tests", nargs="*", metavar="TEST", help="a file in the folder tests")
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    print(*heading(), sep="\n")
    if not (root / "usr/bin/python").exists():
        make_system(root)
    install_package(root)
    python = root / "usr/bin/python"
    facts = "import platform, numpy, weightinit_fast as wi; print(platform.machine(), "
    facts += "'CPython', platform.python_version(), 'NumPy', numpy.__version__, wi.info())"
    shown = subprocess.run([python, "-P", "-c", facts], capture_output=True, text=True, check=False)
    print(shown.stdout.strip() or shown.stderr)
    failures = shown.returncode
    for test in arguments.tests or TESTS:
        began = time.monotonic()
        done = subprocess.run(
            [python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests" / test],
            capture_output=True, text=True, check=False, cwd=ROOT,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        lines = done.stdout.splitlines() or done.stderr.splitlines()
        print(f"{test}: {lines[-1]}; {time.monotonic() - began:.0f} s", flush=True)
        for line in lines:
            if line.startswith(("FAILED", "ERROR")):
                print(f"  {line}")
        failures += done.returncode != 0
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
