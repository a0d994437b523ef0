"""The depth study's networks in torch, and what the tests of signal share."""

import pytest
from support.frameworks import Framework

import weightinit_fast as wi

torch = Framework("torch")
adapter = Framework("weightinit_fast.torch")

#: Seeds of the networks and of the samples are names of streams under this key.
KEY = 0


@pytest.fixture(autouse=True)
def one_thread():
    """Let torch compute on one thread: for networks as small as these, more take longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def net(depth, width, activation, rule):
    """Return a network whose biases are zeros."""
    nn = torch.nn
    activation = getattr(nn, activation)
    layers = [m for _ in range(depth) for m in (nn.Linear(width, width), activation())]
    module = nn.Sequential(*layers)
    # A PReLU keeps its slope.
    tensors = {f"{n}.weight": layer.weight.detach() for n, layer in enumerate(module[::2])}
    wi.Recipe({"*": rule}).fill(tensors, rng=KEY)
    for layer in module[::2]:
        nn.init.zeros_(layer.bias)
    return module


def normals(*shape, stream="sample"):
    """Return a sample of standard normals."""
    return torch.from_numpy(wi.normal(shape, rng=KEY, stream=stream))


def ids(*shape, high):
    """Return the ids of tokens."""
    drawn = wi.uniform(shape, low=0, high=high, rng=KEY, stream="ids")
    return torch.from_numpy(drawn).long().clamp(max=high - 1)


def kinds(report):
    """Return what looks wrong, in one word each."""
    return [finding.kind for finding in report.wrong]


def row_of(report, name):
    """Return the row of a layer."""
    (row,) = (row for row in report.rows if row.name == name)
    return row
