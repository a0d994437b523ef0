"""Shard a small transformer over real processes in many ways, and print the digests as JSON.

Usage: python shard_processes.py WORLD...

For each number of processes, that many are forked, which communicate by gloo. Each prepares the
same model in every way that this number allows, and initialises it. Then torch gathers the whole
parameters. Their digest is printed under the name of the way: `{"4": {"with_both": "ab12…"}}`.
"""

import hashlib
import json
import sys
import tempfile

import torch
import torch.distributed as dist
from forked import results_of
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

import weightinit_fast as wi
from weightinit_fast.torch.shards import clean_name

KEY = wi.Key(20, 26)
#: Odd sizes: no number of processes but 1 divides the rows of the table.
WORDS, WIDTH, HEADS = 53, 24, 4
RECIPE = [
    ("*norm*.weight", "ones"),
    ("*.bias", "zeros"),
    ("*.out.weight", "orthogonal(gain=0.5)"),
    ("*.up.weight", "he_normal"),
    ("*.down.weight", "xavier_uniform"),
    ("*.value.weight", "sparse(sparsity=0.25)"),
    ("*", "truncated_normal(std=0.02)"),
]


class Block(nn.Module):
    """A layer of a transformer: attention, and two linear maps."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(3 * WIDTH, WIDTH)

    def forward(self, x):
        y = self.norm1(x)
        q, k, v = (f(y).unflatten(-1, (-1, WIDTH // HEADS)) for f in self.qkv())
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).flatten(-2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))

    def qkv(self):
        return self.query, self.key, self.value


class Transformer(nn.Module):
    """A small language model, which can reset itself as those of torchtitan do."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))  # of fewer elements than some ranks
        self.table = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, ids):
        x = self.table(ids) * (1 + self.scale.sum())
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def init_weights(self):
        nn.init.uniform_(self.scale)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()


NAMES = [name for name, _ in Transformer().named_parameters()]


def initialise(model):
    """Draw what this process holds of each parameter."""
    report = wi.torch.initialize(model, RECIPE, rng=KEY)
    assert sorted(row.name for row in report) == sorted(NAMES)


def digest(tensors):
    """Return the SHA-256 of tensors, by their names in order."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        sha.update(name.encode() + str(tuple(tensor.shape)).encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def expected():
    """Return the digest of what each initialiser makes in one call."""
    recipe = wi.Recipe(RECIPE)
    tensors = {
        name: torch.from_numpy(recipe.initializer_for(name)(tuple(p.shape), rng=KEY, stream=name))
        for name, p in Transformer().named_parameters()
    }
    return digest(tensors)


def gathered(model):
    """Return the whole parameters, as torch gathers them."""
    return {
        clean_name(name, model): p.full_tensor() if isinstance(p, DTensor) else p
        for name, p in model.named_parameters()
    }


# The ways -----------------------------------------------------------------------------------------


def plain(world):
    model = Transformer()
    initialise(model)
    return digest(gathered(model))


def replicated(world):
    model = nn.parallel.DistributedDataParallel(Transformer())
    initialise(model)
    return digest(gathered(model))


def sharded(model, mesh):
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def with_fully_shard(world):
    model = sharded(Transformer(), init_device_mesh("cpu", (world,)))
    initialise(model)
    return digest(gathered(model))


def tensor_parallel(model, mesh):
    """Cut the model as torchtitan cuts a Llama."""
    plan = {
        "table": RowwiseParallel(input_layouts=Replicate()),
        "head": ColwiseParallel(output_layouts=Replicate()),
    }
    for number in range(len(model.blocks)):
        plan |= {f"blocks.{number}.{name}": ColwiseParallel() for name in ("query", "key")}
        plan |= {f"blocks.{number}.{name}": ColwiseParallel() for name in ("value", "up")}
        plan |= {f"blocks.{number}.{name}": RowwiseParallel() for name in ("out", "down")}
    return parallelize_module(model, mesh, plan)


def with_tensor_parallelism(world):
    model = tensor_parallel(Transformer(), init_device_mesh("cpu", (world,)))
    initialise(model)
    return digest(gathered(model))


def with_both(world):
    mesh = init_device_mesh("cpu", (world // 2, 2), mesh_dim_names=("dp", "tp"))
    model = sharded(tensor_parallel(Transformer(), mesh["tp"]), mesh["dp"])
    initialise(model)
    assert "_StridedShard" in str(model.head.weight.placements)
    return digest(gathered(model))


def with_copies(world):
    names = ("copies", "dp", "tp")
    mesh = init_device_mesh("cpu", (2, world // 4, 2), mesh_dim_names=names)
    model = sharded(tensor_parallel(Transformer(), mesh["tp"]), mesh["copies", "dp"])
    initialise(model)
    assert len(model.head.weight.placements) == 3
    return digest(gathered(model))


def flat(world, *, originals):
    device = torch.device("cpu")
    model = Transformer()
    options = {"use_orig_params": originals, "device_id": device}
    model.blocks[0] = FullyShardedDataParallel(model.blocks[0], **options)
    model = FullyShardedDataParallel(model, **options)
    initialise(model)
    with FullyShardedDataParallel.summon_full_params(model):
        return digest({name: p.clone() for name, p in gathered(model).items()})


def flat_with_names(world):
    return flat(world, originals=True)


def flat_without_names(world):
    return flat(world, originals=False)


def on_columns(world):
    """Shard each matrix by its last axis: the tensors alone, without a model that is sharded."""
    mesh = init_device_mesh("cpu", (world,))
    model = Transformer()
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            made = distribute_tensor(parameter.detach(), mesh, [Shard(parameter.dim() - 1)])
            setattr(module, name, nn.Parameter(made))
    initialise(model)
    return digest(gathered(model))


def through_a_checkpoint(world):
    """Save from one layout and load into another one."""
    mesh = init_device_mesh("cpu", (world,))
    model, other = sharded(Transformer(), mesh), tensor_parallel(Transformer(), mesh)
    initialise(model)
    folder = [tempfile.mkdtemp() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(folder)
    checkpoint.save(model.state_dict(), checkpoint_id=folder[0])
    state = other.state_dict()
    checkpoint.load(state, checkpoint_id=folder[0])
    other.load_state_dict(state)
    return digest(gathered(other))


def trained(world):
    """Return the digest before a step of training that reads every parameter."""
    model = sharded(Transformer(), init_device_mesh("cpu", (world,)))
    initialise(model)
    found = digest(gathered(model))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    ids = torch.arange(12).reshape(2, 6)
    single = Transformer()
    initialise(single)
    loss = model(ids).logsumexp(-1).mean()
    torch.testing.assert_close(loss, single(ids).logsumexp(-1).mean())
    loss.backward()
    optimiser.step()
    return found


# The ways from the meta device --------------------------------------------------------------------


def on_meta(world):
    """Return a model that is cut as torchtitan cuts a Llama, of which nothing is real."""
    with torch.device("meta"):
        model = Transformer()
    if world % 2:
        return sharded(model, init_device_mesh("cpu", (world,)))
    mesh = init_device_mesh("cpu", (world // 2, 2), mesh_dim_names=("dp", "tp"))
    return sharded(tensor_parallel(model, mesh["tp"]), mesh["dp"])


def materialized(world):
    model = on_meta(world)
    report = wi.torch.materialize(model, RECIPE, rng=KEY)
    assert sorted(row.name for row in report) == sorted(NAMES)
    found = digest(gathered(model))
    single = Transformer()
    initialise(single)
    ids = torch.arange(12).reshape(2, 6)
    loss = model(ids).logsumexp(-1).mean()
    loss = loss.full_tensor() if isinstance(loss, DTensor) else loss
    torch.testing.assert_close(loss, single(ids).logsumexp(-1).mean())
    loss.backward()
    return found


def flat_from_meta(world):
    """Give memory to flat parameters, which FullyShardedDataParallel asks a function for."""
    with torch.device("meta"):
        model = Transformer()
    model = FullyShardedDataParallel(
        model,
        use_orig_params=True,
        device_id=torch.device("cpu"),
        param_init_fn=lambda module: module.to_empty(device="cpu", recurse=False),
    )
    initialise(model)
    with FullyShardedDataParallel.summon_full_params(model):
        return digest({name: p.clone() for name, p in gathered(model).items()})


def by_drop_ins(world):
    """Call the drop-ins for torch.nn.init with DTensors."""
    model = on_meta(world).to_empty(device="cpu")
    recipe = wi.Recipe(RECIPE)
    init = wi.torch.init
    calls = {
        "ones": init.ones_,
        "zeros": init.zeros_,
        "orthogonal": lambda p, **own: init.orthogonal_(p, 0.5, **own),
        "he_normal": lambda p, **own: init.kaiming_normal_(p, nonlinearity="relu", **own),
        "xavier_uniform": init.xavier_uniform_,
        "sparse": lambda p, **own: init.sparse_(p, 0.25, **own),
        "truncated_normal": lambda p, **own: init.trunc_normal_(p, 0, 0.02, -0.04, 0.04, **own),
    }
    for name, parameter in model.named_parameters():
        function = recipe.initializer_for(name).function.__name__
        own = {} if function in ("ones", "zeros") else {"rng": KEY, "stream": name}
        assert calls[function](parameter, **own) is parameter
    return digest(gathered(model))


def reset_by_itself(world, *, named):
    """Let the model's own code reset it within fast_init, as torchtitan does."""
    model = Transformer() if world == 1 else on_meta(world).to_empty(device="cpu")
    with torch.no_grad(), wi.torch.fast_init(KEY, model=model if named else None):
        model.init_weights()
    return digest(gathered(model))


def reset_by_name(world):
    return reset_by_itself(world, named=True)


def reset_by_number(world):
    return reset_by_itself(world, named=False)


#: Way -> whether it can be gone with a number of processes.
WAYS = {
    plain: lambda world: world == 1,
    replicated: lambda world: True,
    with_fully_shard: lambda world: True,
    with_tensor_parallelism: lambda world: True,
    with_both: lambda world: world % 2 == 0,
    with_copies: lambda world: world % 4 == 0,
    flat_with_names: lambda world: True,
    flat_without_names: lambda world: True,
    on_columns: lambda world: True,
    through_a_checkpoint: lambda world: world in (1, 3),
    trained: lambda world: world < 4,
    materialized: lambda world: True,
    flat_from_meta: lambda world: True,
    by_drop_ins: lambda world: True,
    reset_by_name: lambda world: True,
    reset_by_number: lambda world: True,
}


def work(world):
    """Go every way; return the digests."""
    return {way.__name__: way(world) for way, fits in WAYS.items() if fits(world)}


def main():
    torch.set_num_threads(1)  # for the processes that are forked
    results = {
        "expected": {
            "initialise": expected(),
            "reset_by_name": reset_by_name(1),
            "reset_by_number": reset_by_number(1),
        }
    }
    for argument in sys.argv[1:]:
        first, *others = results_of(int(argument), work)
        if any(other != first for other in others):
            raise SystemExit(f"{argument} processes do not agree: {[first, *others]}")
        results[argument] = first
    print(json.dumps(results))


if __name__ == "__main__":
    main()
