"""initialize() and materialize() of models that are sharded: each rank has its part of the whole.

Every test is one process that is each rank of a group in turn.
"""

from __future__ import annotations

import pytest
from support.frameworks import Framework
from tensor_bits import torch as torch  # noqa: PLC0414

import weightinit_fast as wi

adapter = Framework("weightinit_fast.torch")
fsdp = Framework("torch.distributed.fsdp")
parallel = Framework("torch.distributed.tensor.parallel")
tensors = Framework("weightinit_fast.torch.tensors")
shards = Framework("weightinit_fast.torch.shards")
models = Framework("shard_models")

KEY = wi.Key(5, 6)


def net():
    """Return a model of uneven sizes, whose embedding has a row for padding."""
    return torch.nn.Sequential(
        torch.nn.Embedding(11, 6, padding_idx=4),
        torch.nn.LayerNorm(6),
        torch.nn.Linear(6, 14),
        torch.nn.Linear(14, 6),
    )


def whole():
    """Return the parameters of the model in one process."""
    model = net()
    adapter.initialize(model, rng=KEY)
    assert bool((model[0].weight[4] == 0).all())
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def sharded(model, mesh):
    """Shard a model as torchtitan does: tensor parallelism first, then fully_shard."""
    plan = {"0": parallel.RowwiseParallel(), "2": parallel.ColwiseParallel()}
    parallel.parallelize_module(model, mesh["tp"], plan, src_data_rank=None)
    fsdp.fully_shard(model[2], mesh=mesh["dp"])
    fsdp.fully_shard(model, mesh=mesh["dp"])
    return model


def check_pieces(model, expected):
    """Compare what a rank holds with the whole; return how many elements it holds."""
    held = 0
    for name, parameter in model.named_parameters():
        local = parameter.detach().to_local()
        pieces = shards.parts_of(parameter)
        for piece in pieces:
            index = piece.index if isinstance(piece, tensors.Part) else ...
            tensor = piece.tensor if isinstance(piece, tensors.Part) else piece
            assert torch.equal(tensor, expected[name][index]), name
            held += tensor.numel()
        assert local.isfinite().all()
    return held


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 2), (3, 2), (2, 4)])
@pytest.mark.parametrize("on_meta", [True, False])
def test_meta_then_parallelise_then_materialize(shape, on_meta):
    expected = whole()
    held = 0
    for mesh in models.ranks_of_mesh(shape, ("dp", "tp")):
        with torch.device("meta" if on_meta else "cpu"):
            model = sharded(net(), mesh)
        objects = list(model.parameters())
        report = (adapter.materialize if on_meta else adapter.initialize)(model, rng=KEY)
        assert [row.name for row in report] == list(expected)
        assert all(a is b for a, b in zip(objects, model.parameters(), strict=True))
        assert not any(parameter.to_local().is_meta for parameter in model.parameters())
        held += check_pieces(model, expected)
        # fully_shard takes its memory from the parameters when it is first used.
        group = model._get_fsdp_state()._fsdp_param_group
        group.lazy_init()
        for one in group.fsdp_params:
            assert one.sharded_param is getattr(
                one._module_info.module, one._module_info.param_name
            )
            assert one._sharded_param_data.data_ptr() == one.sharded_param.to_local().data_ptr()
    # LayerNorm and the last Linear are whole on each rank of "tp".
    replicated = sum(t.numel() for n, t in expected.items() if n[0] in "13") * (shape[1] - 1)
    assert held == sum(t.numel() for t in expected.values()) + replicated


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("originals", [True, False])
@pytest.mark.parametrize("world", [1, 2, 5])
def test_flat_parameters(world, originals):
    expected = whole()
    held = 0
    for rank in range(world):
        with models.rank_of(rank, world):
            model = net()
            options = {"device_id": torch.device("cpu"), "use_orig_params": originals}
            model[2] = fsdp.FullyShardedDataParallel(model[2], **options)
            model = fsdp.FullyShardedDataParallel(model, **options)
            report = adapter.initialize(model, rng=KEY)
            assert {row.name: row.shape for row in report} == {
                name: tuple(tensor.shape) for name, tensor in expected.items()
            }
            for name, pieces in shards.flat_parts(model).items():
                for piece in pieces:
                    run = expected[name].flatten()[piece.first : piece.first + piece.tensor.numel()]
                    assert torch.equal(piece.tensor, run), name
                    held += piece.tensor.numel()
            only = adapter.initialize(model, "zeros", rng=KEY, only="2.*")
            assert {row.name for row in only} == {"2.weight", "2.bias"}
    assert held == sum(tensor.numel() for tensor in expected.values())
