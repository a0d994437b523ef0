"""Builds of the C programs in tests/engine, for the commands of this folder."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")

#: Options of a cross-build and what runs it.
AARCH64 = (
    (
        "-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc",
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    ),
    ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"),
)


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
