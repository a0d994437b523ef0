"""Torch tensors as memory that the engine fills, and the fill itself.

The draws of a model go through `fill`, which checks every tensor before it writes to any. Tensors
in CPU memory are filled where they lie, as one queue. Tensors of another device are drawn into CPU
memory by pieces and copied, so that their bits are the same. Meta tensors are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch.overrides import has_torch_function_variadic

from .. import _core
from .._resolve.dtypes import Kind
from .._resolve.keys import Key, RNGLike
from .._resolve.target import Target, fresh_target, range_target, resolve, whole_target
from ..initialisers.initializer import Initializer, rule_of
from ..initialisers.ranges import fill_range
from ..initialisers.rules import ElementwiseRule, Rule
from ..models.filling import fill_all
from ..models.messages import concerning
from .refusals import KINDS, PLAIN, check, dispatch_modes
from .staging import Staging

__all__ = [
    "Part",
    "Piece",
    "Range",
    "fill",
    "increment_versions",
    "memory",
    "target_of",
]


class Part(NamedTuple):
    """A tensor that holds the part of a whole tensor that some slices select.

    ``index`` has one slice for each axis of the whole tensor; the slices may have steps.
    """

    tensor: torch.Tensor
    whole: tuple[int, ...]
    index: tuple[slice, ...]  # type: ignore[assignment]  # of a tuple's method index


class Range(NamedTuple):
    """A 1-D contiguous tensor that holds a run of a whole tensor's elements, in its C order.

    ``first`` is the number of the first of them.
    """

    tensor: torch.Tensor
    whole: tuple[int, ...]
    first: int


#: What a draw fills: a whole tensor, or a tensor that holds some elements of a whole one.
Piece: TypeAlias = torch.Tensor | Part | Range

_core.register_tensors(
    *PLAIN,
    has_torch_function_variadic,
    dispatch_modes,
    torch.autograd.graph.increment_version,
)


# Memory -------------------------------------------------------------------------------------------


class _Memory:
    """The memory of a tensor, as NumPy reads it. An array that views it keeps the memory alive.

    ``tensor.numpy()`` would mark the storage as one that must never be resized, for good. FSDP
    frees and restores the memory of parameters by resizing their storages, and so do users.
    """

    __slots__ = ("__array_interface__", "_memory", "_tensor")

    def __init__(self, tensor: torch.Tensor, storage: np.dtype) -> None:
        self._tensor = tensor
        # Another thread may give the tensor another storage while its memory is filled.
        self._memory = tensor.untyped_storage()
        strides = None
        if not tensor.is_contiguous():
            strides = tuple(step * storage.itemsize for step in tensor.stride())
        self.__array_interface__ = {
            "version": 3,
            "shape": tensor.shape,
            "typestr": storage.str,
            "data": (tensor.data_ptr(), False),
            "strides": strides,
        }


def memory(tensor: torch.Tensor) -> tuple[np.ndarray, str]:
    """View the memory of a CPU tensor that `check` has found right; return the type's name too.

    The array is one of unsigned integers for a type that NumPy lacks.
    """
    kind = KINDS[tensor.dtype]
    if tensor.numel() == 0:  # it may have no address, for which NumPy would allocate a byte
        return np.empty(tuple(tensor.shape), kind.storage), kind.name
    return np.asarray(_Memory(tensor, kind.storage)), kind.name


def target_of(piece: Piece) -> Target:
    """Return where the engine writes the elements of a piece in CPU memory.

    `check` must have found the tensor right.
    """
    if isinstance(piece, torch.Tensor):
        array, _ = memory(piece)
        kind = KINDS[piece.dtype]
        if array.flags.c_contiguous:
            return whole_target(kind, array, _is_fresh(piece))
        return resolve(array.shape, kind.name, array, None)
    array, _ = memory(piece.tensor)
    kind = KINDS[piece.tensor.dtype]
    if isinstance(piece, Part):
        target = resolve(piece.whole, kind.name, array, piece.index)
        return fresh_target(target) if _is_fresh(piece.tensor) else target
    return range_target(piece.whole, kind, array, piece.first)


def _is_fresh(tensor: torch.Tensor) -> bool:
    """Whether nobody has written a tensor's memory yet, as its version tells."""
    return not (tensor.is_inference() or tensor._version)


# The fill -----------------------------------------------------------------------------------------


#: What is raised before anything is written.
_REFUSALS = (TypeError, ValueError, BufferError)


class _Job(NamedTuple):
    """A draw that the queue of CPU tensors cannot take."""

    rule: Rule
    init: Initializer
    piece: Piece
    stream: int


def fill(
    draws: Iterable[tuple[Initializer, Piece, int | str]],
    rng: RNGLike = None,
    threads: int | None = None,
) -> None:
    """Fill many tensors, or parts of tensors, each with the values of its own call.

    Everything is checked before anything is written. autograd records nothing, and the version of
    each tensor is increased, as torch's own functions do.

    Parameters
    ----------
    draws : iterable of (Initializer, tensor or Part or Range, stream)
        The tensors must not overlap each other. A tensor may be given several times, if the parts
        that it holds do not overlap.
    rng
        What `key` takes. None draws the key from torch's default generator, which advances. All
        streams have one key, and a generator advances once, after everything has been found right.
    threads : int, optional
        As in `normal`.

    Raises
    ------
    TypeError, ValueError
        Where `check` or the initialiser raises. The message begins with the stream.

    Notes
    -----
    Initialisers whose elements depend on all others, such as ``orthogonal``, make the whole tensor
    in CPU memory where a piece holds only a part of it.
    """
    tensors: dict[int, torch.Tensor] = {}
    jobs: list[_Job] = []
    try:
        shared = fill_all(
            _checked(draws, tensors, jobs), torch.default_generator if rng is None else rng, threads
        )
        _run_all(jobs, shared, threads)
    except _REFUSALS:
        raise  # nothing has been written
    except BaseException:  # Ctrl-C, for instance
        increment_versions(tensors.values())
        raise
    increment_versions(tensors.values())


def increment_versions(tensors: Iterable[torch.Tensor]) -> None:
    """Tell autograd that tensors have been written. Those of InferenceMode have no versions."""
    torch.autograd.graph.increment_version([t for t in tensors if not t.is_inference()])


def _checked(
    draws: Iterable[tuple[Initializer, Piece, int | str]],
    tensors: dict[int, torch.Tensor],
    jobs: list[_Job],
) -> Iterator[tuple[Initializer, Target, int | str]]:
    """Yield the draws for the queue of CPU tensors, and list the tensors and the other draws."""
    for init, piece, stream in draws:
        tensor = _tensor_of(piece)
        try:
            check(tensor)
            if tensor.is_meta:
                rule_of(init).check(_unwritten(piece))
                continue
            target = _target_or_none(init, piece, tensor)
            if target is None:
                rule = rule_of(init)
                rule.check(_unwritten(piece))
                jobs.append(_Job(rule, init, piece, _core.stream_number(stream)))
        except (TypeError, ValueError):
            with concerning(str(stream)):
                raise
        tensors[id(tensor)] = tensor
        if target is not None:
            yield init, target, stream


def _tensor_of(piece: Piece) -> torch.Tensor:
    """Return the tensor that holds a piece."""
    return piece.tensor if isinstance(piece, (Part, Range)) else piece


def _whole_of(piece: Piece) -> tuple[int, ...]:
    """Return the shape of the whole tensor."""
    return piece.whole if isinstance(piece, (Part, Range)) else tuple(piece.shape)


def _target_or_none(init: Initializer, piece: Piece, tensor: torch.Tensor) -> Target | None:
    """Return the Target of a piece that the queue can fill; None for what `_run` has to make."""
    if not tensor.is_cpu:
        return None
    rule = rule_of(init)
    if isinstance(rule, ElementwiseRule) or isinstance(piece, torch.Tensor):
        return target_of(piece)
    return target_of(piece) if isinstance(piece, Part) and rule.by_parts else None


def _unwritten(piece: Piece) -> Target:
    """Return a Target of the whole tensor without memory, by which a rule checks shape and type."""
    kind = KINDS[_tensor_of(piece).dtype]
    return range_target(_whole_of(piece), kind, np.empty(0, kind.storage), 0)


def _run_all(jobs: list[_Job], shared: Key, threads: int | None) -> None:
    """Make the elements of the draws that are no part of the queue."""
    staging = Staging()
    made: tuple[Any, np.ndarray] | None = None
    for job in jobs:
        tensor = _tensor_of(job.piece)
        if tensor.numel() == 0:
            continue
        kind = KINDS[tensor.dtype]
        if job.rule.by_parts:
            _run(job, kind, shared, threads, staging)
            continue
        # A tensor of which every element depends on the others is made once for all its pieces, if
        # these follow each other.
        whole = _whole_of(job.piece)
        which = job.init, job.stream, kind, whole
        if made is None or made[0] != which:
            made = which, np.empty(whole, kind.storage)
            target = resolve(whole, kind.name, made[1], None)
            job.rule.fill(target, shared, job.stream, threads)
        staging.copy(_held(job.piece, made[1]), tensor)
    staging.finish()


def _held(piece: Piece, array: np.ndarray) -> np.ndarray:
    """Return the elements of the whole tensor that a piece holds."""
    if isinstance(piece, Range):
        held: np.ndarray = array.reshape(-1)[piece.first : piece.first + piece.tensor.numel()]
        return held
    return array[piece.index] if isinstance(piece, Part) else array


def _run(job: _Job, kind: Kind, shared: Key, threads: int | None, staging: Staging) -> None:
    """Make the elements of a draw by boxes, in CPU memory that is copied to the tensor."""
    rule, init, piece, stream = job
    tensor = _tensor_of(piece)
    if isinstance(piece, Range):
        whole, first = piece.whole, piece.first
        if tensor.is_cpu:
            fill_range(init, whole, kind, memory(tensor)[0], first, shared, stream, threads)
            return
        for (run,), array in staging.boxes(tensor, kind.storage):
            fill_range(init, whole, kind, array, first + run.start, shared, stream, threads)
        return
    whole = _whole_of(piece)
    ranges = [range(n) for n in whole]
    if isinstance(piece, Part):
        ranges = [chosen[index] for chosen, index in zip(ranges, piece.index, strict=True)]
    for box, array in staging.boxes(tensor, kind.storage):
        part = tuple(_slice(r[b]) for r, b in zip(ranges, box, strict=True))
        rule.fill(resolve(whole, kind.name, array, part), shared, stream, threads)


def _slice(chosen: range) -> slice:
    """Return the slice that selects the positions of a range."""
    stop = chosen.stop if chosen.stop >= 0 else None
    return slice(chosen.start, stop, chosen.step)
