"""Derive the table DENSITY of src/engine/api/interval.c: the first 4480 bits of 1/sqrt(2 pi).

``python src/derive/density.py`` prints the table, and ``--check`` compares it with that of the
source. The script needs mpmath.
"""

import argparse
import re
import sys
from pathlib import Path

import mpmath

SOURCE = Path(__file__).resolve().parents[1] / "engine" / "api" / "interval.c"
BITS = 4480


def limbs():
    """Return the 32-bit limbs of floor(2^BITS / sqrt(2 pi)), the lowest first."""
    with mpmath.workprec(BITS + 100):
        number = int(mpmath.floor(mpmath.mpf(2) ** BITS / mpmath.sqrt(2 * mpmath.pi)))
    return [number >> k & 0xFFFFFFFF for k in range(0, BITS, 32)]


def main():
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the source's table")
    if not parser.parse_args().check:
        for k in range(0, BITS // 32, 8):
            print("    " + ", ".join(f"{limb:#010x}" for limb in limbs()[k : k + 8]) + ",")
        return 0
    text = SOURCE.read_text(encoding="utf-8")
    table = re.search(r"DENSITY\[DENSITY_BITS / 32\] = \{(.*?)\}", text, re.DOTALL)[1]
    same = [int(x, 16) for x in re.findall(r"0x[0-9a-f]+", table)] == limbs()
    print(f"the density is {'as' if same else 'NOT as'} src/derive/density.py derives it")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
