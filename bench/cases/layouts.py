"""Fills whose elements are not the whole stream in order: slices, rows, strided, Fortran order.

Each of them writes the whole buffer, so that its rate can be set beside that of the plain fill of
the same transform. The whole tables that the slices are parts of are never made.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import internals
from .case import KINDS, STDS, Array, Buffer, Case, Run
from .ours import LIBRARY, SAMPLES, fill, select

FIRST = 123_456_789  # the row where a part begins
Place = Callable[[Array], dict[str, Any]]


def _columns(flat: Array) -> dict[str, Any]:
    """Return 32 of 128 columns, in as many of the 10^7 rows as the buffer holds."""
    rows = flat.size // 32
    where = {"shape": (max(10**7, rows), 128), "index": np.s_[:rows, 32:64]}
    return {"out": flat.reshape(rows, 32), **where}


def _rows(flat: Array) -> dict[str, Any]:
    """Return adjacent rows from the middle of 10^9."""
    rows = flat.size // 64
    where = {"shape": (10**9, 64), "index": np.s_[FIRST : FIRST + rows]}
    return {"out": flat.reshape(rows, 64), **where}


def _every_2nd_row(flat: Array) -> dict[str, Any]:
    rows = flat.size // 64
    where = {"shape": (10**9, 64), "index": np.s_[FIRST : FIRST + 2 * rows : 2]}
    return {"out": flat.reshape(rows, 64), **where}


def _rows_with_gaps(flat: Array) -> dict[str, Any]:
    """Return the even rows of the buffer, and then the odd ones, each of which lies between two."""
    return {"out": flat.reshape(-1, 2, 64).transpose(1, 0, 2)}


def _fortran_table(flat: Array) -> dict[str, Any]:
    """Return a long table in Fortran order."""
    return {"out": flat.reshape(128, -1).T}


def _fortran_square(flat: Array) -> dict[str, Any]:
    """Return a matrix in Fortran order, square or twice as wide as long."""
    return {"out": flat.reshape(1 << (flat.size.bit_length() - 1) // 2, -1).T}


PLACES: dict[str, Place] = {
    "columns": _columns,
    "rows": _rows,
    "every 2nd row": _every_2nd_row,
    "rows with gaps": _rows_with_gaps,
    "Fortran table": _fortran_table,
    "Fortran square": _fortran_square,
}


def cases(threads: list[int]) -> list[Case]:
    """Return uniforms and normals in each layout, on each thread count."""
    return [_case(kind, name, count) for kind in KINDS for name in PLACES for count in threads]


def _case(kind: str, name: str, threads: int) -> Case:
    isa, draw = internals.isa(), fill(kind, "float32", threads)

    def bind(buffer: Buffer) -> Run:
        where = PLACES[name](buffer.view("float32"))
        return select(isa, lambda: draw(**where))

    what, std = f"{kind} {name}", STDS[kind]
    return Case(LIBRARY, isa, what, "float32", threads, 1.0, bind, std=std, samples=SAMPLES)
