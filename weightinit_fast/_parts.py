"""Parts of a global tensor: what a basic index selects, as regions of the stream and of memory."""

from collections.abc import Sequence
from operator import index as as_int
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

__all__ = ["Axis", "BasicIndex", "Part"]

_IndexItem: TypeAlias = SupportsIndex | slice | EllipsisType | None
BasicIndex: TypeAlias = _IndexItem | tuple[_IndexItem, ...]

# One axis of a region: (length, step in elements of the stream, step in bytes of the buffer).
Axis = tuple[int, int, int]


class Part:
    """The part of a global C-order array that a basic index selects, as NumPy would select it.

    Attributes
    ----------
    whole : tuple of int
        The global shape.
    shape : tuple of int
        The part's shape.
    ranges : list of range
        Which positions of each *global* axis it holds.
    first : int
        The stream's element at its beginning.
    steps : tuple of int
        From an element to the next along each of its axes, in elements of the stream.
    """

    def __init__(self, whole: tuple[int, ...], index: BasicIndex = None) -> None:
        # `index=None` means no index; np.newaxis alone is the tuple (None,).
        strides = [0] * len(whole)
        step = 1
        for axis in range(len(whole) - 1, -1, -1):
            strides[axis] = step
            step *= whole[axis]
        self.whole = whole
        self.first = 0
        self.ranges = [range(n) for n in whole]
        self._entries: list[Any] | None = None
        if index is None:
            self.shape, self.steps = whole, tuple(strides)
            return
        lengths, kept = [], []
        self._entries = _expand(index if isinstance(index, tuple) else (index,), len(whole))
        axis = 0
        for entry in self._entries:
            if entry is None:
                lengths.append(1)
                kept.append(0)
                continue
            if isinstance(entry, slice):
                chosen = range(whole[axis])[entry]
                lengths.append(len(chosen))
                kept.append(chosen.step * strides[axis])
            else:
                position = _position(entry, whole[axis], axis)
                chosen = range(position, position + 1)
            self.ranges[axis] = chosen
            self.first += chosen.start * strides[axis] if chosen else 0
            axis += 1
        self.shape, self.steps = tuple(lengths), tuple(kept)

    def aligned(self, array: np.ndarray) -> np.ndarray:
        """Return a view of an array of the part's shape that has the global tensor's axes."""
        if self._entries is None:
            return array
        view: np.ndarray = array[
            tuple(
                0 if entry is None else slice(None) if isinstance(entry, slice) else None
                for entry in self._entries
            )
        ]
        return view

    def region(self, array: np.ndarray) -> tuple[list[Axis] | None, int, int]:
        """Return its axes, outermost first, and where it begins in stream and buffer.

        Axes run forward through the stream; neighbours that continue each other become one.
        """
        if array.size == 0:
            return None, 0, 0
        first, start = self.first, 0
        axes: list[Axis] = []
        for n, stream_step, dst_step in zip(array.shape, self.steps, array.strides, strict=True):
            if n == 1:
                continue
            if stream_step < 0:
                first += (n - 1) * stream_step
                start += (n - 1) * dst_step
                stream_step, dst_step = -stream_step, -dst_step  # noqa: PLW2901
            if axes and axes[-1][1] == n * stream_step and axes[-1][2] == n * dst_step:
                axes[-1] = (axes[-1][0] * n, stream_step, dst_step)
            else:
                axes.append((n, stream_step, dst_step))
        return axes, first, start


def _expand(index: Sequence[Any], ndim: int) -> list[Any]:
    for entry in index:
        if isinstance(entry, (bool, np.bool_)) or not (
            entry is None
            or entry is Ellipsis
            or isinstance(entry, slice)
            or (hasattr(entry, "__index__") and not isinstance(entry, np.ndarray))
        ):
            raise TypeError(f"index must be basic (ints, slices, Ellipsis, newaxis), not {entry!r}")
    used = sum(entry is not None and entry is not Ellipsis for entry in index)
    dots = sum(entry is Ellipsis for entry in index)
    if dots > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > ndim:
        raise IndexError(f"too many indices: shape has {ndim} axes, but {used} were indexed")
    rest = [slice(None)] * (ndim - used)
    expanded: list[Any] = []
    for entry in index:
        expanded.extend(rest if entry is Ellipsis else [entry])
    return expanded if dots else expanded + rest


def _position(entry: SupportsIndex, n: int, axis: int) -> int:
    position = as_int(entry)
    if not -n <= position < n:
        raise IndexError(f"index {position} is out of bounds for axis {axis} with size {n}")
    return position % n
