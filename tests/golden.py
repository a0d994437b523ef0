"""The golden file: one SHA-256 per transform, dtype, parameters and range; it judges every build.

``python tests/golden.py --write`` makes tests/data/golden.json from the installed package (a change
of bits, to be explained in the changelog); ``python tests/golden.py --dump COMMAND...`` holds a
golden_dump program (tests/engine), natively or under an emulator, against the file.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

GOLDEN = Path(__file__).parent / "data" / "golden.json"

KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
STREAM = 0x1F2E3D4C5B6A7988
MEGAWORD = (1 << 20) + 15  # 241 rows of 4351: not a multiple of any width
ITEMSIZE = {"u32": 4, "f32": 4, "f64": 8}


class Case(NamedTuple):
    """A range of a stream and how it is transformed."""

    transform: str
    dtype: str
    params: tuple[float, float]
    first: int
    count: int

    @property
    def name(self) -> str:
        one, two = self.params
        return f"{self.transform}_{self.dtype}({one!r}, {two!r})[{self.first}:+{self.count}]"


def cases() -> list[Case]:
    """Return every case: all parameters over a megaword; odd, far and far-tail ranges."""
    parameters = {
        "words": [("u32", (0.0, 0.0))],
        "constant": [(t, (0.1, 0.0)) for t in ("f32", "f64")],
        "uniform": [
            (t, p)
            for t in ("f32", "f64")
            for p in ((0.0, 1.0), (-0.1, 0.1), (-1e-3, 3.5), (1.0, 1.0 + 2.0**-20), (-2e38, 3e38))
        ],
        "normal": [
            (t, p)
            for t in ("f32", "f64")
            for p in ((0.0, 1.0), (0.0, 0.02), (1.5, 2.25), (-3.0, 0.0), (0.0, 1e-40))
        ],
    }
    result = []
    for transform, choices in parameters.items():
        for dtype, params in choices:
            ranges = [(0, MEGAWORD), (5, 1000), ((1 << 62) - 77, 4099)]
            result += [Case(transform, dtype, params, *r) for r in ranges]
    # About one far tail in 2**24 words: enough for two or three.
    result.append(Case("normal", "f32", (0.0, 1.0), 1 << 33, 3 << 24))
    return result


def expected() -> dict[str, str]:
    """Return name -> SHA-256 as the golden file has them."""
    return json.loads(GOLDEN.read_text())["sha256"]


def fill(case: Case, threads: int = 1) -> Any:
    """Return the case's elements from the installed package."""
    import numpy as np  # noqa: PLC0415  the --dump mode does without

    from weightinit_fast import _core  # noqa: PLC0415

    out = np.empty(case.count, f"<{case.dtype[0]}{ITEMSIZE[case.dtype]}")
    transform = getattr(_core, case.transform.upper())
    _core.fill(out, transform, case.params, *KEY, STREAM, case.first, None, threads)
    return out


def digest(data: Any) -> str:
    """Return the SHA-256 of an array's, or bytes', little-endian contents."""
    return hashlib.sha256(data).hexdigest()


def check_dump(command: list[str]) -> int:
    """Hold every runnable set of a golden_dump program against the file; return an exit code."""
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    runnable = [line.split()[0] for line in lines if line.endswith(" runnable")]
    wanted = expected()
    bad = 0
    for isa in runnable:
        for case in cases():
            arguments = [isa, f"{case.transform}_{case.dtype}", *(p.hex() for p in case.params)]
            arguments += [str(n) for n in (*KEY, STREAM, case.first, case.count)]
            data = subprocess.run([*command, *arguments], check=True, capture_output=True).stdout
            if digest(data) != wanted[case.name]:
                bad += 1
                print(f"{isa}: {case.name} differs")
        print(f"{isa}: {len(cases())} golden cases, {bad} differ")
    return 1 if bad or not runnable else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dump", nargs=argparse.REMAINDER, metavar="COMMAND")
    arguments = parser.parse_args()
    if arguments.dump:
        return check_dump(arguments.dump)
    if arguments.write:
        import weightinit_fast as wi  # noqa: PLC0415

        content = {
            "stream_version": wi.STREAM_VERSION,
            "key": [hex(word) for word in KEY],
            "stream": hex(STREAM),
            "sha256": {case.name: digest(fill(case)) for case in cases()},
        }
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
