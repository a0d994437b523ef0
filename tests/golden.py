"""The golden file, by which builds are judged.

It has one SHA-256 for each combination of transform, dtype, parameters and range.

``python tests/golden.py --write`` makes tests/data/golden.json from the installed package. Where
that changes the file, bits have changed, and the changelog has to explain it. ``python
tests/golden.py --dump COMMAND...`` compares what a golden_dump program (tests/engine) draws,
natively or under an emulator, with the file.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from support import DATA, internals

GOLDEN = DATA / "golden.json"

KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
STREAM = 0x1F2E3D4C5B6A7988
MEGAWORD = (1 << 20) + 15  # 241 rows of 4351: not a multiple of any width
#: Name -> bytes, in the order of the engine's types.
ITEMSIZE = {"f32": 4, "f64": 8, "f16": 2, "bf16": 2, "f8e4m3fn": 1, "f8e5m2": 1}
DTYPES = tuple(ITEMSIZE)
NARROW = DTYPES[2:]


class Case(NamedTuple):
    """A range of a stream, and how it is transformed."""

    transform: str
    dtype: str  # words have f32 here, which is of their size
    params: tuple[float, ...]
    first: int
    count: int

    @property
    def name(self) -> str:
        params = ", ".join(map(repr, self.params))
        dtype = "u32" if self.transform == "words" else self.dtype
        return f"{self.transform}_{dtype}({params})[{self.first}:+{self.count}]"

    @property
    def given(self) -> tuple[float, ...]:
        """The parameters that the engine is given."""
        if self.transform != "truncated":
            return self.params
        word_bits = 8 * max(4, ITEMSIZE[self.dtype])
        return self.params + internals.truncation_interval(*self.params[2:], word_bits)


UNIFORM = ((0.0, 1.0), (-0.1, 0.1), (-1e-3, 3.5), (1.0, 1.0 + 2.0**-20), (-2e38, 3e38))
NORMAL = ((0.0, 1.0), (0.0, 0.02), (1.5, 2.25), (-3.0, 0.0), (0.0, 1e-40))
TRUNCATED = (
    *((0.0, 1.0, -2.0, 2.0), (1.5, 0.02, -math.inf, math.inf), (0.0, 1.0, 0.0, math.inf)),
    *((-1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 5.0, 8.0), (0.0, 1.0, -8.0, -7.5)),
)
FAR = (0.0, 1.0, -math.inf, -36.5)  # for float64 alone


def cases() -> list[Case]:
    """Return every case: all parameters over a megaword and two other ranges, and a far tail."""
    wide, double = ("f32", "f64"), ("f64",)
    choices = [
        ("words", ("f32",), [()]),
        ("constant", DTYPES, [(0.1,)]),
        ("uniform", wide, UNIFORM),
        ("uniform", NARROW, [(0.0, 1.0), (-0.1, 0.3)]),
        ("normal", wide, NORMAL),
        ("normal", NARROW, [(0.0, 1.0), (2.0, 300.0)]),
        ("truncated", wide, TRUNCATED),
        ("truncated", double, [FAR]),
        ("truncated", NARROW, [TRUNCATED[0], (100.0, 200.0, 0.5, math.inf)]),
    ]
    ranges = [(0, MEGAWORD), (5, 1000), ((1 << 62) - 77, 4099)]
    result = [
        Case(transform, dtype, params, *r)
        for transform, dtypes, parameters in choices
        for dtype in dtypes
        for params in parameters
        for r in ranges
    ]
    # One word in 2**24 is in the far tail: these have two or three.
    result.append(Case("normal", "f32", (0.0, 1.0), 1 << 33, 3 << 24))
    return result


class Matrix(NamedTuple):
    """An orthogonal matrix, which every instruction set makes with the same bits."""

    dtype: str
    rows: int
    columns: int
    gain: float

    @property
    def name(self) -> str:
        return f"orthogonal_{self.dtype}({self.rows}, {self.columns}, gain={self.gain})"


#: Sizes at and beside the ends of panels, blocks and spans; wide and tall; every type.
MATRICES = (
    *(Matrix(dtype, *shape, 1.5) for dtype in ("f32", "f64") for shape in ((1, 1), (129, 129))),
    *(Matrix(dtype, 8200, 33, 1.0) for dtype in ("f32", "f64")),
    *(Matrix(dtype, 64, 288, 1.0) for dtype in DTYPES),
)

#: Calls of public functions whose bytes are fixed as well, but depend on more than one kernel.
PUBLIC = (
    ("sparse", (1000, 37), {"sparsity": 0.3}),
    ("sparse", (513, 100), {"sparsity": 0.07, "dtype": "float64"}),
    ("sparse", (64, 64), {"sparsity": 0.5, "dtype": "float16"}),
    ("identity", (33, 65), {"gain": 1.5}),
    ("dirac", (12, 3, 3, 3), {"groups": 2}),
    ("variance_scaling", (31, 7, 3, 3), {"mode": "fan_geo_avg", "distribution": "uniform"}),
    ("variance_scaling", (301, 77), {"scale": 2.0, "distribution": "truncated_normal"}),
    ("lecun_normal", (301, 77), {"dtype": "float64"}),
    ("fan_in_uniform", (301, 77), {}),
    ("orthogonal", (1, 1), {}),
    ("orthogonal", (129, 129), {"gain": 1.5}),
    ("orthogonal", (300, 200), {"dtype": "float64"}),
    ("orthogonal", (64, 3, 3, 32), {}),
    ("orthogonal", (9000, 70), {"gain": 0.1}),
    ("orthogonal", (3, 3, 40, 96), {"column_axis": -1, "dtype": "float64"}),
    ("orthogonal", (96, 96), {"dtype": "float16"}),
    ("delta_orthogonal", (70, 40, 3, 3), {}),
)


def public_name(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> str:
    """Return a public call as an expression of Python."""
    return f"{name}({shape}, {', '.join(f'{k}={v!r}' for k, v in options.items())})"


def public_digest(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> str:
    """Return the SHA-256 of a public call's array."""
    import numpy as np  # noqa: PLC0415  the --dump mode works without it

    import weightinit_fast as wi  # noqa: PLC0415

    values = getattr(wi, name)(shape, rng=wi.Key(*KEY), stream=STREAM, **options)
    return digest(np.ascontiguousarray(values, values.dtype.newbyteorder("<")))


def matrix_digest(matrix: Matrix, **options: Any) -> str:
    """Return the SHA-256 of a matrix's bits, made by the installed package."""
    import numpy as np  # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    dtype = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16"}
    dtype |= {"f8e4m3fn": "float8_e4m3fn", "f8e5m2": "float8_e5m2"}
    bytes_ = ITEMSIZE[matrix.dtype]
    out = np.empty((matrix.rows, matrix.columns), f"f{bytes_}" if bytes_ > 2 else f"u{bytes_}")
    if matrix.dtype == "f16":
        out = out.view("f2")
    wi.orthogonal(
        out=out, dtype=dtype[matrix.dtype], gain=matrix.gain, rng=wi.Key(*KEY), stream=STREAM,
        **options,
    )  # fmt: skip
    return digest(out.astype(out.dtype.newbyteorder("<"), copy=False))


def expected(section: str = "sha256") -> dict[str, str]:
    """Return name -> SHA-256 of a section of the golden file."""
    return json.loads(GOLDEN.read_text())[section]


def fill_into(out: Any, case: Case, first: int, threads: int = 1) -> None:
    """Fill an array with the case's transform from an element on."""
    import weightinit_fast as wi  # noqa: PLC0415

    core = internals.core
    core.fill(
        out, getattr(core, case.transform.upper()), DTYPES.index(case.dtype), case.given,
        wi.Key(*KEY), STREAM, first, None, threads,
    )  # fmt: skip


def fill(case: Case, threads: int = 1) -> Any:
    """Return the bits of the case's elements, drawn by the installed package."""
    import numpy as np  # noqa: PLC0415

    out = np.empty(case.count, f"=u{ITEMSIZE[case.dtype]}")
    fill_into(out, case, case.first, threads)
    return out.astype(out.dtype.newbyteorder("<"), copy=False)


def digest(data: Any) -> str:
    """Return the SHA-256 of bytes, or of an array that is little-endian."""
    return hashlib.sha256(data).hexdigest()


def runnable(command: list[str]) -> list[str]:
    """Return the sets that a golden_dump program can run, given the words of its command."""
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.endswith(" runnable")]


def differing(command: list[str], isa: str, chosen: Sequence[Case | Matrix]) -> list[str]:
    """Return the names of the cases for which a golden_dump program differs from the file."""
    wanted = expected() | expected("orthogonal")

    def drawn(case: Case | Matrix) -> str:
        if isinstance(case, Matrix):
            numbers: tuple[int, ...] = (*KEY, STREAM, case.rows, case.columns)
            transform, parameters = "orthogonal", (case.gain,)
        else:
            numbers = (*KEY, STREAM, case.first, case.count)
            transform, parameters = case.transform, case.given
        arguments = [isa, transform, case.dtype, *map(str, numbers)]
        arguments += [float(p).hex() for p in parameters]
        return digest(
            subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE).stdout
        )

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(drawn, chosen)
        return [c.name for c, d in zip(chosen, digests, strict=True) if d != wanted[c.name]]


def cases_and_matrices(most: int) -> list[Case | Matrix]:
    """Return what has at most so many elements."""
    chosen: list[Case | Matrix] = [case for case in cases() if case.count <= most]
    return chosen + [matrix for matrix in MATRICES if matrix.rows * matrix.columns <= most]


def check_dump(command: list[str], most: int) -> int:
    """Compare every runnable set of a golden_dump program with the file; return an exit code."""
    chosen = cases_and_matrices(most)
    found = runnable(command)
    failures = not found
    for isa in found:
        bad = differing(command, isa, chosen)
        print(*(f"{isa}: {name} differs" for name in bad), sep="\n", end="\n" * bool(bad))
        print(f"{isa}: {len(chosen)} golden cases, {len(bad)} differ")
        failures += len(bad)
    return int(failures > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--most", type=int, default=1 << 63, metavar="N", help="elements of a case")
    parser.add_argument("--dump", nargs=argparse.REMAINDER, metavar="COMMAND")
    arguments = parser.parse_args()
    if arguments.dump:
        return check_dump(arguments.dump, arguments.most)
    if arguments.write:
        import weightinit_fast as wi  # noqa: PLC0415

        content = {
            "stream_version": wi.STREAM_VERSION,
            "key": [hex(word) for word in KEY],
            "stream": hex(STREAM),
            "sha256": {case.name: digest(fill(case)) for case in cases()},
            "orthogonal": {matrix.name: matrix_digest(matrix) for matrix in MATRICES},
            "public": {public_name(*call): public_digest(*call) for call in PUBLIC},
        }
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
