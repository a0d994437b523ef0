"""The memory to fill: a new array, or a view of what the caller passes as out=."""

from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from .. import _core
from .dtypes import Kind, kind_named
from .messages import shortened, shown

__all__ = ["as_array", "check_strides", "check_writable", "new_array"]

#: New arrays of at least this size begin on a cache line, so that JAX takes them without a copy. In
#: smaller arrays, that is not worth the 48 bytes that it wastes on average and the second object.
_ALIGNED_BYTES = 1 << 16
_CACHE_LINE = 64
#: NumPy's own limit on the bytes of an array: beyond it, NumPy is asked for the array as it is, and
#: raises its own error.
_MOST_BYTES = (1 << 63) - 1 - _CACHE_LINE


def new_array(shape: tuple[int, ...], dtype: np.dtype, zeroed: bool) -> ndarray:
    """Return a C-order array: uninitialised, or zeroed by numpy.zeros.

    The operating system makes the pages of a zeroed array when they are first touched.
    """
    allocate = np.zeros if zeroed else np.empty
    size = prod(shape) * dtype.itemsize
    if not _ALIGNED_BYTES <= size <= _MOST_BYTES:
        return allocate(shape, dtype)
    memory: ndarray = allocate(size + _CACHE_LINE, np.uint8)
    return ndarray(shape, dtype, memory, -_core.address(memory) % _CACHE_LINE)


def as_array(out: Any) -> tuple[ndarray, Kind | None]:
    """View out as an array, without a copy.

    For a DLPack object of a type that NumPy lacks, the array is one of integers, and the type's
    kind is returned with it. The kind is None for everything else.
    """
    if isinstance(out, ndarray):
        return out.view(ndarray), None
    name = type(out).__name__
    if getattr(out, "requires_grad", False):
        raise ValueError("out requires grad: pass out.detach(), which shares its memory")
    if hasattr(out, "__dlpack__"):
        return _from_dlpack(out, name)
    try:
        memory = memoryview(out)
    except TypeError:
        raise TypeError(_not_a_buffer(out, name)) from None
    return np.asarray(memory), None


def _from_dlpack(out: Any, name: str) -> tuple[ndarray, Kind | None]:
    """View the memory of a DLPack object as an array, with the kind of a type that NumPy lacks."""
    if type(out).__module__.partition(".")[0] in ("jax", "jaxlib"):
        raise ValueError(
            f"out of type {name} is read-only: JAX's arrays never change. Draw a new array, and "
            "pass it to jax.numpy.asarray"
        )
    # A torch tensor with the negative bit stands for -1 times what its memory holds.
    is_negative = getattr(out, "is_neg", None)
    if callable(is_negative) and is_negative():
        raise ValueError(
            "out has torch's negative bit, so that its memory holds -1 times its values: fill "
            "out.resolve_neg(), and copy that back"
        )
    try:
        memory, type_name = _core.dlpack_memory(out)
    except (BufferError, TypeError, ValueError, RuntimeError) as error:
        # Exporters that raise RuntimeError mean that they cannot export this kind of tensor.
        raised = TypeError if isinstance(error, RuntimeError) else type(error)
        raise raised(f"out of type {name} is refused: {shortened(str(error), 200)}") from error
    return np.asarray(memory), kind_named(type_name) if type_name else None


def _not_a_buffer(out: object, name: str) -> str:
    """Return the message for an out that has no memory to fill, with what to pass instead."""
    text = "out must be an ndarray or support the buffer protocol or DLPack, not "
    if hasattr(out, "to_numpy"):  # pandas and polars
        return f"{text}{name}: fill an array, and make the {name} from it"
    if isinstance(out, (list, tuple, range, set, dict)):
        return f"{text}{name}: pass numpy.empty(shape, 'float32')"
    return text + name


def check_writable(array: ndarray) -> None:
    """Refuse an array that is read-only, or whose elements share memory."""
    if not array.flags.writeable:
        raise ValueError("out is read-only: pass a writable array, or a copy")
    if array.size:
        check_strides(array.shape, array.strides, array.itemsize, "out")


def check_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, subject: str
) -> None:
    """Refuse memory whose elements share some of it.

    The memory has elements. ``itemsize`` is in the unit of the strides, and ``subject`` begins the
    message: it says whose memory it is.
    """
    # Axes by ascending stride. In an array, and in its slices and transposes, each stride is at
    # least as long as what the axes before it reach. (as_strided can make other views whose
    # elements share no memory; these are refused too.)
    reach = itemsize
    steps = sorted((abs(step), n) for step, n in zip(strides, shape, strict=True) if n > 1)
    for step, n in steps:
        if step == 0:
            raise ValueError(
                f"{subject} repeats elements: strides {shown(strides)} (a broadcast view)"
            )
        if step < reach:
            raise ValueError(f"{subject} has overlapping elements: strides {shown(strides)}")
        reach += step * (n - 1)
