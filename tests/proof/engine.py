"""What the commands of this folder share: builds of the engine, and the command line of a run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "src" / "engine"
RESULTS = Path(__file__).with_name("results")

#: What AddressSanitizer and UndefinedBehaviorSanitizer look for.
CHECKS = "address,undefined,float-cast-overflow,float-divide-by-zero"


#: An entry of isas.def: name, vocabulary, words, architecture, needs, fallback, flags, probe.
ENTRY = r'^WIF_ISA\((\w+), (\w+), (\w+), (\w+), [^,]*,\s*(\w+),\s*"([^"]*)",\s*"[^"]*"\)'


class InstructionSet(NamedTuple):
    """A set of isas.def: its architecture, and the compiler options with which isa.c makes it."""

    architecture: str
    options: tuple[str, ...]


def instruction_sets():
    """Return every set of isas.def by name, in the order of the file."""
    sets = {}
    text = (ENGINE / "isa" / "isas.def").read_text(encoding="utf-8")
    entries = re.findall(ENTRY, text, re.MULTILINE)
    if len(entries) != len(re.findall(r"^WIF_ISA\(", text, re.MULTILINE)):
        raise ValueError("isas.def: not every entry has the form that it says")
    for name, vocabulary, words, architecture, fallback, flags in entries:
        options = [*flags.split(), f"-DWIF_ISA_NAME={name}"]
        options += [f'-DWIF_VOCABULARY="simd/{vocabulary}.h"', f'-DWIF_WORDS="words/{words}.h"']
        options += [f"-DWIF_FALLBACK={fallback}"] if fallback != "none" else []
        sets[name] = InstructionSet(architecture, tuple(options))
    return sets


def exported(object_file):
    """Return the symbols that an object file defines for others."""
    command = ["nm", "-g", "--defined-only", object_file]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in shown.splitlines() if line.strip()}


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
