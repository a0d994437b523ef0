"""What programs do with the functions that fast_init replaces, and how they enter a block."""

import contextlib
import copy
import importlib
import inspect
import pickle

import pytest
from support.frameworks import Framework

import weightinit_fast as wi

torch = Framework("torch")
adapter = Framework("weightinit_fast.torch")


@pytest.fixture(name="init")
def torchs_init():
    """torch.nn.init itself, in which programs put functions of their own."""
    return importlib.import_module("torch.nn.init")


def keeping_model():
    """A layer that keeps the function by which it is initialised, as many libraries do."""
    layer = torch.nn.Linear(4, 3)
    layer.init_method = torch.nn.init.kaiming_uniform_
    return layer


# Functions that are kept --------------------------------------------------------------------------


def test_a_model_that_keeps_a_function_of_torch_is_pickled_and_copied(init):
    original = init.kaiming_uniform_
    with adapter.fast_init(0):
        model = keeping_model()
        inside = pickle.dumps(model)
        twin = copy.deepcopy(model)
    assert init.kaiming_uniform_ is original
    for data in (inside, pickle.dumps(model), pickle.dumps(twin)):
        again = pickle.loads(data)
        assert again.init_method is model.init_method
        assert torch.equal(again.weight, model.weight)
    torch.manual_seed(0)
    wanted = original(torch.empty(3, 4))
    torch.manual_seed(0)
    assert torch.equal(model.init_method(torch.empty(3, 4)), wanted)


def test_a_function_that_is_kept_tells_of_itself_as_it_did(init):
    original = init.kaiming_uniform_
    with adapter.fast_init(0):
        inside = init.kaiming_uniform_
    assert inspect.signature(inside) == inspect.signature(original)
    assert inside.__name__ == original.__name__


# Functions of others ------------------------------------------------------------------------------


def test_a_function_that_a_program_has_put_there_is_called(monkeypatch, init):
    calls = []

    def own(tensor, *args, **keywords):
        calls.append(tuple(tensor.shape))
        return tensor.data.fill_(7)

    monkeypatch.setattr(init, "kaiming_uniform_", own)
    monkeypatch.setattr(init, "_no_grad_normal_", own)
    with adapter.fast_init(0):
        layer = torch.nn.Linear(4, 3)
        drawn = torch.nn.init.normal_(torch.empty(2))
    assert calls == [(3, 4), (2,)]
    assert (layer.weight == 7).all()
    assert (drawn == 7).all()
    assert init.kaiming_uniform_ is own


def test_a_patch_that_ends_after_the_block_leaves_torch_right(init):
    originals = {name: getattr(init, name) for name in dir(init) if name.endswith("_")}
    with adapter.fast_init(0):
        saved = init.kaiming_uniform_
        init.kaiming_uniform_ = lambda tensor, *args, **keywords: tensor
    init.kaiming_uniform_ = saved
    try:
        with adapter.fast_init(0):
            again = torch.nn.Linear(4, 3)
        with adapter.fast_init(0):
            assert torch.equal(torch.nn.Linear(4, 3).weight, again.weight)
        assert init.kaiming_uniform_ is saved
    finally:
        for name, original in originals.items():
            setattr(init, name, original)


def test_the_generator_of_trunc_normal_may_have_no_keyword(init):
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    with adapter.fast_init(0):
        found = init._no_grad_trunc_normal_(torch.empty(9), 0.0, 1.0, -2.0, 2.0, generators[0])
        wanted = init.trunc_normal_(torch.empty(9), generator=generators[1])
    assert torch.equal(found, wanted)


# Where a block begins -----------------------------------------------------------------------------


@contextlib.contextmanager
def own_block():
    with adapter.fast_init(0):
        yield


def entered_by_a_stack():
    with contextlib.ExitStack() as stack:
        stack.enter_context(adapter.fast_init(0))
        return torch.empty(5).normal_()


def entered_by_a_generator():
    with own_block():
        return torch.empty(5).normal_()


def entered_as_it_is():
    with adapter.fast_init(0):
        return torch.empty(5).normal_()


def decorated():
    return adapter.fast_init(0)(lambda: torch.empty(5).normal_())()


@pytest.mark.parametrize(
    "function", [entered_as_it_is, entered_by_a_stack, entered_by_a_generator, decorated]
)
def test_callers_of_a_block_say_nothing_about_its_draws(function):
    """A forward pass that calls what has a block is no forward pass of the block."""

    class Outer(torch.nn.Module):
        def forward(self):
            return function()

    wanted = torch.from_numpy(wi.normal(5, rng=0, stream=0))
    assert torch.equal(Outer()(), wanted)


# Samples ------------------------------------------------------------------------------------------


def test_samples_of_distributions_are_data_but_in_constructors():
    def sample():
        own = torch.distributions
        normal = own.Normal(torch.zeros(5), 1.0).rsample()
        many = own.MultivariateNormal(torch.zeros(3), torch.eye(3)).sample()
        return torch.cat([normal, many, own.Uniform(0.0, torch.ones(4)).rsample()])

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.distributions.Normal(0.0, 0.1).rsample((5,)))

    torch.manual_seed(0)
    wanted = sample()
    torch.manual_seed(0)
    with adapter.fast_init(0):
        found = sample()
        state = torch.get_rng_state()
        layer = Layer()
    assert torch.equal(found, wanted)
    assert torch.equal(torch.get_rng_state(), state)
    drawn = torch.from_numpy(wi.normal(5, rng=0, stream=0))
    assert torch.equal(layer.weight.detach(), drawn * 0.1)
