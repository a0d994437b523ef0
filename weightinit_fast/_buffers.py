"""Where a fill goes: the array, and the region of the stream that it holds."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from . import _core
from ._dtypes import PLAIN, Kind, requested
from ._fans import Shape, as_shape
from ._parts import Axis, BasicIndex, Part

__all__ = ["WHOLE", "Target", "as_target", "plain_kind", "whole_shape"]

_DEFAULT = requested(np.float32)


# What of the stream an array holds: the engine's axes (None: C-contiguous and the stream's next
# elements in order), the index of the element at the beginning, and its byte offset.
Region: TypeAlias = tuple[list[Axis] | None, int, int]
WHOLE: Region = (None, 0, 0)


class Target(NamedTuple):
    """A buffer to fill; the first four fields are what `draw` needs of it."""

    array: ndarray  # of the kind's storage type, native byte order
    kind: Kind
    region: Region
    fresh: bool  # allocated by us
    part: Part | None  # None: the whole
    result: Any  # what the caller gets
    swap: bool  # result has the other byte order
    pinned: object = None  # keeps out's memory in place while arguments are read and values written

    def whole_part(self) -> Part:
        """Return the part, also where nothing asked for one."""
        return self.part or Part(self.array.shape)

    def finish(self, index: BasicIndex) -> Any:
        """Return what the caller gets, once every element is written."""
        if self.swap:
            self.array.byteswap(inplace=True)
        if self.fresh and index is not None and not self.array.ndim and not _keeps_array(index):
            return self.result[()]
        return self.result


def plain_kind(
    shape: Shape | None, dtype: DTypeLike | None, out: Any, index: BasicIndex
) -> Kind | None:
    """Return the kind of an array that is filled just as it is, whole; None for all else."""
    if type(out) is ndarray and shape is None and dtype is None and index is None:
        return PLAIN.get(out.dtype) if out.flags.carray else None
    return None


def as_target(
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    index: BasicIndex,
    allocate: Callable[..., ndarray] = np.empty,
) -> Target:
    """Resolve shape, dtype, out and index; raise before anything is written."""
    kind = plain_kind(shape, dtype, out, index)
    if kind is not None:
        return Target(out, kind, WHOLE, False, None, out, False, _core.pin(out))
    if out is None:
        return _new(shape, dtype, index, allocate)
    return _given(out, shape, dtype, index)


def whole_shape(shape: Shape | None, dtype: DTypeLike | None, out: Any) -> tuple[int, ...]:
    """Return the global shape: out's where none is given."""
    if shape is not None:
        return as_shape(shape)
    if out is None:
        raise TypeError("shape or out= is needed")
    return (out if isinstance(out, ndarray) else _given(out, None, dtype, None).array).shape


def _new(
    shape: Shape | None,
    dtype: DTypeLike | None,
    index: BasicIndex,
    allocate: Callable[..., ndarray],
) -> Target:
    kind, found = _DEFAULT if dtype is None else requested(dtype)
    if shape is None:
        raise TypeError("shape or out= is needed")
    whole = as_shape(shape)
    part = None if index is None else Part(whole, index)
    if found is None:
        raise TypeError(
            f"{kind.name} arrays need the package ml_dtypes; without it, an out= of dtype "
            f"{kind.storage} can hold their bits, with dtype={kind.name!r}"
        )
    array = allocate(part.shape if part else whole, kind.storage)
    region = part.region(array) if part else WHOLE
    result = array if found is kind.storage else array.view(found)
    return Target(array, kind, region, True, part, result, not found.isnative)


def _given(out: Any, shape: Shape | None, dtype: DTypeLike | None, index: BasicIndex) -> Target:
    array = _as_array(out)
    pinned = _core.pin(array)
    kind = _kind_given(array.dtype, dtype)
    if shape is None and index is not None:
        raise TypeError("index= needs the global shape= beside out=")
    part = Part(array.shape if shape is None else as_shape(shape), index)
    if part.shape != array.shape:
        raise ValueError(f"out has shape {array.shape}, not {part.shape}")
    _check_writable(array)
    native = array.view(kind.storage)
    swap = not array.dtype.isnative
    return Target(native, kind, part.region(native), False, part, out, swap, pinned)


def _kind_given(held: np.dtype, dtype: DTypeLike | None) -> Kind:
    """Return what to write into an array: its own type, or the bits of one that NumPy lacks."""
    if dtype is None:
        return requested(held)[0]
    kind, found = requested(dtype)
    bits = kind.extended and held.kind in "iu" and held.itemsize == kind.storage.itemsize
    # Compared with None, a dtype is equal to float64.
    if not bits and (found is None or held != found):
        raise TypeError(f"dtype={found or kind.name} does not fit out of dtype {held}")
    return kind


def _as_array(out: Any) -> ndarray:
    """View a writable buffer as an array, without a copy."""
    if isinstance(out, ndarray):
        return out.view(ndarray)
    if getattr(out, "requires_grad", False):
        raise ValueError("out requires grad: pass out.detach(), which shares its memory")
    if hasattr(out, "__dlpack__"):
        try:
            array = np.from_dlpack(out, copy=False)
        except RuntimeError as error:  # NumPy's way to say that it lacks the device or the dtype
            raise TypeError(
                f"out of type {type(out).__name__} is refused: {error} Memory must be the CPU's. "
                "A type that NumPy lacks can be passed as an integer view of its bits, such as "
                "out=tensor.view(torch.uint16), dtype='bfloat16'"
            ) from error
        except (BufferError, TypeError, ValueError) as error:
            raise type(error)(f"out of type {type(out).__name__} is refused: {error}") from error
        if array.size and array.flags.owndata:  # NumPy's answer to a null pointer
            raise ValueError(f"out of type {type(out).__name__} has no memory")
        return array
    try:
        memory = memoryview(out)
    except TypeError:
        raise TypeError(
            "out must be an ndarray or support the buffer protocol or DLPack, "
            f"not {type(out).__name__}"
        ) from None
    return np.asarray(memory)


def _check_writable(array: ndarray) -> None:
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


def _keeps_array(index: BasicIndex) -> bool:
    """Whether NumPy returns a 0-D array, not a scalar, for this index."""
    return index is Ellipsis or (isinstance(index, tuple) and any(i is Ellipsis for i in index))
