"""Parts of a tensor: what a basic index selects, as regions of the stream and of memory."""

from collections.abc import Sequence
from operator import index as as_int
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from .messages import shown

__all__ = ["WHOLE", "Axis", "BasicIndex", "Part", "Region"]

_IndexItem: TypeAlias = SupportsIndex | slice | EllipsisType | None
BasicIndex: TypeAlias = _IndexItem | tuple[_IndexItem, ...]

# One axis of a region: (length, step in elements of the stream, step in bytes of the buffer).
Axis: TypeAlias = tuple[int, int, int]

# Which elements of the stream an array holds: the axes, outermost first; the index of the element
# where the region begins; the byte offset of that element in the array. Axes of None stand for a
# C-contiguous array that holds successive elements of the stream.
Region: TypeAlias = tuple[list[Axis] | None, int, int]
WHOLE: Region = (None, 0, 0)


class Part:
    """The part of a tensor that a basic index selects, as NumPy would select it.

    Attributes
    ----------
    whole : tuple of int
        The shape of the whole tensor.
    shape : tuple of int
        The shape of the part.
    ranges : list of range
        Which positions of each axis of the *whole* tensor the part holds.
    first : int
        The index in the stream of the part's first element.
    steps : tuple of int
        The step from one element to the next along each axis of the part, in elements of the
        stream.
    keeps_array : bool
        Whether NumPy would return a 0-D array, not a scalar, where the part is a single element.
    """

    __slots__ = ("_entries", "first", "keeps_array", "ranges", "shape", "steps", "whole")

    def __init__(self, whole: tuple[int, ...], index: BasicIndex = None) -> None:
        # `index=None` means no index; np.newaxis alone is the tuple (None,).
        strides = [1] * len(whole)
        for axis in range(len(whole) - 1, 0, -1):
            strides[axis - 1] = strides[axis] * whole[axis]
        self.whole = whole
        self.ranges = list(map(range, whole))
        self.first = 0
        self.keeps_array = True
        self._entries: list[Any] | None = None
        if index is None:
            self.shape, self.steps = whole, tuple(strides)
            return
        entries, dots = _expand(index if isinstance(index, tuple) else (index,), len(whole))
        self._entries, self.keeps_array = entries, dots
        lengths, steps = [], []
        axis = 0
        for entry in entries:
            if entry is None:
                lengths.append(1)
                steps.append(0)
                continue
            n = whole[axis]
            if isinstance(entry, slice):
                chosen = range(n)[entry]
                if len(chosen) == 1:  # its step is never taken, and may exceed 64 bits
                    chosen = range(chosen[0], chosen[0] + 1)
                lengths.append(len(chosen))
                steps.append(chosen.step * strides[axis])
            else:
                position = as_int(entry)
                if not -n <= position < n:
                    raise IndexError(
                        f"index {shown(position)} is out of bounds for axis {axis} with size {n}"
                    )
                chosen = range(position % n, position % n + 1)
            self.ranges[axis] = chosen
            self.first += chosen.start * strides[axis] if chosen else 0
            axis += 1
        self.shape, self.steps = tuple(lengths), tuple(steps)

    def aligned(self, array: np.ndarray) -> np.ndarray:
        """View an array of the part's shape with one axis for each axis of the whole tensor.

        The view has no new axes, and an axis of length 1 where the index has an int.
        """
        if self._entries is None:
            return array
        view: np.ndarray = array[
            tuple(
                0 if entry is None else slice(None) if isinstance(entry, slice) else None
                for entry in self._entries
            )
        ]
        return view

    def region(self, itemsize: int, strides: Sequence[int] | None = None) -> Region:
        """Return which region of the stream an array of the part's shape holds.

        ``strides`` are those of the array, in bytes; None stands for C order. The axes of the
        region run forward through the stream, and adjacent axes are merged where one continues the
        other both in the stream and in memory.
        """
        if 0 in self.shape:
            return WHOLE
        if strides is None:
            strides, step = [itemsize] * len(self.shape), itemsize
            for axis in range(len(self.shape) - 1, -1, -1):
                strides[axis] = step
                step *= self.shape[axis]
        first, start = self.first, 0
        axes: list[Axis] = []
        for n, stream_step, dst_step in zip(self.shape, self.steps, strides, strict=True):
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


def _expand(index: tuple[Any, ...], ndim: int) -> tuple[list[Any], bool]:
    """Return one entry for each axis and each new axis, and whether there was an Ellipsis.

    Everything but a basic index is refused.
    """
    used = dots = 0
    for entry in index:
        if entry is Ellipsis:
            dots += 1
        elif entry is not None:
            used += 1
            if type(entry) is int:
                continue
            if type(entry) is slice:
                if np.bool_ in (type(entry.start), type(entry.stop), type(entry.step)):
                    # NumPy 2.1 warns, later versions refuse it.
                    raise TypeError("index must have ints as bounds of slices, not " + shown(entry))
                continue
            if isinstance(entry, (bool, np.bool_, np.ndarray)) or not (
                isinstance(entry, slice) or hasattr(entry, "__index__")
            ):
                raise TypeError(
                    "index must be basic (ints, slices, Ellipsis, newaxis), not " + shown(entry)
                )
    if dots > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > ndim:
        raise IndexError(f"too many indices: shape has {ndim} axes, but {used} were indexed")
    rest = [slice(None)] * (ndim - used)
    if not dots:
        return [*index, *rest], False
    at = 0
    while index[at] is not Ellipsis:
        at += 1
    return [*index[:at], *rest, *index[at + 1 :]], True
