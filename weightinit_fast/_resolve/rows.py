"""Read rows=, the ids of the rows that a call draws: a private array, and their region."""

from collections.abc import Sequence
from math import prod
from typing import Protocol, SupportsIndex, TypeAlias

import numpy as np

from .index import WHOLE, Axis, Part, Region
from .messages import shortened, shown
from .numbers import integer
from .shape import as_shape

__all__ = ["RowIds", "read_ids", "rows_region", "rows_shape"]


class _Array(Protocol):
    """Whatever NumPy can read as an array, such as a torch tensor in CPU memory."""

    def __array__(self) -> np.ndarray:
        """Return an array of the ids."""


RowIds: TypeAlias = Sequence[SupportsIndex] | _Array

_MOST = (1 << 63) - 1


def read_ids(rows: RowIds) -> np.ndarray:
    """Return the ids as an int64 array that nobody else has.

    Another thread could change an array of the caller between the check of its ids and the fill.
    The engine checks the values (`_core.fill`), except those that int64 cannot hold.
    """
    if isinstance(rows, range) and len(rows) > 1 and _fits(rows[0]) and _fits(rows[-1]):
        return rows[0] + rows.step * np.arange(len(rows), dtype=np.int64)
    if isinstance(rows, (str, bytes, bytearray)):
        raise TypeError(f"rows must be an array or a sequence of ints, not {shown(rows)}")
    if isinstance(rows, (list, tuple)):
        return _sequence_ids(rows)
    if isinstance(rows, np.ndarray) or _is_memory(rows):
        return _array_ids(rows)
    if isinstance(rows, Sequence):
        return _sequence_ids(rows)
    raise TypeError(f"rows must be an array or a sequence of ints, not {shown(rows)}")


def _is_memory(rows: object) -> bool:
    """Whether NumPy reads an object as an array."""
    if hasattr(rows, "__array__"):
        return True
    try:
        memoryview(rows)  # type: ignore[arg-type]
    except (TypeError, BufferError, ValueError):
        return False
    return True


def _array_ids(rows: object) -> np.ndarray:
    try:
        found = np.asarray(rows)
    except (TypeError, ValueError, RuntimeError) as error:  # such as a tensor on a GPU
        name = type(rows).__name__
        reason = shortened(str(error), 200)
        raise TypeError(f"rows of type {name} cannot be read as an array: {reason}") from error
    if found.ndim != 1:
        raise ValueError(f"rows must have one axis, not the shape {shown(found.shape)}")
    if found.dtype.kind not in "iu":
        hint = ": numpy.flatnonzero gives the ids of a mask" if found.dtype.kind == "b" else ""
        raise TypeError(f"rows must have an integer dtype, not {shown(found.dtype)}{hint}")
    if found.dtype.kind == "u" and found.dtype.itemsize == 8:
        # A copy first: another thread could change the array after its ids have been compared.
        found = np.array(found)
        too_large = found > _MOST
        if too_large.any():
            at = int(too_large.argmax())
            raise ValueError(_misplaced(at, int(found[at])))
    return np.array(found, np.int64, order="C", subok=False)


def _sequence_ids(rows: Sequence[SupportsIndex]) -> np.ndarray:
    given = tuple(rows)
    if set(map(type, given)) <= {int}:
        try:
            return np.array(given, np.int64)
        except OverflowError:
            pass
    ids = np.empty(len(given), np.int64)
    for at, row in enumerate(given):
        number = integer(row, f"rows[{at}]")
        if not _fits(number):
            raise ValueError(_misplaced(at, number))
        ids[at] = number
    return ids


def _fits(row: int) -> bool:
    return 0 <= row <= _MOST


def _misplaced(at: int, row: int) -> str:
    """Return the message for an id that is negative, or beyond every stream."""
    limit = "the ids of rows count from 0" if row < 0 else "the last id is 2**63 - 1"
    return f"rows[{at}] is {shown(row)}: {limit}"


def rows_shape(whole: tuple[int, ...], ids: np.ndarray) -> tuple[int, ...]:
    """Return the shape of those rows of a tensor."""
    if not whole:
        raise ValueError("rows= needs a shape with an axis of rows, not ()")
    return as_shape((len(ids), *whole[1:]))


def rows_region(
    shape: tuple[int, ...], itemsize: int, strides: tuple[int, ...] | None = None
) -> Region:
    """Return which region of the stream an array of rows holds; its first axis is that of the rows.

    The first axis steps through the ids, and is merged with no other.
    """
    if 0 in shape:
        return WHOLE
    items = prod(shape[1:])
    rows: Axis = (shape[0], items, items * itemsize if strides is None else strides[0])
    if strides is None or len(shape) == 1:
        return [rows, (items, 1, itemsize)], 0, 0
    axes, first, start = Part(shape[1:]).region(itemsize, strides[1:])
    return [rows, *(axes or ())], first, start
