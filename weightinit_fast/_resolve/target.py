"""Read shape, dtype, out, index and rows, once for each call, into a Target: where a fill goes."""

from typing import Any

import numpy as np

from .. import _core
from .._core import Target
from .dtypes import DEFAULT, DLPACK_KINDS, PLAIN, DType, Kind, kind_of, requested
from .index import WHOLE, BasicIndex, Part
from .memory import as_array, check_writable, new_array
from .messages import shown
from .rows import RowIds, read_ids, rows_region, rows_shape
from .shape import Shape, as_shape
from .threads import thread_count
from .truncation import interval

__all__ = [
    "Target",
    "fresh_target",
    "part_of",
    "range_target",
    "region_target",
    "resolve",
    "whole_target",
]

_core.register_target(PLAIN, thread_count, interval)
_core.register_lent(DLPACK_KINDS)
_plain_target = _core.plain_target


def resolve(
    shape: Shape | None,
    dtype: DType | None,
    out: Any,
    index: BasicIndex,
    rows: RowIds | None = None,
    zeroed: bool = False,
) -> Target:
    """Read shape, dtype, out, index and rows, and refuse what is wrong before anything is written.

    With ``zeroed`` a new array comes from numpy.zeros.
    """
    if out is not None:
        if dtype is None and index is None and rows is None:
            target = _plain_target(out, out)
            if target is not None:
                return _check_shape(target, shape)
        return _resolve_out(shape, dtype, out, index, rows)
    if shape is None:
        raise TypeError("pass shape or out=")
    kind, found = DEFAULT if dtype is None else requested(dtype)
    whole = as_shape(shape)
    part = None if index is None else Part(whole, index)
    held = whole if part is None else part.shape
    ids = None
    if rows is not None:
        _refuse_both(index)
        ids = read_ids(rows)
        held = rows_shape(whole, ids)
        zeroed = False  # the engine refuses bad ids where it fills
    if found is None:
        raise TypeError(
            f"{kind.name} arrays need the package ml_dtypes; without it, pass an out= of dtype "
            f"{kind.storage}, which takes their bits, and dtype={kind.name!r}"
        )
    if ids is not None:
        region = rows_region(held, kind.storage.itemsize)
    else:
        region = WHOLE if part is None else part.region(kind.storage.itemsize)
    array = new_array(held, kind.storage, zeroed)
    result = array if found is kind.storage else array.view(found)
    scalar = part is not None and not part.shape and not part.keeps_array
    return Target(
        array=array,
        kind=kind,
        region=region,
        whole=whole,
        part=part,
        fresh=True,
        zeroed=zeroed,
        result=result,
        swapped=not found.isnative,
        scalar=scalar,
        pinned=None,
        ids=ids,
    )


def whole_target(kind: Kind, array: np.ndarray, fresh: bool = False) -> Target:
    """Return the Target of a whole tensor.

    ``array`` is C-contiguous, writable, and of the kind's storage type. ``fresh`` memory has never
    been touched, so that the system makes its pages during the fill.
    """
    return region_target(array.shape, kind, array, WHOLE, fresh)


def range_target(whole: tuple[int, ...], kind: Kind, array: np.ndarray, first: int) -> Target:
    """Return the Target of a run of elements, in the C order of the whole tensor.

    ``array`` is 1-D, C-contiguous and of the kind's storage type; the element ``first`` is the
    first that it holds. A range is no part in the sense of `part_of`: only rules whose elements
    depend on nothing else can fill it.
    """
    return region_target(whole, kind, array, (None, first, 0))


def region_target(
    whole: tuple[int, ...],
    kind: Kind,
    array: np.ndarray,
    region: tuple[Any, int, int],
    fresh: bool = False,
) -> Target:
    """Return the Target of any region of an array of the kind's storage type (see `Part.region`).

    Like a range, it is no part in the sense of `part_of`.
    """
    return Target(
        array=array,
        kind=kind,
        region=region,
        whole=whole,
        part=None,
        fresh=fresh,
        zeroed=False,
        result=array,
        swapped=False,
        scalar=False,
        pinned=None,
    )


def fresh_target(target: Target) -> Target:
    """Return the same Target of memory that has never been touched.

    A part that is one run of elements, such as rows that follow each other, becomes a range,
    because the engine advises huge pages for those alone.
    """
    axes, first, start = region = target.region
    if (
        axes is not None
        and start == 0
        and [tuple(axis) for axis in axes] == [(target.array.size, 1, target.array.itemsize)]
    ):
        region = None, first, 0
    return Target(
        array=target.array,
        kind=target.kind,
        region=region,
        whole=target.whole,
        part=target.part,
        fresh=True,
        zeroed=False,
        result=target.result,
        swapped=target.swapped,
        scalar=target.scalar,
        pinned=target.pinned,
    )


def part_of(target: Target) -> Part:
    """Return the part of the tensor that a target holds, which may be the whole of it."""
    part: Part = target.part or Part(target.whole)
    return part


def _check_shape(target: Target, shape: Shape | None) -> Target:
    """Return the target of a whole array, whose shape must be the one that is asked for."""
    if shape is not None:
        # For as long as this function runs: reading shape may run code of the caller, which could
        # resize out.
        _pinned = _core.pin(target.array)
        whole = as_shape(shape)
        if whole != target.whole:
            raise ValueError(_misfit(target.whole, whole, "tensor"))
    elif target.whole == (0,):
        raise ValueError(_EMPTY)
    return target


def _resolve_out(
    shape: Shape | None, dtype: DType | None, out: Any, index: BasicIndex, rows: RowIds | None
) -> Target:
    """Return the Target of any memory that the caller passes."""
    array, held_kind = as_array(out)
    if dtype is None and index is None and rows is None and held_kind is None:
        target = _plain_target(array, out)
        if target is not None:
            return _check_shape(target, shape)
    pinned = _core.pin(array)
    kind = _kind_to_write(array.dtype, held_kind, dtype)
    if shape is not None:
        whole = as_shape(shape)
    elif index is not None or rows is not None:
        given = "index=" if rows is None else "rows="
        raise TypeError(f"with out=, {given} needs shape=, the shape of the whole tensor")
    elif array.shape == (0,):
        raise ValueError(_EMPTY)
    else:
        whole = array.shape
    part = ids = None
    if rows is None:
        part = Part(whole, index)
        held, what = part.shape, "tensor" if index is None else "part"
    else:
        _refuse_both(index)
        ids = read_ids(rows)
        held, what = rows_shape(whole, ids), "selection of rows"
    if held != array.shape:
        raise ValueError(_misfit(array.shape, held, what))
    check_writable(array)
    native = array.view(kind.storage)
    if part is None:
        region = rows_region(held, native.itemsize, native.strides)
    else:
        region = part.region(native.itemsize, native.strides)
    return Target(
        array=native,
        kind=kind,
        region=region,
        whole=whole,
        part=None if index is None else part,
        fresh=False,
        zeroed=False,
        result=out,
        swapped=not array.dtype.isnative,
        scalar=False,
        pinned=pinned,
        ids=ids,
    )


_EMPTY = (
    "out is empty, and its shape (0,) does not tell the shape of the tensor: pass shape=. If out "
    "is the placeholder of a partitioned parameter (DeepSpeed's ZeRO-3), pass the memory of the "
    "partition, with shape= and index="
)


def _refuse_both(index: BasicIndex) -> None:
    """Refuse index= beside rows=."""
    if index is not None:
        raise TypeError("pass either index= or rows=, not both")


def _misfit(found: tuple[int, ...], wanted: tuple[int, ...], what: str) -> str:
    """Return the message for an out of another shape than what goes into it."""
    return f"out has shape {shown(found)}, but the {what} has shape {shown(wanted)}"


def _kind_to_write(held: np.dtype, held_kind: Kind | None, dtype: DType | None) -> Kind:
    """Return the kind of the values to write into an array.

    ``held`` is the array's dtype. ``held_kind`` is the kind of a DLPack object's type that NumPy
    lacks, whose array is one of integers.
    """
    if dtype is None:
        return held_kind or kind_of(held, "the dtype of out")
    wanted, found = requested(dtype)
    if held_kind is not None:
        fits = wanted == held_kind
    elif wanted.extended and held.kind in "iuV" and held.names is None and held.subdtype is None:
        fits = held.itemsize == wanted.storage.itemsize
    else:
        # None is tested first, because NumPy takes None for float64 when it compares dtypes.
        fits = found is not None and held == found
    if not fits:
        given = wanted.name if found is None else found
        there = shown(held) if held_kind is None else held_kind.name
        raise TypeError(f"dtype={given} does not fit out, whose dtype is {there}")
    return wanted
