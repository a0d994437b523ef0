"""Shard three tables by torchrec over two processes, and print which of them are right as JSON.

The tables are initialised by their ``init_fn``, which torchrec calls with the shards of a rank, and
once more through the ShardedTensors of the state.
"""

import json

import torch
import torch.distributed as dist
from forked import results_of
from torchrec import EmbeddingBagCollection, EmbeddingBagConfig
from torchrec.distributed import DistributedModelParallel
from torchrec.distributed.embeddingbag import EmbeddingBagCollectionSharder
from torchrec.distributed.sharding_plan import (
    column_wise,
    construct_module_sharding_plan,
    row_wise,
    table_wise,
)
from torchrec.distributed.types import ShardingPlan

import weightinit_fast as wi
from weightinit_fast.torch.shards import part_at, parts_of
from weightinit_fast.torch.tensors import fill

KEY = wi.Key(3, 4)
RULE = "uniform(low=-0.01, high=0.01)"
#: Table -> (rows, columns, how it is sharded).
TABLES = {
    "rows": (11, 8, row_wise()),
    "columns": (6, 16, column_wise(ranks=[0, 1, 0, 1])),
    "table": (5, 8, table_wise(rank=1)),
}


def init_fn_of(name, whole, shards):
    """Return the init_fn of a table: ``shards`` are the ShardMetadata of this rank's shards.

    torchrec passes one tensor, in which the shards of the rank follow one another by rows.
    """

    def init_fn(weight):
        rows = weight.detach().split([shard.shard_sizes[0] for shard in shards])
        pieces = [part_at(r, whole, s.shard_offsets) for r, s in zip(rows, shards, strict=True)]
        fill([(wi.initializer(RULE), piece, name) for piece in pieces], KEY)
        return weight

    return init_fn


def right(model):
    """Tell for each table whether every shard that this rank holds has the values of the whole."""
    found = {}
    for key, table in model.state_dict().items():
        name = key.split(".")[-2]
        whole = torch.from_numpy(wi.initializer(RULE)(tuple(table.size()), rng=KEY, stream=name))
        equal = []
        for shard in table.local_shards():
            (top, left), (height, width) = shard.metadata.shard_offsets, shard.metadata.shard_sizes
            expected = whole[top : top + height, left : left + width]
            equal.append(torch.equal(shard.tensor, expected))
        found[name] = equal
    return found


def work(world):
    bags = EmbeddingBagCollection(
        device=torch.device("meta"),
        tables=[
            EmbeddingBagConfig(
                name=name, num_embeddings=rows, embedding_dim=columns, feature_names=[f"f_{name}"]
            )
            for name, (rows, columns, _) in TABLES.items()
        ],
    )
    ways = {name: how for name, (_, _, how) in TABLES.items()}
    plan = construct_module_sharding_plan(
        bags, ways, local_size=world, world_size=world, device_type="cpu"
    )
    for config in bags.embedding_bag_configs():
        shards = plan[config.name].sharding_spec.shards
        mine = [shard for shard in shards if shard.placement.rank() == dist.get_rank()]
        whole = (config.num_embeddings, config.embedding_dim)
        config.init_fn = init_fn_of(config.name, whole, mine)
    model = DistributedModelParallel(
        torch.nn.Sequential(bags),
        device=torch.device("cpu"),
        plan=ShardingPlan({"0": plan}),
        sharders=[EmbeddingBagCollectionSharder()],
    )
    found = {"init_fn": right(model)}
    for table in model.state_dict().values():
        for piece in parts_of(table):
            piece.tensor.zero_()
    found["zeros"] = right(model)
    for key, table in model.state_dict().items():
        name = key.split(".")[-2]
        fill([(wi.initializer(RULE), piece, name) for piece in parts_of(table)], KEY)
    found["parts_of"] = right(model)
    return found


if __name__ == "__main__":
    print(json.dumps(results_of(2, work)))
