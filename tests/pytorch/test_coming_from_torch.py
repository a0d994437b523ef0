"""docs/coming-from.md, torch: both columns of every row are run, and each difference is shown."""

import numpy as np
import pytest
from signal_nets import adapter, torch
from support.coming_from import Keyed, assert_same_law, draw_here, shape_of, tables

import weightinit_fast as wi

CALLS, SUBJECTS = tables("torch")


def run(theirs, init, shape):
    tensor = torch.empty(shape)
    with torch.no_grad():
        eval(theirs, {"init": init, "w": tensor})
    return tensor.numpy()


@pytest.mark.parametrize(("theirs", "ours"), CALLS)
def test_both_columns(theirs, ours):
    torch.manual_seed(1)
    here = draw_here(ours)
    assert_same_law(run(theirs, torch.nn.init, shape_of(ours)), here, ours)
    adapted = run(theirs, Keyed(adapter.init, rng=0), shape_of(ours))
    np.testing.assert_array_equal(adapted, here)


def seed():
    for init in (torch.nn.init, adapter.init):
        torch.manual_seed(0)
        first = init.normal_(torch.empty(99)), init.normal_(torch.empty(99))
        assert not (first[0] == first[1]).all()
        torch.manual_seed(0)
        again = init.normal_(torch.empty(99)), init.normal_(torch.empty(99))
        assert all((a == b).all() for a, b in zip(first, again, strict=True))


def generator():
    for draw in (
        lambda g: adapter.init.normal_(torch.empty(99), generator=g).numpy(),
        lambda g: wi.normal(99, rng=g),
    ):
        one = torch.Generator().manual_seed(3)
        first, second = draw(one), draw(one)
        assert not (first == second).all()
        assert (first == draw(torch.Generator().manual_seed(3))).all()


def order():
    def theirs(names):
        torch.manual_seed(0)
        return {name: torch.nn.init.normal_(torch.empty(99)) for name in names}

    def ours(names):
        return {name: wi.normal(99, rng=0, stream=name) for name in names}

    assert not (theirs("ab")["a"] == theirs("ba")["a"]).all()
    assert (ours("ab")["a"] == ours("ba")["a"]).all()


def bits():
    torch.manual_seed(0)
    theirs = torch.nn.init.normal_(torch.empty(10**5)).numpy()
    assert (theirs == wi.normal(10**5, rng=0)).mean() < 1e-3
    matrix, kernel = torch.empty(7, 5), torch.empty(6, 4, 3)
    assert (torch.nn.init.constant_(matrix, 0.1).numpy() == wi.constant((7, 5), value=0.1)).all()
    assert (torch.nn.init.eye_(matrix).numpy() == wi.identity((7, 5))).all()
    assert (torch.nn.init.dirac_(kernel, 2).numpy() == wi.dirac((6, 4, 3), groups=2)).all()


def gain():
    for name, param in (("linear", None), ("conv2d", None), ("sigmoid", None), ("tanh", None),
                        ("relu", None), ("leaky_relu", 0.3), ("selu", None)):  # fmt: skip
        assert wi.gain(name, param) == torch.nn.init.calculate_gain(name, param)
    with pytest.raises(ValueError, match="gelu"):
        torch.nn.init.calculate_gain("gelu")
    assert wi.gain("gelu") > 1


def layout():
    assert tuple(torch.nn.Linear(5, 7).weight.shape) == (7, 5)
    assert tuple(torch.nn.Conv2d(5, 7, (2, 3)).weight.shape) == (7, 5, 2, 3)
    assert wi.fans((7, 5, 2, 3)) == wi.fans((7, 5, 2, 3), layout="OIHW") == (30, 42)


def fans():
    weight = torch.nn.Conv2d(8, 12, 3, groups=4).weight
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(weight)
    assert theirs == (weight.shape[1] * 9, weight.shape[0] * 9) == wi.fans(tuple(weight.shape))
    assert wi.fans(tuple(weight.shape), groups=4) == (18, 27)


def vectors():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        torch.nn.init.xavier_uniform_(torch.empty(5))
    with pytest.raises(ValueError, match="fewer than two axes"):
        wi.xavier_uniform(5)
    assert abs(wi.xavier_uniform(5, fans=(3, 3))).max() < 1


def memory_format():
    def both(fill):
        plain, transposed = torch.empty(40, 60), torch.empty(60, 40).T
        fill(plain), fill(transposed)
        return bool((plain == transposed).all())

    def theirs(tensor):
        torch.manual_seed(0)
        torch.nn.init.normal_(tensor)

    assert not both(theirs)
    assert both(lambda tensor: adapter.init.normal_(tensor, rng=0))
    assert both(lambda tensor: wi.normal(out=tensor, rng=0))


def narrow():
    torch.manual_seed(0)
    theirs = torch.empty(10**5, dtype=torch.bfloat16).uniform_(-0.1, 0.1)
    assert (theirs.double() < -0.1).any()
    tensor = torch.empty(10**5, dtype=torch.bfloat16)
    adapter.init.uniform_(tensor, -0.1, 0.1, rng=0)
    assert not (tensor.double() < -0.1).any()
    assert not (tensor.double() >= 0.1).any()
    adapter.init.normal_(tensor, rng=0)
    assert (tensor == torch.from_numpy(wi.normal(10**5, rng=0)).bfloat16()).all()


def autograd():
    tensor = torch.empty(99)
    for fill, step in (
        (torch.nn.init.normal_, 1),
        (adapter.init.normal_, 1),
        (lambda tensor: wi.normal(out=tensor.detach()), 0),
        (torch.autograd.graph.increment_version, 1),
    ):
        before = tensor._version
        fill(tensor)
        assert tensor._version - before == step


CHECKS = {
    "seed": seed,
    "generator": generator,
    "order of calls": order,
    "bits": bits,
    "gain": gain,
    "layout": layout,
    "fans": fans,
    "vectors": vectors,
    "memory format": memory_format,
    "bfloat16": narrow,
    "autograd": autograd,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_different(subject):
    CHECKS[subject]()


def test_the_page_tells_everything_that_is_checked():
    assert list(CHECKS) == SUBJECTS
