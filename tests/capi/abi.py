"""The binary interface of weightinit_fast.h as text, to be compared with the kept one.

``python tests/capi/abi.py --write`` adds to tests/data/c_abi.txt what the header has and the file
has not. It refuses to change or to remove a line, because programs that were compiled before rely
on it: constants, functions, the order of the table, the functions of Cython, whose signatures
Cython compares when a module is imported, and where each field of a struct lies on machines with
pointers of 64 bits.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "src" / "engine" / "weightinit_fast.h"
PXD = ROOT / "src" / "binding" / "_core.pxd"
KEPT = ROOT / "tests" / "data" / "c_abi.txt"
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


def plain(header):
    """Return the header without comments, directives and inline functions, in single spaces."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    text = re.sub(r"^#.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"^static inline .*?^}$", " ", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\s+", " ", text)


def structs(header):
    """Return the name of each struct, and the names of its fields in order."""
    found = {}
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", plain(header)):
        fields = []
        for declaration in body.split(";")[:-1]:
            pointer = re.search(r"\(\*(\w+)\)\(", declaration)
            names = (
                [pointer[1]] if pointer else re.findall(r"(\w+)(?:\[\d+\])?(?:,|$)", declaration)
            )
            fields += names
        found[name] = fields
    return found


def layouts(header):
    """Return where each field of each struct lies, and its size, as a compiler has it."""
    lines = ["#include <stdio.h>", '#include "weightinit_fast.h"', "int main(void) {"]
    for name, fields in structs(header).items():
        for field in fields:
            where = f"offsetof({name}, {field}), sizeof((({name} *)0)->{field})"
            lines.append(f'    printf("field {name}.{field} at %zu, %zu bytes\\n", {where});')
    lines += ["    return 0;", "}"]
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "layout.c", Path(folder) / "layout"
        source.write_text("\n".join(lines), encoding="utf-8")
        Path(folder, "weightinit_fast.h").write_text(header, encoding="utf-8")
        subprocess.run([COMPILER, "-std=c11", source, "-o", program], check=True)
        done = subprocess.run([program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def cython(pxd):
    """Return the declarations of the functions that Cython packages call."""
    found = re.findall(r"^cdef (?!extern)(.*? noexcept nogil)$", pxd, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\(\s+", "(", re.sub(r"\s+", " ", function)) for function in found]


def interface(header, pxd=None):
    """Return the lines of the interface; the pxd is the file's unless a test gives another."""
    text = plain(header)
    lines = [f"constant {name} = {value}" for name, value in re.findall(r"(WIF_\w+) = (\d+)", text)]
    lines += [f"type {t}" for t in re.findall(r"typedef (int [^;]*);", text)]
    lines += [f"function {f}" for f in re.findall(r"WIF_API ([^;{]*\));", text)]
    table = re.search(r"typedef struct wif_api \{(.*?)\} wif_api;", text)[1]
    lines += [f"table {entry.strip()}" for entry in table.split(";")[:-1]]
    pxd = PXD.read_text(encoding="utf-8") if pxd is None else pxd
    lines += [f"cython {function}" for function in cython(pxd)]
    return lines + layouts(header)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    now = interface(HEADER.read_text(encoding="utf-8"))
    kept = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    gone, new = [x for x in kept if x not in now], [x for x in now if x not in kept]
    for line in (*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)):
        print(line)
    if write and not gone:
        KEPT.write_text("\n".join(now) + "\n", encoding="utf-8")
        return 0
    return int(bool(gone or new))


if __name__ == "__main__":
    sys.exit(main())
