"""Read shape=, which is the shape of the whole tensor."""

from collections.abc import Sequence
from math import prod
from typing import SupportsIndex, TypeAlias

import numpy as np

from .._core import as_shape, register_shapes
from .messages import shown
from .numbers import integer

__all__ = ["Shape", "as_shape"]

Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex]

_MAX_AXES = 64
_MAX_ITEMS = 1 << 63
#: The formats of the buffer protocol that are integers: a buffer of them may be a shape.
_INTEGER_FORMATS = tuple("bBhHiIlLqQnN")


def _other_shape(shape: Shape) -> tuple[int, ...]:
    """Read every shape but a tuple of positive ints, which the extension's as_shape reads."""
    given = shape
    if _is_memory(shape):
        raise TypeError(
            f"shape must be an int or a sequence of ints, not {shown(given)}; to fill an array, "
            "pass it as out="
        )
    if isinstance(shape, np.ndarray):
        shape = shape.tolist()
    # The usual types are tried first, because isinstance(..., Sequence) takes as long as a small
    # fill.
    if isinstance(shape, (tuple, list)) or (
        not isinstance(shape, (int, str, bytes, bytearray)) and isinstance(shape, Sequence)
    ):
        axes: tuple[object, ...] = tuple(shape)
    elif hasattr(shape, "__index__"):
        axes = (shape,)
    else:
        raise TypeError(f"shape must be an int or a sequence of ints, not {shown(given)}")
    if len(axes) > _MAX_AXES:
        raise ValueError(f"shape has {len(axes)} axes; NumPy allows {_MAX_AXES}")
    result = []
    for n in axes:
        result.append(integer(n, "each length of shape"))
        if result[-1] < 0:
            raise ValueError(f"shape {shown(given)} has a negative length")
    if prod(filter(None, result)) >= _MAX_ITEMS:
        raise ValueError(f"shape {shown(given)} has 2**63 elements or more")
    return tuple(result)


def _is_memory(shape: object) -> bool:
    """Whether an array to fill was passed instead of a shape."""
    if isinstance(shape, np.ndarray):
        return shape.dtype.kind not in "iu" or shape.size > _MAX_AXES
    if isinstance(shape, (int, tuple, list, str, bytes, np.generic)):
        return False
    try:
        memory = memoryview(shape)  # type: ignore[arg-type]
    except (TypeError, BufferError, ValueError):
        return hasattr(shape, "__dlpack__") or hasattr(shape, "__array__")
    return memory.ndim != 1 or memory.format not in _INTEGER_FORMATS or len(memory) > _MAX_AXES


register_shapes(_other_shape)
