"""The pieces of one tensor: of a DTensor, and of what lists its shards."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..tensors import Part, Piece
from .runs import pieces_of_runs, runs_of

__all__ = ["is_dtensor", "is_flattened", "part_at", "parts_of", "pieces_of_dtensor"]


def parts_of(tensor: torch.Tensor) -> list[Piece]:
    """Return the pieces of a tensor that this process holds.

    Parameters
    ----------
    tensor : torch.Tensor
        A plain tensor, a DTensor, a parameter that is one, or a ShardedTensor.

    Returns
    -------
    list of torch.Tensor or Part
        The tensor itself where it is a plain one. For a DTensor: parts that are views of its local
        tensor and share its memory, none where the local tensor is empty, several where a
        ``_StridedShard`` places successive rows in the local tensor that are apart in the whole
        one. A DTensor that is replicated gives its local tensor, which is the whole. ShardedTensors
        and torchrec's DTensors give a part for each of the shards that they list.

    Raises
    ------
    ValueError
        If a placement is ``Partial``; if the local tensor has another shape than torch's placements
        give it; and if the tensor is a piece of a flat parameter of FullyShardedDataParallel, which
        does not know where it belongs (see `flat_parts`).
    RuntimeError
        If a placement is of a kind that torch 2.13 does not have.
    """
    if is_flattened(tensor):
        raise ValueError(
            "this parameter is flattened by FullyShardedDataParallel, and its elements' places in "
            "the model are known to that wrapper only: pass the wrapped model, not a module in it"
        )
    typed: Any = tensor
    if _is_sharded_tensor(tensor):
        listed = typed.local_shards()
        starts = [shard.metadata.shard_offsets for shard in listed]
        return _parts_listed([shard.tensor for shard in listed], typed.metadata().size, starts)
    if not is_dtensor(tensor):
        return [tensor]
    with torch.no_grad():  # to_local() is then no function of autograd
        local = typed.to_local().detach()
    if hasattr(local, "local_shards"):  # a LocalShardsWrapper, of torchrec
        return _parts_listed(local.local_shards(), tuple(tensor.shape), local.local_offsets())
    return list(pieces_of_dtensor(local, tensor))


def part_at(tensor: torch.Tensor, whole: Sequence[int], offsets: Sequence[int]) -> Part:
    """Return the part of a whole tensor that begins at some offsets and has a tensor's shape.

    Parameters
    ----------
    tensor : torch.Tensor
        What holds the part.
    whole : sequence of int
        The shape of the whole tensor.
    offsets : sequence of int
        Where the part begins along each axis, as in the ``shard_offsets`` of the ShardMetadata of
        torch and torchrec.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> from weightinit_fast.torch.shards import part_at
    >>> from weightinit_fast.torch.tensors import fill
    >>> rows = torch.empty(4, 16)  # rows 8 to 12 of a table of 1000
    >>> fill([(wi.initializer("normal"), part_at(rows, (1000, 16), (8, 0)), "table")], rng=0)
    >>> table = wi.normal((1000, 16), rng=0, stream="table")
    >>> bool((rows.numpy() == table[8:12]).all())
    True
    """
    index = tuple(slice(o, o + n) for o, n in zip(offsets, tensor.shape, strict=True))
    return Part(tensor, tuple(whole), index)


def is_dtensor(tensor: object) -> bool:
    """Whether it is a DTensor, which only a process with torch.distributed.tensor can have."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def is_flattened(tensor: torch.Tensor) -> bool:
    """Whether it is a flat parameter of FullyShardedDataParallel, or a piece of one."""
    return getattr(tensor, "_is_flat_param", False) or getattr(tensor, "_fsdp_flattened", False)


def pieces_of_dtensor(local: torch.Tensor, tensor: Any) -> Iterator[Piece]:
    """Yield the pieces of a DTensor's local tensor."""
    whole = tuple(tensor.shape)
    parameter = isinstance(tensor, torch.nn.Parameter)
    runs = runs_of(
        whole, tensor.device_mesh, tensor.placements, tuple(local.shape), parameter=parameter
    )
    if runs is not None:
        yield from pieces_of_runs(local, whole, runs)


def _is_sharded_tensor(tensor: object) -> bool:
    """Whether it is a ShardedTensor, such as the tables in the state_dict() of torchrec."""
    module = sys.modules.get("torch.distributed._shard.sharded_tensor")
    return module is not None and isinstance(tensor, module.ShardedTensor)


def _parts_listed(
    shards: Sequence[Any], whole: Sequence[int], starts: Sequence[Any]
) -> list[Piece]:
    """Return the parts of a tensor that lists its shards, without those that have no elements."""
    return [
        part_at(shard.detach(), whole, offsets)
        for shard, offsets in zip(shards, starts, strict=True)
        if shard.numel()
    ]
