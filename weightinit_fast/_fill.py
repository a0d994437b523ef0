"""The one way from an initialiser to the engine."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from ._buffers import BasicIndex, as_target
from ._fans import Shape
from ._keys import RNGLike, key_words, stream_number
from ._threads import PARALLEL_ITEMS, thread_count

__all__ = ["fill"]


def fill(
    transform: int,
    params: tuple[float, float],
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    rng: RNGLike,
    stream: int | str,
    index: BasicIndex,
    threads: int | None,
) -> Any:
    """Resolve every argument, then fill: a generator advances once nothing can fail any more."""
    lazy_zeros = out is None and transform == _core.CONSTANT and _is_plus_zero(params[0])
    target = as_target(shape, dtype, out, index, np.zeros if lazy_zeros else np.empty)
    array = target.array
    items = array.size
    if threads is not None or items >= PARALLEL_ITEMS:
        threads = thread_count(threads, items)
    if not lazy_zeros:
        _core.check(transform, params, array.itemsize)
        low = high = number = 0
        if transform != _core.CONSTANT:
            number = stream_number(stream)
            low, high = key_words(rng)
        _core.fill(
            array, transform, params, low, high, number, target.first, target.axes,
            threads or 1, target.fresh, target.start,
        )  # fmt: skip
        if target.swap:
            array.byteswap(inplace=True)
    if index is not None and out is None and array.ndim == 0 and not _keeps_array(index):
        return target.result[()]
    return target.result


def _is_plus_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) > 0


def _keeps_array(index: BasicIndex) -> bool:
    """Whether NumPy returns a 0-D array, not a scalar, for this index."""
    return index is Ellipsis or (isinstance(index, tuple) and any(i is Ellipsis for i in index))
