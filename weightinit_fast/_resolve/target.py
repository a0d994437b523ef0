"""Where a fill goes: shape, dtype, out and index, resolved once into one Target."""

from typing import Any

from numpy import ndarray
from numpy.typing import DTypeLike

from .. import _core
from .._core import Target
from .dtypes import DEFAULT, PLAIN, Kind, requested
from .index import WHOLE, BasicIndex, Part
from .memory import as_array, check_writable, new_array
from .messages import shown
from .shape import Shape, as_shape
from .threads import thread_count
from .truncation import interval

__all__ = ["Target", "covered", "resolve"]

_core.register_target(PLAIN, thread_count, interval)
_plain_target = _core.plain_target


def resolve(
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    index: BasicIndex,
    zeroed: bool = False,
) -> Target:
    """Read shape, dtype, out and index; raise what is wrong with them before anything is written.

    With ``zeroed`` a new array comes filled with zeros, whose pages the system makes when they are
    first touched.
    """
    if out is not None:
        if dtype is None and index is None:
            target = _plain_target(out, out)
            if target is not None:
                return _shaped(target, shape)
        return _given(shape, dtype, out, index)
    if shape is None:
        raise TypeError("shape or out= is needed")
    kind, found = DEFAULT if dtype is None else requested(dtype)
    whole = as_shape(shape)
    part = None if index is None else Part(whole, index)
    if found is None:
        raise TypeError(
            f"{kind.name} arrays need the package ml_dtypes; without it, an out= of dtype "
            f"{kind.storage} can hold their bits, with dtype={kind.name!r}"
        )
    region = WHOLE if part is None else part.region(kind.storage.itemsize)
    array = new_array(whole if part is None else part.shape, kind.storage, zeroed)
    result = array if found is kind.storage else array.view(found)
    scalar = part is not None and not part.shape and not part.keeps_array
    return Target(
        *(array, kind, region, whole, part, True, zeroed, result, not found.isnative, scalar, None)
    )


def covered(target: Target) -> Part:
    """Return the part of the global tensor that a target holds, also where it is the whole."""
    part: Part = target.part or Part(target.whole)
    return part


def _shaped(target: Target, shape: Shape | None) -> Target:
    """Return the target of a whole array, whose shape must be the one that is asked for."""
    if shape is not None:
        _pinned = _core.pin(target.array)  # until the end: shape may hold objects that call back
        whole = as_shape(shape)
        if whole != target.whole:
            raise ValueError(_misfit(target.whole, whole))
    elif target.whole == (0,):
        raise ValueError(_EMPTY)
    return target


def _given(shape: Shape | None, dtype: DTypeLike | None, out: Any, index: BasicIndex) -> Target:
    array, kind = as_array(out)
    if dtype is None and index is None and kind is None:
        target = _plain_target(array, out)
        if target is not None:
            return _shaped(target, shape)
    pinned = _core.pin(array)
    kind = _kind_of(array, kind, dtype)
    if shape is not None:
        whole = as_shape(shape)
    elif index is not None:
        raise TypeError("index= needs the global shape= beside out=")
    elif array.shape == (0,):
        raise ValueError(_EMPTY)
    else:
        whole = array.shape
    part = Part(whole, index)
    if part.shape != array.shape:
        raise ValueError(_misfit(array.shape, part.shape))
    check_writable(array)
    native = array.view(kind.storage)
    swapped = not array.dtype.isnative
    return Target(
        *(native, kind, part.region(native.itemsize, native.strides), whole, part, False, False),
        *(out, swapped, False, pinned),
    )


_EMPTY = (
    "out is empty and its shape (0,) says nothing of the tensor: pass shape=. Where out is the "
    "placeholder of a parameter that is partitioned (DeepSpeed's ZeRO-3), pass the memory of the "
    "partition, with shape= and index="
)


def _misfit(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return f"out has shape {shown(found)}, not {shown(wanted)}"


def _kind_of(array: ndarray, kind: Kind | None, dtype: DTypeLike | None) -> Kind:
    """Return what to write into an array: its own type, or the bits of one that NumPy lacks."""
    held = array.dtype
    if dtype is None:
        return kind or requested(held)[0]
    wanted, found = requested(dtype)
    if kind is not None:
        fits = wanted == kind
    elif wanted.extended and held.kind in "iuV" and held.names is None and held.subdtype is None:
        fits = held.itemsize == wanted.storage.itemsize
    else:
        # Compared with None, a dtype is equal to float64.
        fits = found is not None and held == found
    if not fits:
        shown_dtype = kind.name if kind else shown(held)
        raise TypeError(f"dtype={found or wanted.name} does not fit out of dtype {shown_dtype}")
    return wanted
