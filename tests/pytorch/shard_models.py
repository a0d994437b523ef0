"""Small models for the tests of shards, and what every rank of a fake group of processes holds.

torch must be importable: only tests that have loaded it import this module.
"""

import contextlib
from math import prod

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, debug
from torch.testing._internal.distributed.fake_pg import FakeStore


class Mixed(nn.Module):
    """Parameters of odd sizes, one that is tied and one that lies in memory channels last."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(7, 5)
        self.conv = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
        self.block = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 5, bias=False))
        self.head = nn.Linear(5, 7, bias=False)
        self.head.weight = self.emb.weight
        self.one = nn.Parameter(torch.ones(1))


class FeedForward(nn.Module):
    """What plans of tensor parallelism cut: columns, rows, and rows of a table of odd length."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.up = nn.Linear(6, 14)
        self.down = nn.Linear(14, 6)

    def forward(self, ids):
        return self.down(self.up(self.norm(self.emb(ids))))


def number(model):
    """Set the elements of all parameters to 1000, 1001, 1002 …; return copies by name."""
    wholes, first = {}, 1000
    for name, parameter in model.named_parameters():
        values = torch.arange(first, first + parameter.numel(), dtype=parameter.dtype)
        with torch.no_grad():
            parameter.copy_(values.reshape(parameter.shape))
        wholes[name] = parameter.detach().clone()
        first += parameter.numel()
    return wholes


@contextlib.contextmanager
def rank_of(number, count):
    """Be one rank of a group of processes that never communicates."""
    dist.init_process_group("fake", rank=number, world_size=count, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()
        # It holds the meshes of this rank, and would hand them to the tensors of the next one.
        if hasattr(debug, "_clear_sharding_prop_cache"):
            debug._clear_sharding_prop_cache()
        else:  # torch 2.9
            DTensor._op_dispatcher.sharding_propagator.propagate_op_sharding.cache.cache_clear()


def ranks_of_mesh(shape, names=None):
    """Be each rank of a mesh in turn; yield the mesh."""
    for rank in range(prod(shape)):
        with rank_of(rank, prod(shape)):
            yield init_device_mesh("cpu", shape, mesh_dim_names=names)
