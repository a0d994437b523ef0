"""Systems that nothing here can run: the engine is compiled and linked for each of them.

python tests/proof/linked.py [TARGET ...]

The program golden_dump is made from the engine's sources, with all instruction sets of the target's
architecture. This shows that the sources compile there and that the system has every function which
they call. It shows nothing about bits. Needs the program `file`, and the package ziglang of PyPI,
whose clang comes with the headers of macOS and of Windows (mingw-w64) and with stubs of their
libraries. It has no headers of Microsoft's compiler.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from engine import ENGINE, ROOT, instruction_sets
from provenance import heading

#: What ziglang calls a target -> the architecture of its sets in isas.def, and libraries.
TARGETS = {
    "aarch64-macos.11.0": ("aarch64", ()),
    "x86_64-macos.11.0": ("x86", ()),
    "aarch64-windows-gnu": ("aarch64", ("-lsynchronization",)),
    "x86_64-windows-gnu": ("x86", ("-lsynchronization",)),
}
EXACT = ("-fno-fast-math", "-fno-math-errno", "-ffp-contract=off")  # as in CMakeLists.txt


def compile_and_link(target, folder):
    """Return the path of golden_dump for this target, and the sets that it has."""
    architecture, libraries = TARGETS[target]
    compiler = (sys.executable, "-m", "ziglang", "cc", "-target", target, "-std=c11", f"-I{ENGINE}")
    compiler += ("-Wall", "-Werror", "-O1", *EXACT)
    sets = instruction_sets()
    built = [name for name in sets if sets[name].architecture in {"any", architecture}]
    defines = [f"-DWIF_BUILD_{name}={int(name in built)}" for name in sets]
    objects = []

    def add(source, *options):
        objects.append(folder / f"{len(objects)}.o")
        command = [*compiler, *options, "-c", source, "-o", objects[-1]]
        subprocess.run(command, check=True)

    for name in built:
        # ziglang reads the names of processors in its own way.
        options = (o.replace("-march=armv8-a+", "-mcpu=generic+") for o in sets[name].options)
        add(ENGINE / "isa/isa.c", *options)
    for source in sorted(ENGINE.rglob("*.c")):
        if source.name != "isa.c":
            add(source, '-DWIF_VERSION="0"', *defines)
    add(ROOT / "tests/engine/golden_dump.c")
    program = folder / "golden_dump"
    subprocess.run([*compiler, *objects, *libraries, "-o", program], check=True)
    return program, built


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    print(*heading(), sep="\n")
    for target in arguments.targets or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            program, built = compile_and_link(target, Path(folder))
            shown = subprocess.check_output(["file", "-b", program], text=True)
        print(f"{target}: {', '.join(built)}: {shown.strip()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
