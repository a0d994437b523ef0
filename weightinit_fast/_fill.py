"""The one way from an initialiser to the engine."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from ._buffers import WHOLE, Region, Target, as_target, plain_kind
from ._dtypes import Kind
from ._fans import Shape
from ._keys import RNGLike
from ._parts import BasicIndex
from ._threads import PARALLEL_ITEMS, thread_count
from ._truncation import interval

# Looked up once: a small fill takes about as long as its call.
TRUNCATED, fill_buffer = _core.TRUNCATED, _core.fill

__all__ = ["draw", "fill", "fill_constant", "truncated"]


def fill(
    transform: int,
    params: tuple[float, ...],
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    rng: RNGLike,
    stream: int | str,
    index: BasicIndex,
    threads: int | None,
) -> Any:
    """Resolve every argument, then draw: a generator advances once nothing can fail any more."""
    kind = plain_kind(shape, dtype, out, index)
    if kind is not None:  # without a Target, which would take as long as the rest
        draw(out, kind, WHOLE, False, transform, params, rng, stream, threads)
        return out
    target = as_target(shape, dtype, out, index)
    draw(*target[:4], transform, params, rng, stream, threads)
    return target.finish(index)


def draw(
    array: np.ndarray,
    kind: Kind,
    region: Region,
    fresh: bool,
    transform: int,
    params: tuple[float, ...],
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> None:
    """Fill an array with a transform of a stream."""
    size, count = array.size, 1
    if threads is not None or size >= PARALLEL_ITEMS:
        _pinned = _core.pin(array)  # until the end: threads may be an object that calls back
        count = thread_count(threads, size)
    if transform == TRUNCATED:
        params += interval(params[2], params[3], 64 if array.itemsize == 8 else 32)
    axes, first, start = region
    fill_buffer(
        array, transform, kind.code, params, rng, stream, first, axes, count, fresh, start,
    )  # fmt: skip


def fill_constant(
    value: float,
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    index: BasicIndex,
    threads: int | None,
    also: float = 0.0,
) -> Target:
    """Set every element, new zeros lazily as numpy's; `also` is one more that must fit."""
    lazy = out is None and value == 0 and math.copysign(1, value) > 0
    target = as_target(shape, dtype, out, index, np.zeros if lazy else np.empty)
    count = thread_count(threads, target.array.size)
    if also:
        _core.check(_core.CONSTANT, target.kind.code, (also,))
    if not lazy:
        axes, first, start = target.region
        _core.fill(
            target.array, _core.CONSTANT, target.kind.code, (value,), None, 0, first, axes, count,
            target.fresh, start,
        )  # fmt: skip
    return target


def truncated(mean: float, std: float, lower: float, upper: float) -> tuple[int, tuple[float, ...]]:
    """Return the transform and parameters of a truncated normal; a std of 0 leaves the mean."""
    if std == 0:
        return _core.NORMAL, (mean, 0.0)
    return _core.TRUNCATED, (mean, std, lower, upper)
