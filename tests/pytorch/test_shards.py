"""The pieces that a rank holds are those that torch's own sharding gives it, on any mesh.

Every test is one process that is each rank of a mesh in turn. Nothing communicates, as in the
package itself; `test_shards_processes.py` has real processes.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frameworks import Framework

import weightinit_fast as wi

torch = Framework("torch")
tensor_module = Framework("torch.distributed.tensor")
parallel = Framework("torch.distributed.tensor.parallel")
fsdp = Framework("torch.distributed.fsdp")
adapter = Framework("weightinit_fast.torch")
tensors = Framework("weightinit_fast.torch.tensors")
shards = Framework("weightinit_fast.torch.shards")
models = Framework("shard_models")

KEY = wi.Key(7, 8)


def placement(kind, axis, factor=1):
    if kind == "replicate":
        return tensor_module.Replicate()
    if kind == "shard":
        return tensor_module.Shard(axis)
    return tensor_module.placement_types._StridedShard(axis, split_factor=factor)


def fill(pieces, init, stream):
    tensors.fill([(wi.initializer(init), piece, stream) for piece in pieces], KEY)


def whole_of(init, shape, stream="w"):
    return torch.from_numpy(wi.initializer(init)(shape, rng=KEY, stream=stream))


def pieces_of(tensor):
    """Return the pieces of a DTensor; skip a test of those that torch cuts in an older way."""
    try:
        return shards.parts_of(tensor)
    except RuntimeError as error:
        if torch._module.__version__ < (2, 13) and "in another way than torch 2.13" in str(error):
            pytest.skip(
                f"torch {torch._module.__version__} cuts this in another way, and it is refused"
            )
        raise


def check_mesh(mesh_shape, placements, init, shape):
    """Compare every rank's elements with those that torch's sharding of the whole gives it."""
    whole = whole_of(init, shape)
    held = 0
    for mesh in models.ranks_of_mesh(mesh_shape):
        tensor = tensor_module.distribute_tensor(
            whole.clone(), mesh, placements, src_data_rank=None
        )
        expected = tensor.to_local().clone()
        tensor.to_local().fill_(float("nan"))
        pieces = pieces_of(tensor)
        assert bool(pieces) == bool(expected.numel())
        fill(pieces, init, "w")
        assert torch.equal(tensor.to_local(), expected)
        held += expected.numel()
    return held


# DTensors -----------------------------------------------------------------------------------------


def test_a_plain_tensor_is_its_own_piece():
    plain = torch.empty(3, 4)
    assert shards.parts_of(plain) == [plain]
    parameter = torch.nn.Parameter(plain)
    (piece,) = shards.parts_of(parameter)
    assert piece is parameter


@st.composite
def layouts(draw):
    """Draw a mesh, a shape, and a placement for each dimension of the mesh."""
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=1, max_size=3)))
    mesh = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    kinds = st.sampled_from(["replicate", "shard", "shard", "strided", "strided"])
    axes = st.integers(0, len(shape) - 1)
    return mesh, shape, [draw(st.tuples(kinds, axes, st.integers(1, 4))) for _ in mesh]


@given(layouts())
@settings(max_examples=150, deadline=None)
def test_random_meshes_and_placements(layout):
    mesh, shape, chosen = layout
    placements = [placement(*one) for one in chosen]
    try:
        held = check_mesh(mesh, placements, "normal", shape)
    except pytest.skip.Exception:
        return
    except ValueError as error:
        # See test_uneven_cuts_from_the_right_that_look_like_cuts_from_the_left.
        if "may lie in two ways" not in str(error):
            raise
        return
    copies = 1
    for count, (kind, *_) in zip(mesh, chosen, strict=True):
        copies *= count if kind == "replicate" else 1
    assert held == copies * np.prod(shape)  # each element is somewhere, and nowhere twice


LAYOUTS = [
    ((2,), [("replicate", 0)]),
    ((4,), [("shard", 0)]),
    ((5,), [("shard", 1)]),
    ((8,), [("shard", 0)]),
    ((2, 3), [("shard", 0), ("shard", 1)]),
    ((2, 3), [("shard", 1), ("shard", 1)]),
    ((2, 2), [("strided", 0, 2), ("shard", 0)]),
    ((3, 2), [("strided", 0, 2), ("shard", 0)]),
    ((2, 2, 2), [("replicate", 0), ("strided", 1, 2), ("shard", 1)]),
]
RULES = [
    ("he_normal", (7, 6)),
    ("xavier_uniform(layout='HWIO')", (7, 6, 3, 2)),
    ("truncated_normal(std=0.02)", (7, 6)),
    ("constant(value=0.5)", (7, 6)),
    ("identity(gain=2.0)", (7, 6)),
    ("dirac", (7, 6, 3)),
    ("sparse(sparsity=0.4)", (7, 6)),
    ("orthogonal(gain=2.0)", (7, 6)),
    ("orthogonal", (6, 7, 3)),
]


@pytest.mark.parametrize(("mesh", "chosen"), LAYOUTS)
@pytest.mark.parametrize(("init", "shape"), RULES)
def test_every_rule(mesh, chosen, init, shape):
    check_mesh(mesh, [placement(*one) for one in chosen], init, shape)


@pytest.mark.parametrize("name", ["float64", "float16", "bfloat16", "float8_e4m3fn"])
def test_types(name):
    dtype = getattr(torch, name)
    whole = torch.empty(9, 5, dtype=dtype)
    fill([whole], "normal", "w")
    for mesh in models.ranks_of_mesh((2, 2)):
        chosen = [placement("strided", 0, 2), placement("shard", 0)]
        tensor = tensor_module.distribute_tensor(whole.clone(), mesh, chosen, src_data_rank=None)
        local = tensor.to_local()
        expected = local.clone()
        local.zero_()
        fill(pieces_of(tensor), "normal", "w")
        assert torch.equal(local.view(torch.uint8), expected.view(torch.uint8))


def test_uneven_cuts_of_older_versions_of_torch_are_refused(monkeypatch):
    """Before torch 2.13, distribute_tensor gave the ranks other rows than the placements say."""
    chosen = [placement("strided", 0, 2), placement("shard", 0)]
    for mesh in models.ranks_of_mesh((2, 2)):
        uneven, even = (
            tensor_module.distribute_tensor(torch.ones(n, 5), mesh, chosen, src_data_rank=None)
            for n in (9, 8)
        )
        monkeypatch.setattr(
            torch._module, "__version__", torch.torch_version.TorchVersion("2.12.1")
        )
        with pytest.raises(RuntimeError, match="unevenly, in another way than torch"):
            shards.parts_of(uneven)
        assert shards.parts_of(even)
        monkeypatch.undo()


def test_a_tensor_without_axes():
    for mesh in models.ranks_of_mesh((2,)):
        tensor = tensor_module.distribute_tensor(
            torch.zeros(()), mesh, [placement("replicate", 0)], src_data_rank=None
        )
        fill(shards.parts_of(tensor), "normal", "w")
        assert torch.equal(tensor.to_local(), whole_of("normal", ()))


def test_a_rank_outside_of_the_mesh_holds_nothing():
    with models.rank_of(3, 4):
        mesh = tensor_module.DeviceMesh("cpu", [0, 1])
        tensor = tensor_module.distribute_tensor(
            torch.zeros(4, 4), mesh, [placement("shard", 0)], src_data_rank=None
        )
        assert shards.parts_of(tensor) == []


def test_an_empty_shard_may_have_any_shape():
    for rank, mesh in enumerate(models.ranks_of_mesh((4,))):
        local = torch.zeros(1, 5) if rank < 3 else torch.zeros(0)
        tensor = tensor_module.DTensor.from_local(
            local,
            mesh,
            [placement("shard", 0)],
            run_check=False,
            shape=torch.Size((3, 5)),
            stride=(5, 1),
        )
        assert len(shards.parts_of(tensor)) == (1 if rank < 3 else 0)


def test_a_huge_strided_table_is_placed_without_listing_its_rows():
    """torch lists every index of the axis, which for these tables would take 32 GB."""
    rows = 2**32
    for mesh in models.ranks_of_mesh((2, 2)):
        local = torch.empty(rows // 4, 8, device="meta")
        chosen = [placement("strided", 0, 2), placement("shard", 0)]
        tensor = tensor_module.DTensor.from_local(
            local, mesh, chosen, run_check=False, shape=torch.Size((rows, 8)), stride=(8, 1)
        )
        across, along = mesh.get_coordinate()
        (piece,) = shards.parts_of(tensor)
        first = along * rows // 2 + across * rows // 4
        assert piece.whole == (rows, 8)
        assert piece.index == (slice(first, first + rows // 4), slice(0, 8))
        fill([piece], "normal", "w")  # leaves a meta tensor as it is


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_memory_can_be_resized_afterwards(name):
    """FSDP frees and restores parameters so; ``tensor.numpy()`` would forbid it for good."""
    tensor = torch.empty(6, 4, dtype=getattr(torch, name))
    fill([tensor], "normal", "w")
    fill([tensors.Part(tensor[1:3], (6, 4), (slice(1, 3), slice(0, 4)))], "normal", "w")
    fill([tensors.Range(tensor.view(-1)[3:7], (6, 4), 3)], "orthogonal", "w")
    tensor.untyped_storage().resize_(0)
    tensor.untyped_storage().resize_(24 * tensor.itemsize)
    fill([tensor], "normal", "w")
    expected = wi.normal((6, 4), rng=KEY, stream="w")
    assert torch.equal(tensor, torch.from_numpy(expected).to(tensor.dtype))


def test_autograd_records_nothing_and_the_memory_is_the_parameters_own():
    for mesh in models.ranks_of_mesh((2,)):
        parameter = torch.nn.Parameter(
            tensor_module.distribute_tensor(
                torch.zeros(6, 4), mesh, [placement("shard", 0)], src_data_rank=None
            )
        )
        pieces = shards.parts_of(parameter)
        assert not any(piece.tensor.requires_grad for piece in pieces)
        fill(pieces, "normal", "w")
        assert parameter.requires_grad
        assert parameter.is_leaf
        assert parameter.grad_fn is None
        lo, hi = (0, 3) if mesh.get_local_rank() == 0 else (3, 6)
        assert torch.equal(parameter.detach().to_local(), whole_of("normal", (6, 4))[lo:hi])
        copy = tensor_module.distribute_tensor(
            torch.zeros(6, 4), mesh, [placement("replicate", 0)], src_data_rank=None
        )
        copy._local_tensor.requires_grad_()  # as FullyShardedDataParallel does to those it flattens
        (piece,) = shards.parts_of(copy)
        assert type(piece) is torch.Tensor
        assert not piece.requires_grad


@pytest.mark.filterwarnings("ignore:DTensor random operators:UserWarning")
def test_numbered_draws_agree_where_a_rank_holds_nothing():
    """The last of four ranks has none of three elements, and counts the draw nevertheless."""
    second = torch.from_numpy(wi.normal((4, 2), rng=KEY, stream=1))
    for rank, mesh in enumerate(models.ranks_of_mesh((4,))):
        whole = [torch.zeros(3), torch.zeros(4, 2)]
        a, b = (
            tensor_module.distribute_tensor(t, mesh, [placement("shard", 0)], src_data_rank=None)
            for t in whole
        )
        with adapter.fast_init(KEY):
            a.uniform_()
            b.normal_()
        assert a.to_local().numel() == (0 if rank == 3 else 1)
        assert torch.equal(b.to_local(), second[rank : rank + 1])
        a.to_local().zero_()
        with adapter.fast_init(KEY):
            torch.nn.init.uniform_(a)
            torch.nn.init.normal_(b.zero_())
        assert torch.equal(b.to_local(), second[rank : rank + 1])


def test_an_uneven_table_is_materialized():
    """Its memory must be known as that of a parameter: see the test of its rows further down."""
    whole = whole_of("normal", (27, 2), "emb.weight")
    for mesh in models.ranks_of_mesh((3, 4), ("dp", "tp")):
        with torch.device("meta"):
            model = models.FeedForward()
            model.emb = torch.nn.Embedding(27, 2)
        parallelised(model, mesh)
        adapter.materialize(model, {"*": "normal"}, rng=KEY)
        if tuple(mesh.get_coordinate()) == (2, 2):
            assert torch.equal(model.emb.weight.detach().to_local(), whole[20:21])


# Refusals -----------------------------------------------------------------------------------------


def test_partial_sums_are_refused():
    for mesh in models.ranks_of_mesh((2, 2)):
        tensor = tensor_module.DTensor.from_local(
            torch.zeros(4, 4), mesh, [placement("shard", 0), tensor_module.Partial()]
        )
        with pytest.raises(ValueError, match=r"partial sums.*redistribute"):
            shards.parts_of(tensor)


def test_an_unknown_placement_is_refused_with_the_version_of_torch():
    class Diagonal(tensor_module.Shard):
        pass

    for mesh in models.ranks_of_mesh((2,)):
        tensor = tensor_module.DTensor.from_local(torch.zeros(2, 4), mesh, [Diagonal(0)])
        with pytest.raises(RuntimeError, match=r"does not know.*of torch \d"):
            shards.parts_of(tensor)


def test_a_local_tensor_of_another_shape_is_refused():
    """A DTensor of shards that torch would not cut: 3 and 1 rows of 4."""
    for rank, mesh in enumerate(models.ranks_of_mesh((2,))):
        tensor = tensor_module.DTensor.from_local(
            torch.zeros((3, 1)[rank], 2),
            mesh,
            [placement("shard", 0)],
            run_check=False,
            shape=torch.Size((4, 2)),
            stride=(2, 1),
        )
        with pytest.raises(ValueError, match=r"cannot tell which elements.*distribute_tensor"):
            shards.parts_of(tensor)


# Shards that are listed ---------------------------------------------------------------------------


def test_a_part_is_given_by_offsets_and_the_shape_of_what_holds_it():
    held = torch.empty(4, 3)
    part = shards.part_at(held, torch.Size((20, 9)), [5, 6])
    assert part.tensor is held
    assert part[1:] == ((20, 9), (slice(5, 9), slice(6, 9)))
    fill([part], "normal", "w")
    assert torch.equal(held, whole_of("normal", (20, 9))[5:9, 6:9])


def test_sharded_tensors():
    """torchrec's state lists its tables so."""
    sharded = Framework("torch.distributed._shard.sharded_tensor")
    metadata = Framework("torch.distributed._shard.metadata")
    sharded.load()
    metadata.load()
    whole = whole_of("normal", (7, 6))
    boxes = [[[0, 0], [4, 6]], [[4, 0], [3, 2]], [[4, 2], [3, 4]]]
    placed = [
        metadata.ShardMetadata(*box, f"rank:{rank}/cpu")
        for box, rank in zip(boxes, (0, 1, 1), strict=True)
    ]
    for rank in range(3):
        with models.rank_of(rank, 3):
            local = [
                sharded.Shard(torch.zeros(one.shard_sizes), one)
                for one in placed
                if one.placement.rank() == rank
            ]
            table = sharded.ShardedTensor._init_from_local_shards_and_global_metadata(
                local,
                sharded.ShardedTensorMetadata(
                    placed,
                    torch.Size((7, 6)),
                    sharded.metadata.TensorProperties(dtype=torch.float32),
                ),
            )
            pieces = shards.parts_of(table)
            assert len(pieces) == (1, 2, 0)[rank]
            fill(pieces, "normal", "w")
            for shard in local:
                (top, left), (height, width) = shard.metadata.shard_offsets, shard.tensor.shape
                expected = whole[top : top + height, left : left + width]
                assert torch.equal(shard.tensor, expected)


def test_dtensors_of_several_shards():
    """torchrec makes them of the shards by columns that one rank holds."""
    wrapper = Framework("torch.distributed.tensor._shards_wrapper")
    wrapper.load()
    whole = whole_of("normal", (5, 8))
    for rank, mesh in enumerate(models.ranks_of_mesh((2,))):
        local = [torch.zeros(5, 2), torch.zeros(5, 2)]
        offsets = [(0, 2 * rank), (0, 4 + 2 * rank)]
        tensor = tensor_module.DTensor.from_local(
            wrapper.LocalShardsWrapper(local, offsets),
            mesh,
            [placement("shard", 1)],
            run_check=False,
            shape=torch.Size((5, 8)),
            stride=(8, 1),
        )
        fill(shards.parts_of(tensor), "normal", "w")
        for held, (_, left) in zip(local, offsets, strict=True):
            assert torch.equal(held, whole[:, left : left + 2])


# Models -------------------------------------------------------------------------------------------


PLAN = {"emb": "rows", "up": "columns", "down": "rows"}


def parallelised(model, mesh, sharded=True):
    """Shard a model as torchtitan does: tensor parallelism first, then fully_shard."""
    plan = {
        name: parallel.ColwiseParallel() if style == "columns" else parallel.RowwiseParallel()
        for name, style in PLAN.items()
    }
    parallel.parallelize_module(model, mesh["tp"], plan, src_data_rank=None)
    if sharded:
        names = tuple(name for name in mesh.mesh_dim_names if name != "tp")
        fsdp.fully_shard(model, mesh=mesh[names])
    return model


def check_parameters(model, wholes):
    """Set the parameters that a rank holds to zero, then to the right parts of what they were."""
    for name, parameter in model.named_parameters():
        local = parameter.detach().to_local()
        expected = local.clone()
        local.zero_()
        for piece in shards.parts_of(parameter):
            copy_into(piece, wholes[name])
        assert torch.equal(local, expected)


def copy_into(piece, whole):
    with torch.no_grad():
        if isinstance(piece, tensors.Part):
            piece.tensor.copy_(whole[piece.index])
        elif isinstance(piece, tensors.Range):
            stop = piece.first + piece.tensor.numel()
            piece.tensor.copy_(whole.flatten()[piece.first : stop])
        else:
            piece.copy_(whole)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (2, 4), (4, 3)])
def test_tensor_parallelism_and_fully_shard(shape):
    for mesh in models.ranks_of_mesh(shape, ("dp", "tp")):
        model = models.FeedForward()
        wholes = models.number(model)
        parallelised(model, mesh)
        if shape[1] > 1:
            assert "_StridedShard" in str(model.up.weight.placements)
        check_parameters(model, wholes)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 40), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_uneven_tables_of_fully_shard(across, along, rows, columns):
    """fully_shard cuts what tensor parallelism has left, though its placements say otherwise."""
    for mesh in models.ranks_of_mesh((across, along), ("dp", "tp")):
        model = models.FeedForward()
        model.emb = torch.nn.Embedding(rows, columns)
        wholes = models.number(model)
        check_parameters(parallelised(model, mesh), wholes)


def test_uneven_cuts_from_the_right_that_look_like_cuts_from_the_left():
    """Of 27 rows on a mesh of 3 and 4, rank (2, 2) holds row 20, or row 26 by its placements."""
    for mesh in models.ranks_of_mesh((3, 4), ("dp", "tp")):
        model = models.FeedForward()
        model.emb = torch.nn.Embedding(27, 2)
        wholes = models.number(model)
        check_parameters(parallelised(model, mesh), wholes)
        if tuple(mesh.get_coordinate()) == (2, 2):
            assert shards.parts_of(model.emb.weight)[0].index[0] == slice(20, 21)
            with pytest.raises(ValueError, match="in two ways: pass the parameter itself"):
                shards.parts_of(model.emb.weight.detach())
        else:
            assert len(pieces_of(model.emb.weight.detach())) == 1


def test_replicated_groups():
    for mesh in models.ranks_of_mesh((2, 2, 2), ("copies", "dp", "tp")):
        model = models.FeedForward()
        wholes = models.number(model)
        parallelised(model, mesh)
        assert len(model.up.weight.placements) == 3
        check_parameters(model, wholes)


@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (1, 2)])
def test_fully_shard_of_columns(shape):
    """fully_shard takes another axis than the first where it divides evenly."""

    def columns(parameter):
        return tensor_module.Shard(1) if parameter.shape == (6, 12) else None

    for mesh in models.ranks_of_mesh(shape, ("dp", "tp")):
        model = torch.nn.Sequential(torch.nn.Linear(12, 6))
        wholes = models.number(model)
        parallel.parallelize_module(
            model, mesh["tp"], {"0": parallel.RowwiseParallel()}, src_data_rank=None
        )
        fsdp.fully_shard(model, mesh=mesh["dp"], shard_placement_fn=columns)
        assert model[0].weight.placements[0].dim == 1
        check_parameters(model, wholes)


@pytest.mark.parametrize("world", [1, 2, 3, 8, 13])
def test_fully_shard_of_each_layer(world):
    for mesh in models.ranks_of_mesh((world,), ("dp",)):
        model = models.FeedForward()
        wholes = models.number(model)
        for layer in (model.up, model.down):
            fsdp.fully_shard(layer, mesh=mesh)
        fsdp.fully_shard(model, mesh=mesh)
        check_parameters(model, wholes)
        assert shards.flat_parts(model) == {}


def test_the_version_of_a_dtensor_counts_one_draw():
    for mesh in models.ranks_of_mesh((2,), ("dp",)):
        model = fsdp.fully_shard(models.FeedForward(), mesh=mesh)
        before = [parameter._version for parameter in model.parameters()]
        adapter.initialize(model, {"*": "normal"}, rng=KEY)
        assert [parameter._version for parameter in model.parameters()] == [v + 1 for v in before]


def test_gathered_parameters_of_fully_shard_are_refused():
    for mesh in models.ranks_of_mesh((2,), ("dp",)):
        model = torch.nn.Sequential(models.FeedForward())
        fsdp.fully_shard(model[0], mesh=mesh)
        model[0].unshard()
        with pytest.raises(ValueError, match=r"module '0' are gathered.*reshard\(\) first"):
            shards.flat_parts(model)
        model[0].reshard()
        assert shards.flat_parts(model) == {}


# Flat parameters ----------------------------------------------------------------------------------


def wrapped(module, **options):
    """Wrap by FullyShardedDataParallel, which warns of what does not matter here."""
    return fsdp.FullyShardedDataParallel(module, device_id=torch.device("cpu"), **options)


def check_flat(model, wholes, padding):
    """Set all flat parameters to `padding`, write the pieces, and compare with what was there."""
    handles = [
        module._handle
        for module in model.modules()
        if isinstance(module, fsdp.FullyShardedDataParallel)
    ]
    flats = [handle.flat_param.detach() for handle in handles]
    before = [flat.clone() for flat in flats]
    for flat in flats:
        flat.fill_(padding)
    pieces = shards.flat_parts(model)
    assert list(pieces) == list(shards.flat_tensors(model))
    assert set(pieces) == set(wholes)
    for name, tensor in shards.flat_tensors(model).items():
        assert tensor.whole == wholes[name].shape
        for piece in tensor.pieces:
            copy_into(piece, wholes[name])
    for flat, old in zip(flats, before, strict=True):
        own = old >= 1000  # `number` begins there; padding is 0 or 42
        assert torch.equal(flat[own], old[own])
        assert (flat[~own] == padding).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("world", [1, 2, 3, 5, 8, 64])
@pytest.mark.parametrize("strategy", ["FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD"])
@pytest.mark.parametrize("originals", [True, False])
def test_flat_parameters(world, strategy, originals):
    options = {
        "use_orig_params": originals,
        "sharding_strategy": getattr(fsdp.ShardingStrategy, strategy),
    }
    for rank in range(world):
        with models.rank_of(rank, world):
            model = models.Mixed()
            wholes = models.number(model)
            model.block = wrapped(model.block, **options)
            model = wrapped(model, **options)
            check_flat(model, wholes, -1.0)


@pytest.mark.filterwarnings("ignore")
def test_flat_parameters_of_replicated_groups():
    hybrid = fsdp.ShardingStrategy.HYBRID_SHARD
    for mesh in models.ranks_of_mesh((2, 3), ("copies", "dp")):
        model = models.Mixed()
        wholes = models.number(model)
        model = wrapped(model, device_mesh=mesh, sharding_strategy=hybrid, use_orig_params=True)
        check_flat(model, wholes, -1.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("originals", [True, False])
def test_flat_parameters_after_a_step(originals):
    """The first forward pass moves the shard of a flat parameter into an attribute of its own."""
    for rank in range(2):
        with models.rank_of(rank, 2):
            model = models.FeedForward()
            wholes = models.number(model)
            model = wrapped(model, use_orig_params=originals)
            model(torch.zeros(1, dtype=torch.int64)).sum().backward()
            assert model._handle.flat_param._local_shard is not model._handle.flat_param
            check_flat(model, wholes, -1.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("originals", [True, False])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 4)])
def test_flat_parameters_of_tensor_parallelism(shape, originals):
    for mesh in models.ranks_of_mesh(shape, ("dp", "tp")):
        model = models.FeedForward()
        wholes = models.number(model)
        parallelised(model, mesh, sharded=False)
        model = wrapped(model, device_mesh=mesh["dp"], use_orig_params=originals)
        check_flat(model, wholes, -1.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", ["normal", "orthogonal", "sparse(sparsity=0.5)", "he_uniform"])
def test_rules_fill_flat_parameters(rule):
    whole = whole_of(rule, (14, 6), "up.weight")
    for rank in range(3):
        with models.rank_of(rank, 3):
            model = wrapped(models.FeedForward(), use_orig_params=True)
            pieces = shards.flat_parts(model)["up.weight"]
            fill(pieces, rule, "up.weight")
            for piece in pieces:
                run = whole.flatten()[piece.first : piece.first + piece.tensor.numel()]
                assert torch.equal(piece.tensor, run)


@pytest.mark.filterwarnings("ignore")
def test_a_module_within_the_wrapper_is_refused():
    with models.rank_of(0, 2):
        model = wrapped(models.FeedForward(), use_orig_params=True)
        inner = model.module
        assert shards.flat_parts(inner) == {}
        with pytest.raises(ValueError, match=r"flattened by FullyShardedDataParallel.*wrapped"):
            shards.parts_of(inner.up.weight)


@pytest.mark.filterwarnings("ignore")
def test_flat_parameters_with_gaps_are_refused():
    """FullyShardedDataParallel takes the next elements in memory for those of the tensor."""
    with models.rank_of(0, 2):
        model = torch.nn.Sequential(torch.nn.Linear(3, 4, bias=False), torch.nn.Linear(20, 20))
        model[0].weight = torch.nn.Parameter(torch.zeros(8, 6)[:4, ::2])
        model = wrapped(model, use_orig_params=True)
        with pytest.raises(ValueError, match="leaves gaps in memory"):
            shards.flat_parts(model)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("originals", [True, False])
def test_gathered_flat_parameters_are_given_whole(originals):
    with models.rank_of(1, 2):
        model = wrapped(models.FeedForward(), use_orig_params=originals)
        names = list(shards.flat_parts(model))
        with fsdp.FullyShardedDataParallel.summon_full_params(model):
            pieces = shards.flat_parts(model)
            assert list(pieces) == names
            fill(pieces["up.weight"], "normal", "up.weight")
            assert torch.equal(model.up.weight, whole_of("normal", (14, 6), "up.weight"))
        (piece,) = shards.flat_parts(model)["up.bias"]
        assert isinstance(piece, tensors.Range)


@pytest.mark.filterwarnings("ignore")
def test_parameters_that_a_forward_pass_left_behind_are_refused():
    with models.rank_of(1, 2):
        model = wrapped(models.FeedForward(), use_orig_params=True)
        with torch.no_grad():
            model(torch.zeros(1, dtype=torch.int64))
        with pytest.raises(ValueError, match="before its first forward pass, or under"):
            shards.flat_parts(model)
        with fsdp.FullyShardedDataParallel.summon_full_params(model):
            assert len(shards.flat_parts(model)) == 7


# Other versions of torch --------------------------------------------------------------------------


def test_unknown_states_of_fully_shard_are_refused_with_the_version_of_torch(monkeypatch):
    for mesh in models.ranks_of_mesh((1,), ("dp",)):
        model = fsdp.fully_shard(models.FeedForward(), mesh=mesh)
        monkeypatch.setattr(type(model), "_get_fsdp_state", lambda self: object())
        with pytest.raises(RuntimeError, match=r"cannot read whether fully_shard .* in torch \d"):
            shards.flat_parts(model)


@pytest.mark.filterwarnings("ignore")
def test_unknown_flat_parameters_are_refused_with_the_version_of_torch():
    with models.rank_of(0, 2):
        model = wrapped(models.FeedForward(), use_orig_params=True)
        del model._handle.flat_param._shard_param_infos
        with pytest.raises(RuntimeError, match=r"cannot read the flat parameters .* in torch \d"):
            shards.flat_parts(model)


# Names --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_names_are_those_of_the_model_without_wrappers():
    checkpoint = Framework("torch.distributed.algorithms._checkpoint.checkpoint_wrapper")
    checkpoint.load()
    names = [name for name, _ in models.FeedForward().named_parameters()]

    def clean(model):
        return [shards.clean_name(name, model) for name, _ in model.named_parameters()]

    with models.rank_of(0, 2):
        model = models.FeedForward()
        model.up = checkpoint.checkpoint_wrapper(model.up)
        model.down = torch.compile(model.down)
        assert clean(model) == names
        assert clean(torch.compile(model)) == names
        assert clean(torch.nn.DataParallel(model)) == names
        replicas = torch.nn.parallel.DistributedDataParallel(model)
        assert clean(replicas) == names
        assert clean(torch.compile(replicas)) == names
        assert clean(torch.nn.ModuleDict({"net": replicas})) == [f"net.{name}" for name in names]
        model.down = wrapped(model.down, use_orig_params=True)
        assert clean(model) == names
        assert clean(wrapped(model, use_orig_params=True)) == names


def test_a_child_that_is_called_module_keeps_its_name():
    inner = torch.nn.ModuleDict({"module": torch.nn.Linear(2, 2)})
    model = torch.nn.DataParallel(inner)
    names = [name for name, _ in model.named_parameters()]
    assert names[0] == "module.module.weight"
    assert shards.clean_name(names[0], model) == "module.weight"
    assert shards.clean_name("module.weight", inner) == "module.weight"
    assert shards.clean_name("module.module.weight") == "module.module.weight"


@pytest.mark.process
def test_nothing_distributed_is_imported():
    script = """
import sys
import torch
before = set(sys.modules)
from weightinit_fast.torch import shards
model = torch.nn.Linear(2, 3)
assert shards.flat_parts(model) == {}
assert [len(shards.parts_of(p)) for p in model.parameters()] == [1, 1]
print(sorted(n for n in set(sys.modules) - before if n.startswith("torch.distributed")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
