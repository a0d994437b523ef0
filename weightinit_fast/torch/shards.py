"""Which part of each tensor this process holds: DTensors, FSDP's flat parameters, wrapped modules.

A rank draws what it holds and nothing else, without communication: an element depends on (key,
stream, index) alone. So all that is needed is the place of the local elements in the whole tensor,
which `parts_of` and `flat_parts` read from torch's own description of the sharding, and the name of
the parameter in the model without wrappers, which `clean_name` returns.

torch's `compute_local_shape_and_global_offset` and ``DTensor.__create_chunk_list__`` report only
the first piece of a `_StridedShard` (torch 2.13), and its ``_local_shard_size_and_offset`` lists
every index of the axis. Here, the successive runs of an axis that a rank holds are computed from
the placements by arithmetic, and the shape that they give is compared with that of the local
tensor. The tests compare them with what `distribute_tensor` makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import torch

from .._resolve.messages import shown
from ..initialisers.ranges import boxes
from .tensors import Part, Piece, Range

__all__ = [
    "FlatTensor",
    "clean_name",
    "flat_parts",
    "flat_tensors",
    "is_dtensor",
    "is_flattened",
    "part_at",
    "parts_of",
]

#: The positions of one axis of the whole tensor that a rank holds, in the order of its local axis:
#: ranges of step 1.
_Runs = list[range]


# DTensors -----------------------------------------------------------------------------------------


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
        one. A DTensor that is replicated gives its local tensor, which is the whole.

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
    return list(_dtensor_pieces(local, tensor))


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


def is_dtensor(tensor: object) -> bool:
    """Whether it is a DTensor, which only a process with torch.distributed.tensor can have."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def _dtensor_pieces(local: torch.Tensor, tensor: Any) -> Iterator[Piece]:
    """Yield the pieces of a DTensor's local tensor."""
    whole = tuple(tensor.shape)
    parameter = isinstance(tensor, torch.nn.Parameter)
    runs = _runs_of(
        whole, tensor.device_mesh, tensor.placements, tuple(local.shape), parameter=parameter
    )
    if runs is not None:
        yield from _pieces(local, whole, runs)


def _runs_of(
    whole: tuple[int, ...],
    mesh: Any,
    placements: Sequence[Any],
    shape: tuple[int, ...],
    *,
    parameter: bool,
) -> list[_Runs] | None:
    """Return the runs of each axis that this rank holds; None where it is no rank of the mesh.

    ``shape`` is that of the local tensor. There are two ways to shard an axis that is cut twice
    unevenly by ``_StridedShard`` and ``Shard``. torch's description means that the dimensions of
    the mesh cut from left to right, and so does `distribute_tensor`. But ``fully_shard`` cuts what
    tensor parallelism has left, from right to left, and describes it in the same way (torch 2.13).
    So the first rows of a table of 14 rows on a mesh of 4 and 3 are not where the placements have
    them. The shape of the local tensor tells most cases apart. In the others, a parameter is taken
    for one of ``fully_shard``, since nothing else makes parameters with such placements.
    """
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return None
    described = _runs_at(whole, mesh.shape, coordinate, placements)
    from_right = _runs_from_right(whole, mesh.shape, coordinate, placements)
    if from_right in (None, described) or not _fits(shape, from_right):
        _check_local(shape, described, placements)
        return described
    if _fits(shape, described) and not parameter and 0 not in shape:
        raise ValueError(
            f"a DTensor of shape {shown(whole)} with placements {shown(tuple(placements))} is "
            "sharded unevenly, and its rows may lie in two ways: pass the parameter itself, or "
            "redistribute() the DTensor to Shard"
        )
    return from_right


def _runs_at(
    whole: tuple[int, ...],
    mesh_shape: Sequence[int],
    coordinate: Sequence[int],
    placements: Sequence[Any],
) -> list[_Runs]:
    """Return the runs of each axis at a coordinate of a mesh.

    Each dimension of the mesh cuts what the dimensions before it have left.
    """
    kinds = sys.modules["torch.distributed.tensor.placement_types"]
    runs = _all_of(whole)
    for count, number, placement in zip(mesh_shape, coordinate, placements, strict=True):
        # The classes are compared exactly, since a class derived from them may shard otherwise.
        kind = type(placement)
        if kind is kinds.Shard:
            runs[placement.dim] = _shard(runs[placement.dim], count, number)
        elif kind is getattr(kinds, "_StridedShard", None):
            pieces = placement.split_factor
            runs[placement.dim] = _strided_shard(runs[placement.dim], pieces, count, number)
        elif isinstance(placement, kinds.Partial):
            raise ValueError(
                f"a DTensor with placements {shown(tuple(placements))} holds partial sums, of which"
                " no rank has a part of the tensor: call redistribute() with Shard or Replicate"
            )
        elif kind is not kinds.Replicate:
            raise RuntimeError(
                f"weightinit_fast does not know the placement {shown(placement)} of torch "
                f"{torch.__version__}: redistribute() the DTensor to Shard or Replicate"
            )
    return runs


def _runs_from_right(
    whole: tuple[int, ...],
    mesh_shape: Sequence[int],
    coordinate: Sequence[int],
    placements: Sequence[Any],
) -> list[_Runs] | None:
    """Return the runs of each axis if a _StridedShard cuts what the dimensions after it have left.

    None if no placement is a _StridedShard, or if the number of its pieces is not the number of the
    shards that these dimensions make.
    """
    strided = [m for m, placement in enumerate(placements) if hasattr(placement, "split_factor")]
    if not strided:
        return None
    sharded = [m for m, placement in enumerate(placements) if hasattr(placement, "dim")]
    for m in strided:
        after = (k for k in sharded if k > m and placements[k].dim == placements[m].dim)
        if placements[m].split_factor != prod(mesh_shape[k] for k in after):
            return None
    runs = _all_of(whole)
    for m in [*(m for m in sharded if m not in strided), *reversed(strided)]:
        axis = placements[m].dim
        runs[axis] = _shard(runs[axis], mesh_shape[m], coordinate[m])
    return runs


def _all_of(whole: tuple[int, ...]) -> list[_Runs]:
    """Return the runs of an axis that is not cut, for each axis."""
    return [[range(n)] if n else [] for n in whole]


def _chunk(length: int, count: int, number: int) -> tuple[int, int]:
    """Return the bounds of one of the chunks that torch.chunk cuts; the last ones may be empty."""
    size = -(-length // count)
    start = min(size * number, length)
    return start, min(start + size, length)


def _shard(runs: _Runs, count: int, number: int) -> _Runs:
    """Return the runs of one of the shards that Shard cuts."""
    return _cut(runs, *_chunk(_length(runs), count, number))


def _strided_shard(runs: _Runs, pieces: int, count: int, number: int) -> _Runs:
    """Return the runs of one of the shards that _StridedShard cuts.

    The axis is cut into pieces, each piece into shards, and a rank holds its shard of each piece.
    So it is where FSDP shards what tensor parallelism has sharded along the same axis.
    """
    length = _length(runs)
    held: _Runs = []
    for piece in range(pieces):
        start, stop = _chunk(length, pieces, piece)
        first, last = _chunk(stop - start, count, number)
        for run in _cut(runs, start + first, start + last):
            if held and held[-1].stop == run.start:
                held[-1] = range(held[-1].start, run.stop)
            else:
                held.append(run)
    return held


def _length(runs: _Runs) -> int:
    return sum(map(len, runs))


def _cut(runs: _Runs, start: int, stop: int) -> _Runs:
    """Return the runs of the local positions from start to stop."""
    held: _Runs = []
    for run in runs:
        chosen = run[max(start, 0) : max(stop, 0)]
        if chosen:
            held.append(chosen)
        start -= len(run)
        stop -= len(run)
    return held


def _fits(shape: tuple[int, ...], runs: list[_Runs]) -> bool:
    """Whether a local tensor of that shape can hold the runs.

    The shapes of empty shards differ, since torch leaves (0,) in some places.
    """
    wanted = tuple(map(_length, runs))
    return shape == wanted or (0 in shape and 0 in wanted)


def _check_local(shape: tuple[int, ...], runs: list[_Runs], placements: Sequence[Any]) -> None:
    """Refuse a local tensor of another shape than the placements give it."""
    if not _fits(shape, runs):
        raise ValueError(
            f"the local tensor of a DTensor has shape {shown(shape)}, but its placements "
            f"{shown(tuple(placements))} give this rank shape {shown(tuple(map(_length, runs)))}: "
            f"weightinit_fast cannot tell which elements it holds (torch {torch.__version__}). "
            "Tensors that DTensor.from_local() made must be sharded as distribute_tensor() does it"
        )


def _pieces(local: torch.Tensor, whole: tuple[int, ...], runs: list[_Runs]) -> Iterator[Piece]:
    """Yield the pieces of a local tensor: one for each choice of a run of each axis."""
    if all(_length(held) == n for held, n in zip(runs, whole, strict=True)):
        if 0 not in whole:
            yield local
        return
    placed = [list(_placed(held)) for held in runs]
    for choice in product(*placed):
        here, there = zip(*choice, strict=True)
        yield Part(local[here], whole, there)


def _placed(runs: _Runs) -> Iterator[tuple[slice, slice]]:
    """Yield for each run where it lies on the local axis, and where on the axis of the whole."""
    at = 0
    for run in runs:
        yield slice(at, at + len(run)), slice(run.start, run.stop)
        at += len(run)


# Flat parameters of FullyShardedDataParallel ------------------------------------------------------


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


def is_flattened(tensor: torch.Tensor) -> bool:
    """Whether it is a flat parameter of FullyShardedDataParallel, or a piece of one."""
    return getattr(tensor, "_is_flat_param", False) or getattr(tensor, "_fsdp_flattened", False)


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
        return with_pieces(list(_dtensor_pieces(parameter._local_tensor.detach(), parameter)))
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
    # Before the first forward pass, the flat parameter's own memory is that of the shard.
    shard = getattr(flat, "_local_shard", flat).detach()
    run = shard[offset : offset + place.numel_in_shard]
    order = _memory_order(shape, strides)
    if spec is None and order == tuple(range(len(shape))):
        return with_pieces([Range(run, whole, first)])
    runs: list[_Runs] | None = _all_of(whole)
    if spec is not None:
        runs = _runs_of(whole, spec.mesh, spec.placements, shape, parameter=True)
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
    runs: list[_Runs],
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
        held = [_cut(runs[axis], *bounds[back[axis]]) for axis in range(len(order))]
        yield from _pieces(box.permute(back), whole, held)


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
            groups = sharded._get_fsdp_state()._fsdp_param_groups  # type: ignore[attr-defined, unused-ignore]
            gathered = any(not group.is_sharded for group in groups)
        except AttributeError as error:
            raise RuntimeError(
                "weightinit_fast cannot read whether fully_shard has gathered parameters in torch "
                f"{torch.__version__} (it was tested with 2.13)"
            ) from error
        if gathered:
            raise ValueError(
                f"the parameters of module {path!r} are gathered by fully_shard, and what is "
                "written to them now is lost when they are sharded again: call its reshard() first"
            )


# Names --------------------------------------------------------------------------------------------

#: What wrappers call the module that they wrap: FullyShardedDataParallel, torch.compile, and the
#: wrappers of activation checkpointing and offloading.
_WRAPPED = frozenset({"_fsdp_wrapped_module", "_orig_mod", "_checkpoint_wrapped_module"})
#: These call it "module", as other modules call a child.
_WRAPPERS = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)


def clean_name(name: str, module: torch.nn.Module | None = None) -> str:
    """Return the name that a parameter or module has in the model without wrappers.

    Parameters
    ----------
    name : str
        A name of ``module.named_parameters()`` or ``module.named_modules()``.
    module : torch.nn.Module, optional
        The model. Without it, the "module." of DataParallel and DistributedDataParallel is kept,
        since it cannot be told from a child of that name.

    Examples
    --------
    >>> import torch
    >>> from weightinit_fast.torch.shards import clean_name
    >>> model = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Linear(2, 3)))
    >>> [clean_name(name, model) for name, _ in model.named_parameters()]
    ['0.weight', '0.bias']
    >>> clean_name("layers.0._checkpoint_wrapped_module._fsdp_wrapped_module.weight")
    'layers.0.weight'
    """
    kept = []
    owner = module
    for part in name.split("."):
        if part not in _WRAPPED and not (part == "module" and isinstance(owner, _WRAPPERS)):
            kept.append(part)
        owner = None if owner is None else owner._modules.get(part)
    return ".".join(kept)
