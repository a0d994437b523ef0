"""in_axis=, out_axis= and batch_axis= of JAX, read into the fans of a weight."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index as as_int
from typing import SupportsIndex, TypeAlias

from ..._resolve.messages import shown

__all__ = ["Axes", "axes_of", "fans_of"]

#: What in_axis=, out_axis= and batch_axis= take.
Axes: TypeAlias = SupportsIndex | Sequence[SupportsIndex]


def axes_of(axes: Axes, name: str) -> int | tuple[int, ...]:
    """Read in_axis=, out_axis= or batch_axis=: an axis, or several of them."""
    try:
        return as_int(axes)  # type: ignore[arg-type]
    except TypeError:
        pass
    try:
        return tuple(map(as_int, axes))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int or a sequence of ints, not {shown(axes)}") from None


def fans_of(
    shape: tuple[int, ...],
    in_axis: int | tuple[int, ...],
    out_axis: int | tuple[int, ...],
    batch_axis: int | tuple[int, ...],
) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of that whole shape, as jax.nn.initializers has them.

    fan_in is the product of all lengths but those of out_axis and batch_axis, and fan_out that of
    all but those of in_axis and batch_axis.
    """
    if in_axis == -2 and len(shape) <= 1:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor "
            "with default in_axis. Must be at least 2D or specify in_axis explicitly."
        )
    inputs = _size(shape, in_axis, "in_axis")
    outputs = _size(shape, out_axis, "out_axis")
    batch = _size(shape, batch_axis, "batch_axis")
    if 0 in shape:
        return 0, 0  # nothing is drawn
    size = prod(shape)
    fan_in, rest_in = divmod(size, outputs * batch)
    fan_out, rest_out = divmod(size, inputs * batch)
    if rest_in or rest_out:
        raise ValueError(
            f"in_axis={shown(in_axis)}, out_axis={shown(out_axis)} and batch_axis="
            f"{shown(batch_axis)} count an axis of shape {shown(shape)} twice"
        )
    return fan_in, fan_out


def _size(shape: tuple[int, ...], axes: int | tuple[int, ...], name: str) -> int:
    """Return the product of the lengths of some axes."""
    listed = axes if isinstance(axes, tuple) else (axes,)
    for axis in listed:
        if not -len(shape) <= axis < len(shape):
            raise IndexError(f"{name}={shown(axes)} is none of the axes of shape {shown(shape)}")
    return prod(shape[axis] for axis in listed)
