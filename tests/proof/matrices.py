"""Orthogonal matrices that a golden_dump program makes, judged by the oracle of the contract.

The oracle (tests/oracles/oracle_orthogonal.py) takes the program's own normals, which the golden
file judges, so that neither the package nor a second program is needed.
"""

import functools
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import golden
import numpy as np
from oracles import oracle_orthogonal

#: Last panels of 1 to 32 columns; blocks and spans of rows, whole and not; wide and tall.
SHAPES = [(1, 1), (3, 2), (2, 3), (40, 10), (31, 31), (64, 32), (33, 33), (129, 100), (257, 40)]
SHAPES += [(40, 257), (170, 161), (4100, 2), (2, 8193), (12_300, 1)]
MATRICES = tuple(golden.Matrix(d, *shape, 1.3) for d in ("f32", "f64") for shape in SHAPES)


def _made(command, isa, transform, matrix, *numbers):
    """Return what the program writes for a matrix, little-endian."""
    words = [isa, transform, matrix.dtype, *map(str, (*golden.KEY, golden.STREAM))]
    words += [float(n).hex() if isinstance(n, float) else str(n) for n in numbers]
    return subprocess.run([*command, *words], check=True, stdout=subprocess.PIPE).stdout


@functools.cache
def _expected(matrix, normals):
    """Return the bytes of the oracle's matrix."""
    dtype = f"<f{golden.ITEMSIZE[matrix.dtype]}"
    array = np.frombuffer(normals, dtype).reshape(matrix.rows, matrix.columns).astype(dtype[1:])
    made = oracle_orthogonal.orthogonal(array, matrix.gain)
    return np.ascontiguousarray(made).astype(dtype).tobytes()


def differing(command, isa, most):
    """Return how many matrices were made, and the names of those that differ from the oracle."""
    chosen = [m for m in MATRICES if m.rows * m.columns <= most]

    def differs(matrix):
        count = matrix.rows * matrix.columns
        normals = _made(command, isa, "normal", matrix, 0, count, 0.0, 1.0)
        sizes = (matrix.rows, matrix.columns, matrix.gain)
        made = _made(command, isa, "orthogonal", matrix, *sizes)
        return made != _expected(matrix, normals)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return len(chosen), [
            m.name for m, bad in zip(chosen, pool.map(differs, chosen), strict=True) if bad
        ]
