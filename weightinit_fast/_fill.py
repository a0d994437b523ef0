"""The one way from an initialiser to the engine."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from ._buffers import Target, as_target
from ._fans import Shape
from ._keys import RNGLike, key_and_stream
from ._parts import BasicIndex
from ._threads import PARALLEL_ITEMS, thread_count
from ._truncation import interval

# Looked up once: a small fill takes about as long as its call.
TRUNCATED, fill_buffer = _core.TRUNCATED, _core.fill
NO_KEY = (0, 0, 0)

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
    target = as_target(shape, dtype, out, index)
    draw(target, transform, params, rng, stream, threads)
    return target.result if index is None and not target.swap else target.finish(index)


def draw(
    target: Target,
    transform: int,
    params: tuple[float, ...],
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> tuple[int, int, int]:
    """Fill a target with a transform of a stream; return the key and the stream's number."""
    array, kind, _, axes, first, start, fresh, _, _ = target  # attributes would cost twice as much
    code, size = kind.code, array.size
    count = 1 if threads is None and size < PARALLEL_ITEMS else thread_count(threads, size)
    if transform == TRUNCATED:
        params += interval(params[2], params[3], 64 if array.itemsize == 8 else 32)
    return fill_buffer(
        array, transform, code, params, key_and_stream, first, axes, count, fresh, start, rng,
        stream,
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
        _core.fill(
            target.array, _core.CONSTANT, target.kind.code, (value,), NO_KEY, target.first,
            target.axes, count, target.fresh, target.start,
        )  # fmt: skip
    return target


def truncated(mean: float, std: float, lower: float, upper: float) -> tuple[int, tuple[float, ...]]:
    """Return the transform and parameters of a truncated normal; a std of 0 leaves the mean."""
    if std == 0:
        return _core.NORMAL, (mean, 0.0)
    return _core.TRUNCATED, (mean, std, lower, upper)
