"""Worker processes and process groups beside fast_init: one case; prints "as ever" at the end.

Usage: python fast_init_processes.py fork|spawn|ddp|dtensor
"""

import os
import sys
import tempfile
import traceback
import warnings

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset

import weightinit_fast as wi

KEY = wi.Key(14, 2)


class Noisy(Dataset):
    """Items that are drawn in the worker."""

    def __len__(self):
        return 8

    def __getitem__(self, number):
        drawn = torch.empty(3).normal_()  # in place, by torch's generator of the worker
        return torch.cat([torch.randn(2), drawn, nn.init.normal_(torch.empty(2))])


def loaded(method):
    loader = DataLoader(
        Noisy(),
        batch_size=2,
        num_workers=2,
        multiprocessing_context=method,
        generator=torch.Generator().manual_seed(5),
    )
    return torch.cat(list(loader))


def workers(method):
    """The items of a DataLoader do not depend on the block in which it runs."""
    wanted = loaded(method)
    with wi.torch.fast_init(KEY):
        before = torch.empty(4).normal_()
        found = loaded(method)
        after = torch.empty(4).normal_()
    assert torch.equal(wanted, found)
    assert len(set(wanted[:, 3].tolist())) == len(wanted)
    for number, tensor in enumerate((before, after)):
        same = torch.from_numpy(wi.normal(4, rng=KEY, stream=number))
        assert torch.equal(tensor, same)


def group(rank, count, name, work):
    dist.init_process_group("gloo", init_method=f"file://{name}", rank=rank, world_size=count)
    try:
        work(rank, count)
    finally:
        dist.destroy_process_group()


def forked(count, work):
    """Run a function in that many processes."""
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(count):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    torch.manual_seed(0)
                    group(rank, count, os.path.join(folder, "store"), work)
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(status)
            children.append(child)
        statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0] * count, statuses


def train(rank, count):
    """DistributedDataParallel of a model that was built in a block, and wrapped in it."""
    with wi.torch.fast_init(KEY):
        model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2))
        wrapped = nn.parallel.DistributedDataParallel(model)
        wrapped(torch.full((3, 5), float(rank + 1))).sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    for gradient in gradients:
        others = [torch.empty_like(gradient) for _ in range(count)]
        dist.all_gather(others, gradient)
        assert all(torch.equal(other, gradient) for other in others)
    weight = model[0].weight.detach()
    bound = 1 / 5**0.5
    same = torch.from_numpy(wi.uniform((7, 5), low=-bound, high=bound, rng=KEY, stream=0))
    assert torch.allclose(weight, same, rtol=1e-6, atol=0)


def shard(rank, count):
    """Each process draws its part of a DTensor, with the values of the whole, by every way."""
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor  # noqa: PLC0415

    warnings.filterwarnings("ignore", "DTensor random operators", UserWarning)
    mesh = init_device_mesh("cpu", (count,))
    for placement in (Shard(0), Shard(1), Replicate()):
        model = nn.Module()
        model.w = nn.Parameter(distribute_tensor(torch.zeros(7, 9), mesh, [placement]))
        other = distribute_tensor(torch.zeros(7, 9), mesh, [placement])
        with wi.torch.fast_init(KEY, model=model):
            nn.init.normal_(model.w, 0.5, 2)
            check(model.w, "normal", "w", mean=0.5, std=2)
            with torch.no_grad():
                model.w.uniform_(-1, 2)
            check(model.w, "uniform", "w", low=-1, high=2)
            nn.init.trunc_normal_(model.w)
            check(model.w, "truncated_normal", "w")
            version = other._version
            other.normal_()
            assert other._version == version + 1
            check(other, "normal", 0)
            nn.init.kaiming_uniform_(other, a=1)
            check(other, "uniform", 1, low=-((3 / 9) ** 0.5), high=(3 / 9) ** 0.5)


def check(tensor, rule, stream, **own):
    same = torch.from_numpy(getattr(wi, rule)((7, 9), rng=KEY, stream=stream, **own))
    assert torch.allclose(tensor.full_tensor(), same, rtol=1e-6, atol=0), (rule, stream)


if __name__ == "__main__":
    case = sys.argv[1]
    wi.torch.fast_init  # noqa: B018  it is imported before the processes are forked
    if case in ("fork", "spawn"):
        workers(case)
    elif case == "ddp":
        for size in (1, 2):
            forked(size, train)
    else:
        for size in (1, 2, 3):
            forked(size, shard)
    print("as ever")
