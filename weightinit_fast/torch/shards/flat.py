"""Flat parameters of FullyShardedDataParallel, and what FSDP has gathered at the moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import torch

from ..._resolve.messages import shown
from ...initialisers.ranges import boxes
from ..tensors import Piece, Range
from .names import clean_name
from .parts import is_dtensor, pieces_of_dtensor
from .runs import Runs, all_of, cut, pieces_of_runs, runs_of

__all__ = ["FlatTensor", "flat_parts", "flat_tensors"]


class FlatTensor(NamedTuple):
    """One of the parameters that FullyShardedDataParallel keeps in a flat parameter."""

    #: The module that has the parameter, and its name there.
    module: torch.nn.Module
    name: str
    #: The shape of the whole parameter.
    whole: tuple[int, ...]
    dtype: torch.dtype
    #: What this rank holds of it.
    pieces: list[Piece]


def flat_parts(module: torch.nn.Module) -> dict[str, list[Piece]]:
    """Return the pieces of all parameters that FullyShardedDataParallel keeps in flat parameters.

    Parameters
    ----------
    module : torch.nn.Module
        A model in which modules are wrapped by ``torch.distributed.fsdp.FullyShardedDataParallel``
        with ``use_orig_params`` True or False. In any other model there are no such parameters.

    Returns
    -------
    dict of str to list of Range, Part or torch.Tensor
        For each parameter, by its `clean_name`, what this rank holds of it: a range of its
        elements, or nothing. The padding of a flat parameter belongs to no parameter. Where a
        parameter lies in memory otherwise than in C order (channels-last weights), or is a shard of
        tensor parallelism, its elements are given as parts; and while
        ``FullyShardedDataParallel.summon_full_params`` has gathered it, as the parameter itself.

    Raises
    ------
    ValueError
        If a forward pass has left gathered parameters behind, of FullyShardedDataParallel or of
        ``fully_shard``, which the next one would read in place of the shards.
    RuntimeError
        If this version of torch keeps flat parameters in a way that is not known here.
    """
    return {name: tensor.pieces for name, tensor in flat_tensors(module).items()}


def flat_tensors(module: torch.nn.Module) -> dict[str, FlatTensor]:
    """Return all parameters in flat parameters, by their `clean_name`; see `flat_parts`."""
    _refuse_gathered(module)
    fsdp = sys.modules.get("torch.distributed.fsdp.fully_sharded_data_parallel")
    found: dict[str, FlatTensor] = {}
    if fsdp is None:
        return found
    for path, wrapper in module.named_modules():
        if not isinstance(wrapper, fsdp.FullyShardedDataParallel):
            continue
        try:
            handle: Any = wrapper._handle
            if handle is None:  # every parameter of it belongs to a wrapper inside
                continue
            flat = handle.flat_param
            for number, name in enumerate(flat._fqns):
                full_name = f"{path}.{name}" if path else name
                found[clean_name(full_name, module)] = _flat_tensor(handle, number)
        except (AttributeError, TypeError) as error:
            raise RuntimeError(
                "weightinit_fast cannot read the flat parameters of FullyShardedDataParallel in "
                f"torch {torch.__version__} (it was tested with 2.13): shard the model with "
                "torch.distributed.fsdp.fully_shard, or initialise it before it is wrapped"
            ) from error
    return found


def _flat_tensor(handle: Any, number: int) -> FlatTensor:
    """Return one parameter of a flat parameter."""
    flat = handle.flat_param
    info = flat._param_infos[number]
    spec = flat._param_extensions[number]  # the DTensorSpec of a shard of tensor parallelism
    shape, strides = tuple(flat._shapes[number]), tuple(flat._strides[number])
    whole = shape if spec is None else tuple(spec.shape)

    def with_pieces(pieces: list[Piece]) -> FlatTensor:
        return FlatTensor(info.module, info.param_name, whole, flat.dtype, pieces)

    if flat.size() != flat._sharded_size:  # gathered by summon_full_params
        parameter = getattr(info.module, info.param_name)
        if not is_dtensor(parameter):
            return with_pieces([parameter])
        return with_pieces(list(pieces_of_dtensor(parameter._local_tensor.detach(), parameter)))
    gathered = getattr(flat, "_full_param_padded", None)
    if (
        handle.uses_sharded_strategy
        and gathered is not None
        and gathered.untyped_storage().size() > 0
    ):
        raise ValueError(
            "a forward pass has left the gathered parameters of FullyShardedDataParallel in memory,"
            " and the next one would read them in place of what is written now: initialise the "
            "model before its first forward pass, or under FSDP.summon_full_params(model)"
        )
    place = flat._shard_param_infos[number]
    if not place.in_shard or 0 in shape:
        return with_pieces([])
    offset, first = place.offset_in_shard, place.intra_param_start_idx
    run = flat.detach()[offset : offset + place.numel_in_shard]
    order = _memory_order(shape, strides)
    if spec is None and order == tuple(range(len(shape))):
        return with_pieces([Range(run, whole, first)])
    runs: list[Runs] | None = all_of(whole)
    if spec is not None:
        runs = runs_of(whole, spec.mesh, spec.placements, shape, parameter=True)
    if runs is None:
        return with_pieces([])
    return with_pieces(list(_range_pieces(run, first, shape, order, whole, runs)))


def _memory_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes from the one of the largest stride on: FSDP flattens in the order of memory.

    Axes of length 1 have no stride that counts.
    """
    order = tuple(range(len(shape)))
    long = sorted((axis for axis in order if shape[axis] > 1), key=lambda axis: -strides[axis])
    step = 1
    for axis in reversed(long):
        if strides[axis] != step:
            raise ValueError(
                f"a flat parameter holds a tensor of shape {shown(shape)} and strides "
                f"{shown(strides)}, which leaves gaps in memory or overlaps itself: make it "
                "contiguous before FullyShardedDataParallel wraps its module"
            )
        step *= shape[axis]
    if long == sorted(long):
        return order
    return (*long, *(axis for axis in order if shape[axis] == 1))


def _range_pieces(
    run: torch.Tensor,
    first: int,
    shape: tuple[int, ...],
    order: tuple[int, ...],
    whole: tuple[int, ...],
    runs: list[Runs],
) -> Iterator[Piece]:
    """Yield the pieces of a run of the elements of a local tensor, counted in the order of memory.

    ``runs`` are those of the local tensor, whose shape is ``shape``.
    """
    permuted = tuple(shape[axis] for axis in order)
    for index, _, at in boxes(permuted, first, first + run.numel()):
        bounds = [(0, n) for n in permuted]
        for axis, chosen in enumerate(index):
            bounds[axis] = (
                (chosen.start, chosen.stop) if isinstance(chosen, slice) else (chosen, chosen + 1)
            )
        lengths = [stop - start for start, stop in bounds]
        box = run[at : at + prod(lengths)].view(lengths)
        back = [order.index(axis) for axis in range(len(order))]
        held = [cut(runs[axis], *bounds[back[axis]]) for axis in range(len(order))]
        yield from pieces_of_runs(box.permute(back), whole, held)


def _refuse_gathered(module: torch.nn.Module) -> None:
    """Refuse a model whose parameters are gathered by fully_shard at the moment."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    sharded_class = getattr(fsdp, "FSDPModule", None)
    if sharded_class is None:
        return
    for path, sharded in module.named_modules():
        if not isinstance(sharded, sharded_class):
            continue
        try:
            state = sharded._get_fsdp_state()  # type: ignore[attr-defined, unused-ignore]
            if hasattr(state, "_fsdp_param_groups"):
                groups = state._fsdp_param_groups
            else:  # torch 2.9 has one group for each module, or None
                groups = [state._fsdp_param_group] if state._fsdp_param_group else []
            gathered = any(not group.is_sharded for group in groups)
        except AttributeError as error:
            raise RuntimeError(
                "weightinit_fast cannot read whether fully_shard has gathered parameters in torch "
                f"{torch.__version__} (it was tested with 2.9 and 2.13): initialise the model "
                "before it is sharded"
            ) from error
        if gathered:
            raise ValueError(
                f"the parameters of module {path!r} are gathered by fully_shard, and what is "
                "written to them now is lost when they are sharded again: call its reshard() first"
            )
