"""Ranges of a tensor's elements: what files and shards hold, whatever the tensor's axes are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .._resolve.dtypes import Kind
from .._resolve.keys import Key
from .._resolve.messages import shown
from .._resolve.target import range_target, resolve
from .initializer import Initializer, rule_of
from .rules import ElementwiseRule

__all__ = ["boxes", "fill_range", "needs_whole"]


def needs_whole(init: Initializer) -> bool:
    """Whether `fill_range` makes the whole tensor for any range of it.

    This is so for initialisers whose elements depend on many others, such as `orthogonal`. Whoever
    needs several ranges of such a tensor should make it once and cut it.
    """
    return not rule_of(init).by_parts


def fill_range(
    init: Initializer,
    whole: tuple[int, ...],
    kind: Kind,
    out: np.ndarray,
    start: int,
    key: Key,
    stream: int | str,
    threads: int | None = 1,
) -> None:
    """Write the elements ``start`` to ``start + out.size`` of a tensor, in its C order.

    Parameters
    ----------
    init : Initializer
    whole : tuple of int
        The shape of the whole tensor.
    kind : Kind
        The type of the values.
    out : ndarray
        1-D, C-contiguous, of the kind's storage type in native byte order.
    start : int
        The number of the first element.
    key, stream, threads
        As ``rng``, ``stream`` and ``threads`` of `normal`.
    """
    stop, items = start + out.size, math.prod(whole)
    if not 0 <= start <= stop <= items:
        raise ValueError(
            f"elements {start} to {stop} do not lie in a tensor of shape {shown(whole)}, which has "
            f"{items}"
        )
    if out.ndim != 1 or out.dtype != kind.storage or not out.flags.c_contiguous:
        raise ValueError(f"out must be 1-D, C-contiguous and of dtype {kind.storage}")
    rule = rule_of(init)
    if isinstance(rule, ElementwiseRule):
        rule.fill(range_target(whole, kind, out, start), key, stream, threads)
    elif not rule.by_parts:
        tensor = np.empty(whole, kind.storage)
        rule.fill(resolve(whole, kind.name, tensor, None), key, stream, threads)
        out[:] = tensor.reshape(-1)[start:stop]
    else:
        for index, shape, at in boxes(whole, start, stop):
            box = out[at : at + math.prod(shape)].reshape(shape)
            rule.fill(resolve(whole, kind.name, box, index), key, stream, threads)


def boxes(
    whole: tuple[int, ...], start: int, stop: int
) -> Iterator[tuple[tuple[int | slice, ...], tuple[int, ...], int]]:
    """Cut a range into boxes, each a basic index: yield (index, shape, offset in the range).

    A box is some successive entries of one axis, at one position of each axis before it and with
    the whole of each axis after it. A tensor of d axes has at most 2d - 1 boxes.
    """
    at, done = start, 0
    while at < stop:
        # The longest box that begins here: the outermost axis whose entry begins and ends in range.
        size, axis = 1, len(whole)
        while (
            axis > 0 and at % (size * whole[axis - 1]) == 0 and size * whole[axis - 1] <= stop - at
        ):
            axis -= 1
            size *= whole[axis]
        if axis == 0:
            yield (), whole, done
            return
        axis -= 1
        position = at // size % whole[axis]
        count = min((stop - at) // size, whole[axis] - position)
        before: list[int | slice] = []
        inner = at // (size * whole[axis])
        for n in reversed(whole[:axis]):
            before.append(inner % n)
            inner //= n
        index = (*reversed(before), slice(position, position + count))
        yield index, (count, *whole[axis + 1 :]), done
        at += count * size
        done += count * size
