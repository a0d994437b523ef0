"""What the commands of this folder share: builds of tests/engine, and how a run is called."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")

#: What AddressSanitizer and UndefinedBehaviorSanitizer look for.
CHECKS = "address,undefined,float-cast-overflow,float-divide-by-zero"


def sanitizing(checks):
    """Return the compiler flags of a build in which the first report ends the program."""
    return f"-fsanitize={checks} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1"


def cross(target, system):
    """Return CMake's options to build for another architecture with Debian's gcc, and qemu."""
    options = (f"-DCMAKE_C_COMPILER={target}-gcc", "-DCMAKE_SYSTEM_NAME=Linux")
    qemu = {"armv7": "arm"}.get(system, system)
    return (
        (*options, f"-DCMAKE_SYSTEM_PROCESSOR={system}"),
        (f"qemu-{qemu}", "-L", f"/usr/{target}"),
    )


def command_line():
    """Return the line that a reader types for this run."""
    return f"$ python tests/proof/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"


def build(folder, *options, targets=()):
    """Configure and build tests/engine in a folder; return the folder."""
    folder = Path(folder)
    configure = ["cmake", "-S", ROOT / "tests/engine", "-B", folder, *options]
    if shutil.which("ninja"):
        configure[1:1] = ["-G", "Ninja"]
    make = ["cmake", "--build", folder]
    if targets:
        make += ["--target", *targets]
    for command in (configure, make):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}")
    return folder
