"""Tied tensors: names whose values are those of another tensor, and memory that names share."""

from collections.abc import Mapping

import numpy as np

from .. import _core
from .._resolve.messages import shortened, shown
from .._resolve.target import Target
from .messages import listed
from .rule import check_text
from .shapes import TensorSpec

__all__ = ["check_separate", "check_tie", "checked_ties", "same_memory"]


def checked_ties(same_as: Mapping[str, str]) -> dict[str, str]:
    """Return the tied names; refuse chains and circles of them."""
    if not isinstance(same_as, Mapping):
        raise TypeError(
            f"same_as must be a dict of the names of tied tensors, not {shown(same_as)}"
        )
    for name, target in same_as.items():
        check_text(name, "same_as: a name")
        check_text(target, "same_as: a name")
        if name == target:
            raise ValueError(f"same_as: {shown(name)} is tied to itself")
    for name, target in same_as.items():
        if target in same_as:
            path = [name, target]
            while path[-1] in same_as and path[-1] not in path[:-1]:
                path.append(same_as[path[-1]])
            if path[-1] in path[:-1]:
                raise ValueError(f"same_as: names are tied in a circle: {listed(map(shown, path))}")
            raise ValueError(
                f"same_as: {shown(name)} is tied to {shown(target)}, which is itself tied to "
                f"another tensor: tie both to {shown(path[-1])}"
            )
    return {str(name): str(target) for name, target in same_as.items()}


def check_tie(name: str, target: str, specs: Mapping[str, TensorSpec]) -> None:
    """Refuse a tensor that is tied to one that is absent, or that differs in shape or dtype."""
    if target not in specs:
        raise ValueError(
            f"{shortened(name)} is tied to {shown(target)}, which is not among the tensors"
        )
    mine, other = specs[name], specs[target]
    for what, a, b in (("shape", mine.shape, other.shape), ("dtype", mine.dtype, other.dtype)):
        if a != b:
            raise ValueError(
                f"{shortened(name)} has {what} {shown(a)}, but {shown(target)}, which it is tied "
                f"to, has {what} {shown(b)}"
            )


def same_memory(a: Target, b: Target) -> bool:
    """Whether two targets are one: the same memory, in the same order."""
    x, y = a.array, b.array
    return bool(
        _core.address(x) == _core.address(y)
        and x.strides == y.strides
        and np.shape(x) == np.shape(y)
    )


def check_separate(targets: Mapping[str, Target]) -> None:
    """Refuse targets that share memory, since one would overwrite what the other has drawn.

    Arrays whose bounds overlap may still be separate, as two columns of one array are.
    """
    bounds = sorted(
        (*_byte_bounds(target.array), name) for name, target in targets.items() if target.array.size
    )
    open_until: list[tuple[int, str]] = []
    for begin, end, name in bounds:
        open_until = [(until, other) for until, other in open_until if until > begin]
        for _, other in open_until:
            if np.shares_memory(targets[other].array, targets[name].array):
                raise ValueError(
                    f"{shortened(other)} and {shortened(name)} share memory: tie one to the "
                    f"other, as in same_as={{{shown(name)}: {shown(other)}}}, or leave one out"
                )
        open_until.append((end, name))


def _byte_bounds(array: np.ndarray) -> tuple[int, int]:
    """Return the addresses of the first byte of an array and of that after its last."""
    begin = _core.address(array)
    if array.flags.c_contiguous:
        return begin, begin + array.nbytes
    end = begin
    for n, step in zip(array.shape, array.strides, strict=True):
        if step < 0:
            begin += (n - 1) * step
        else:
            end += (n - 1) * step
    return begin, end + array.itemsize
