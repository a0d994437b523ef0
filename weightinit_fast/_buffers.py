"""Where a fill goes: the array, and the region of the stream that it holds."""

from collections.abc import Callable, Sequence
from operator import index as as_int
from types import EllipsisType
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ._fans import Shape, as_shape

__all__ = ["BasicIndex", "Target", "as_target"]

_IndexItem: TypeAlias = SupportsIndex | slice | EllipsisType | None
BasicIndex: TypeAlias = _IndexItem | tuple[_IndexItem, ...]

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)

# One axis of a region: (length, step in elements of the stream, step in bytes of the buffer).
_Axis = tuple[int, int, int]


class Target(NamedTuple):
    """A buffer to fill."""

    array: np.ndarray  # native byte order
    axes: list[_Axis] | None  # None: C-contiguous and the stream's next elements in order
    first: int  # index of the element at the region's beginning
    start: int  # the beginning's byte offset from array's first element
    fresh: bool  # allocated by us
    result: Any  # what the caller gets
    swap: bool  # result has the other byte order


def as_target(
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    index: BasicIndex,
    allocate: Callable[..., np.ndarray] = np.empty,
) -> Target:
    """Resolve shape, dtype, out and index; raise before anything is written."""
    if type(out) is np.ndarray and shape is None and dtype is None and index is _WHOLE:
        flags = out.flags
        if flags.c_contiguous and flags.writeable and out.dtype in (_FLOAT32, _FLOAT64):
            return Target(out, None, 0, 0, False, out, False)
    if out is None:
        return _new(shape, _supported(dtype, _FLOAT32), index, allocate)
    return _given(out, shape, dtype, index)


# `index=None` means no index; np.newaxis alone is the tuple (None,).
_WHOLE = None


def _new(
    shape: Shape | None, dtype: np.dtype, index: BasicIndex, allocate: Callable[..., np.ndarray]
) -> Target:
    if shape is None:
        raise TypeError("shape or out= is needed")
    whole = as_shape(shape)
    native = dtype.newbyteorder("=")
    if index is _WHOLE:
        array = allocate(whole, native)
        return Target(array, None, 0, 0, True, _swapped(array, dtype), not dtype.isnative)
    part = _Part(whole, index)
    array = allocate(part.shape, native)
    first, start, axes = _region(part, array)
    result = _swapped(array, dtype)
    return Target(array, axes, first, start, True, result, not dtype.isnative)


def _given(out: Any, shape: Shape | None, dtype: DTypeLike | None, index: BasicIndex) -> Target:
    array = _as_array(out)
    if dtype is not None and np.dtype(dtype) != array.dtype:
        raise TypeError(f"dtype={np.dtype(dtype)} does not fit out of dtype {array.dtype}")
    _supported(array.dtype, array.dtype)
    if shape is None and index is not _WHOLE:
        raise TypeError("index= needs the global shape= beside out=")
    part = _Part(array.shape if shape is None else as_shape(shape), index)
    if part.shape != array.shape:
        raise ValueError(f"out has shape {array.shape}, not {part.shape}")
    _check_writable(array)
    native = array.view(array.dtype.newbyteorder("="))
    first, start, axes = _region(part, native)
    return Target(native, axes, first, start, False, out, not array.dtype.isnative)


def _supported(dtype: DTypeLike | None, default: np.dtype) -> np.dtype:
    found = default if dtype is None else np.dtype(dtype)
    if found.newbyteorder("=") not in (_FLOAT32, _FLOAT64):
        raise TypeError(f"dtype must be float32 or float64, not {found}")
    return found


def _swapped(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return array if dtype.isnative else array.view(dtype)


def _as_array(out: Any) -> np.ndarray:
    """View a writable buffer as an array, without a copy."""
    if isinstance(out, np.ndarray):
        return out.view(np.ndarray)
    if getattr(out, "requires_grad", False):
        raise ValueError("out requires grad: pass out.detach(), which shares its memory")
    if hasattr(out, "__dlpack__"):
        try:
            return np.from_dlpack(out, copy=False)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise type(error)(f"out of type {type(out).__name__} is refused: {error}") from error
    try:
        memory = memoryview(out)
    except TypeError:
        raise TypeError(
            "out must be an ndarray or support the buffer protocol or DLPack, "
            f"not {type(out).__name__}"
        ) from None
    return np.asarray(memory)


def _check_writable(array: np.ndarray) -> None:
    """Refuse memory that must not, or cannot, hold one value for each element."""
    if not array.flags.writeable:
        raise ValueError("out is read-only")
    if array.size == 0:
        return
    # Views of an array nest: each stride steps over all that the smaller ones reach.
    reach = array.itemsize
    steps = sorted(
        (abs(step), n) for step, n in zip(array.strides, array.shape, strict=True) if n > 1
    )
    for step, n in steps:
        if step == 0:
            raise ValueError(f"out repeats elements: strides {array.strides} (a broadcast view)")
        if step < reach:
            raise ValueError(f"out has overlapping elements: strides {array.strides}")
        reach += step * (n - 1)


class _Part:
    """The part of a global C-order array that a basic index selects, as NumPy would select it."""

    def __init__(self, whole: tuple[int, ...], index: BasicIndex) -> None:
        steps = [0] * len(whole)
        step = 1
        for axis in range(len(whole) - 1, -1, -1):
            steps[axis] = step
            step *= whole[axis]
        self.first = 0
        if index is _WHOLE:
            self.shape, self.steps = whole, tuple(steps)
            return
        lengths, kept = [], []
        entries = self._expand(index if isinstance(index, tuple) else (index,), len(whole))
        axis = 0
        for entry in entries:
            if entry is None:
                lengths.append(1)
                kept.append(0)
                continue
            if isinstance(entry, slice):
                begin, stop, stride = entry.indices(whole[axis])
                lengths.append(len(range(begin, stop, stride)))
                kept.append(stride * steps[axis])
                self.first += begin * steps[axis] if lengths[-1] else 0
            else:
                self.first += self._position(entry, whole[axis], axis) * steps[axis]
            axis += 1
        self.shape, self.steps = tuple(lengths), tuple(kept)

    @staticmethod
    def _expand(index: Sequence[Any], ndim: int) -> list[Any]:
        for entry in index:
            if isinstance(entry, (bool, np.bool_)) or not (
                entry is None
                or entry is Ellipsis
                or isinstance(entry, slice)
                or (hasattr(entry, "__index__") and not isinstance(entry, np.ndarray))
            ):
                raise TypeError(
                    f"index must be basic (ints, slices, Ellipsis, newaxis), not {entry!r}"
                )
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

    @staticmethod
    def _position(entry: SupportsIndex, n: int, axis: int) -> int:
        position = as_int(entry)
        if not -n <= position < n:
            raise IndexError(f"index {position} is out of bounds for axis {axis} with size {n}")
        return position % n


def _region(part: _Part, array: np.ndarray) -> tuple[int, int, list[_Axis] | None]:
    """Return where the region begins in stream and buffer, and its axes, outermost first.

    Axes run forward through the stream; neighbours that continue each other become one.
    """
    if array.size == 0:
        return 0, 0, None
    first, start = part.first, 0
    axes: list[_Axis] = []
    for n, stream_step, dst_step in zip(array.shape, part.steps, array.strides, strict=True):
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
    return first, start, axes
