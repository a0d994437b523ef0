"""signal leaves everything as it was, and takes modules and samples of every kind."""

import copy
import math
import random

import numpy as np
import pytest
from signal_nets import adapter, ids, net, normals, row_of, torch
from signal_nets import one_thread as one_thread  # noqa: PLC0414  a fixture

import weightinit_fast as wi


def with_state():
    """Return a module that has all that a pass may change."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3)
            self.norm = torch.nn.BatchNorm2d(8)
            self.dropout = torch.nn.Dropout(0.5)
            self.head = torch.nn.Linear(8, 4)
            self.register_buffer("calls", torch.zeros(()))
            self.count = 0

        def forward(self, x):
            self.count += 1
            self.calls += 1
            self.register_buffer("late", x.mean())
            self.cache = x
            random.random()
            np.random.rand()  # noqa: NPY002
            return self.head(self.dropout(torch.relu_(self.norm(self.conv(x)))).mean((2, 3)))

    torch.manual_seed(0)
    return Model()


def state_of(module):
    """Return everything about a module that a pass may change."""
    values = {}
    for name, part in module.named_modules():
        values[name] = {
            key: value for key, value in vars(part).items() if isinstance(value, (bool, int))
        }
        for kind in (
            *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
            *("_parameters", "_buffers", "_modules"),
        ):
            values[name, kind] = list(vars(part)[kind])
        values[name, "attributes"] = list(vars(part))
    for name, p in module.named_parameters():
        values[name, "p"] = (id(p), p.requires_grad, p.grad, p._version, p.detach().clone())
        values[name, "hooks"] = p._backward_hooks
    for name, b in module.named_buffers():
        values[name, "b"] = (id(b), b.requires_grad, b.clone())
    return values


def assert_same(before, after):
    assert before.keys() == after.keys()
    for key, value in before.items():
        other = after[key]
        if isinstance(value, tuple):
            *plain, tensor = value
            *others, there = other
            assert plain == others, key
            assert torch.equal(tensor, there), key
        else:
            assert value == other, key


@pytest.mark.parametrize("train", [True, False, None])
@pytest.mark.parametrize("mode", [True, False])
def test_everything_is_put_back(mode, train):
    module = with_state().train(mode)
    module.norm.eval()
    module.head.weight.requires_grad_(False)
    module.conv.bias.grad = torch.ones(8)
    grad = module.conv.bias.grad
    sample = normals(4, 3, 8, 8)
    copied, before = sample.clone(), state_of(module)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    adapter.signal(module, sample, train=train)
    assert_same(before, state_of(module))
    assert module.conv.bias.grad is grad
    assert torch.equal(grad, torch.ones(8))
    assert torch.equal(sample, copied)
    assert not sample.requires_grad
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert str(np.random.get_state()) == str(states[2])  # noqa: NPY002
    assert torch.is_grad_enabled()


def test_everything_is_put_back_after_an_exception():
    module = with_state()
    before, state = state_of(module), torch.get_rng_state()

    def loss(output):
        raise KeyError("no such loss")

    with pytest.raises(KeyError):
        adapter.signal(module, normals(4, 3, 8, 8), loss=loss)
    assert_same(before, state_of(module))
    with pytest.raises(RuntimeError):
        adapter.signal(module, normals(4, 5, 8, 8))
    assert_same(before, state_of(module))
    assert torch.equal(torch.get_rng_state(), state)
    # No function of torch is watched any longer.
    assert len(adapter.signal(module, normals(4, 3, 8, 8)).rows) == 6


def test_a_training_step_after_signal_is_that_without_it():
    one = with_state()
    other = copy.deepcopy(one)
    adapter.signal(one, normals(4, 3, 8, 8))
    for module in (one, other):
        torch.manual_seed(3)
        module(normals(4, 3, 8, 8)).square().mean().backward()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)
    assert torch.equal(one.norm.running_var, other.norm.running_var)


def test_two_calls_find_the_same_and_depend_on_no_generator():
    module = with_state()
    torch.manual_seed(1)
    first = adapter.signal(module, normals(4, 3, 8, 8)).to_dict()
    torch.manual_seed(2)
    random.seed(5)
    assert adapter.signal(module, normals(4, 3, 8, 8)).to_dict() == first
    other = adapter.signal(module, normals(4, 3, 8, 8), rng=1).to_dict()
    assert other["rows"][-1]["std"] == first["rows"][-1]["std"]
    assert other["rows"][-1]["gradient_std"] != first["rows"][-1]["gradient_std"]


@pytest.mark.parametrize("context", ["no_grad", "inference_mode"])
def test_frozen_parameters_and_contexts_without_gradients(context):
    module, sample = net(4, 16, "ReLU", "he_normal"), normals(32, 16)
    wanted = adapter.signal(module, sample).to_dict()
    module.requires_grad_(False)
    with getattr(torch, context)():
        assert adapter.signal(module, sample).to_dict() == wanted
    assert not any(p.requires_grad for p in module.parameters())


def test_frozen_parameters_and_ids_of_tokens():
    module = torch.nn.Sequential(torch.nn.Embedding(50, 16), torch.nn.Linear(16, 4))
    module.requires_grad_(False)
    found = adapter.signal(module, ids(8, 5, high=50))
    assert found.wrong == ()
    assert [row.layer for row in found.rows] == ["0", "1"]
    assert all(row.gradient_std > 0 for row in found.rows)


def test_the_mode_of_the_pass():
    module = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Dropout(0.5)).eval()
    sample = normals(64, 16)
    assert 0.4 < row_of(adapter.signal(module, sample), "1").zeros < 0.6
    # A dropout that does nothing returns the tensor that it takes, which has one row.
    for train in (False, None):
        assert [row.layer for row in adapter.signal(module, sample, train=train).rows][1:] == ["0"]


# Gradients ----------------------------------------------------------------------------------------


def test_gradients_are_those_of_autograd():
    """Every row has the std of the gradient of the loss with respect to its activations."""
    module, sample = net(3, 16, "Tanh", "he_normal"), normals(32, 16)
    found = adapter.signal(module, sample, loss=lambda y: y.square().sum())
    values = [sample.clone().requires_grad_()]
    for layer in module:
        values.append(layer(values[-1]))
    grads = torch.autograd.grad(values[-1].square().sum(), values)
    for row, value, grad in zip(found.rows, values, grads, strict=True):
        assert math.isclose(row.std, value.detach().double().std(correction=0), rel_tol=1e-6)
        assert math.isclose(row.gradient_std, grad.double().std(correction=0), rel_tol=1e-6)


def test_the_gradient_that_enters_is_drawn_by_the_package():
    module = torch.nn.Linear(8, 24)
    top = wi.normal((32, 24), rng=0, stream="gradient 0")
    found = adapter.signal(module, normals(32, 8))
    assert math.isclose(found.rows[-1].gradient_std, top.astype("f8").std(), rel_tol=1e-6)
    again = adapter.signal(module, normals(32, 8), rng=wi.Key(3, 4))
    top = wi.normal((32, 24), rng=wi.Key(3, 4), stream="gradient 0")
    assert math.isclose(again.rows[-1].gradient_std, top.astype("f8").std(), rel_tol=1e-6)


def test_in_place_activations_have_the_rows_of_others():
    def rows(inplace):
        layers = [m for _ in range(3) for m in (torch.nn.Linear(16, 16), torch.nn.ReLU(inplace))]
        module = torch.nn.Sequential(*layers)
        module.load_state_dict(net(3, 16, "ReLU", "he_normal").state_dict())
        return adapter.signal(module, normals(32, 16)).to_dict()["rows"]

    assert rows(True) == rows(False)
    # So it is where the first layer of all changes the sample.
    sample = normals(32, 16)
    adapter.signal(torch.nn.Sequential(torch.nn.ReLU(inplace=True)), sample)
    assert torch.equal(sample, normals(32, 16))


@pytest.mark.parametrize("name", ["loss", "logits", "last_hidden_state"])
def test_outputs_with_names(name):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)

        def forward(self, x):
            x = self.first(x)
            y = self.second(x)
            return {"hidden": x, name: y.mean() if name == "loss" else y}

    module = Model()
    found = adapter.signal(module, normals(16, 8))
    rows = {row.layer: row for row in found.rows}
    if name == "loss":
        assert rows["second"].gradient_std == 0  # the gradient of a mean is the same everywhere
    else:
        top = wi.normal((16, 8), rng=0, stream="gradient 0")
        assert math.isclose(rows["second"].gradient_std, top.astype("f8").std(), rel_tol=1e-6)
        # It enters there alone, and not at the other output.
        weight = dict(module.named_parameters())["second.weight"].detach().double()
        below = (torch.from_numpy(top).double() @ weight).std(correction=0)
        assert math.isclose(rows["first"].gradient_std, below, rel_tol=1e-6)


# Samples and modules ------------------------------------------------------------------------------


def test_samples_are_tensors_tuples_or_dicts():
    module = torch.nn.Bilinear(4, 6, 5)
    one, other = normals(16, 4), normals(16, 6, stream="other")
    by_place = adapter.signal(module, (one, other))
    assert [row.layer for row in by_place.rows] == ["input[0]", "input[1]", "Bilinear"]
    by_name = adapter.signal(module, {"input1": one, "input2": other})
    assert [row.layer for row in by_name.rows] == ["input1", "input2", "Bilinear"]
    assert by_place.rows[2] == by_name.rows[2]
    assert by_place.rows[0].gradient_std > 0


def test_a_loss_is_one_number():
    module, sample = torch.nn.Linear(4, 5), normals(16, 4)
    with pytest.raises(TypeError, match=r"loss must take the output .* not 'mse'"):
        adapter.signal(module, sample, loss="mse")
    with pytest.raises(ValueError, match=r"not one of shape \(16, 5\): take its mean\(\)"):
        adapter.signal(module, sample, loss=lambda output: output)
    with pytest.raises(TypeError, match="a tensor of one element, not float"):
        adapter.signal(module, sample, loss=lambda output: 1.0)


def test_a_sample_without_an_example_is_refused():
    module = torch.nn.Linear(4, 5)
    for sample in (normals(16, 4)[:0], (normals(16, 4)[:0],), {"input": normals(16, 4)[:0]}):
        with pytest.raises(ValueError, match="the sample has no element"):
            adapter.signal(module, sample)


def test_a_module_that_runs_several_times_has_a_row_for_each_call():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.act, self.unused = (
                torch.nn.Linear(8, 8),
                torch.nn.ReLU(),
                torch.nn.Linear(8, 8),
            )

        def forward(self, x):
            for _ in range(3):
                x = self.act(self.layer(x))
            return x

    found = adapter.signal(Twice(), normals(16, 8))
    assert [row.name for row in found.rows[1:]] == [
        *("layer", "act", "layer #2", "act #2", "layer #3", "act #3"),
    ]
    assert [row.number for row in found.rows] == list(range(7))
    (note,) = (note for note in found.notes if note.kind == "not run")
    assert note.text == "1 module with parameters did not run: unused."


def test_outputs_that_are_tuples_have_a_row_for_each_tensor():
    found = adapter.signal(torch.nn.LSTM(4, 6), normals(5, 3, 4))
    assert [(row.layer, row.shape) for row in found.rows[1:]] == [
        ("LSTM", (5, 3, 6)),
        ("LSTM[1]", (1, 3, 6)),
        ("LSTM[2]", (1, 3, 6)),
    ]


def test_containers_that_pass_an_output_on_have_no_row():
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Identity())

        def forward(self, x):
            return x + self.inner(x)

    module = torch.nn.Sequential(Residual(), torch.nn.Sequential(torch.nn.Linear(8, 4)))
    found = adapter.signal(module, normals(16, 8))
    assert [row.layer for row in found.rows] == ["input", "0.inner.0", "0", "1.0"]
    assert [row.is_block for row in found.rows] == [False, False, True, False]


def test_a_multihead_attention_whose_projection_is_used_but_not_called():
    found = adapter.signal(torch.nn.MultiheadAttention(8, 2), (normals(5, 3, 8),) * 3)
    assert not any(note.kind == "not run" for note in found.notes)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_dtypes(dtype):
    module = net(6, 32, "ReLU", "he_normal").to(getattr(torch, dtype))
    found = adapter.signal(module, normals(64, 32).to(getattr(torch, dtype)))
    assert found.wrong == ()
    wanted = adapter.signal(net(6, 32, "ReLU", "he_normal"), normals(64, 32))
    for row, other in zip(found.rows, wanted.rows, strict=True):
        assert math.isclose(row.std, other.std, rel_tol=0.05)
        assert math.isclose(row.gradient_std, other.gradient_std, rel_tol=0.05)


def test_complex_activations():
    module = torch.nn.Linear(8, 8, dtype=torch.complex64)
    sample = torch.complex(normals(16, 8), normals(16, 8, stream="imaginary"))
    row = adapter.signal(module, sample).rows[-1]
    assert 0 < row.std < 2
    assert 0 < row.gradient_std < 2


def test_checkpointed_blocks_have_one_row():
    from torch.utils.checkpoint import checkpoint  # noqa: PLC0415

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh())

        def forward(self, x):
            return checkpoint(self.block, x, use_reentrant=False)

    found = adapter.signal(Model(), normals(16, 8))
    assert [row.layer for row in found.rows] == ["input", "block.0", "block.1"]
    assert all(row.gradient_std > 0 for row in found.rows)


def test_a_parameter_that_a_module_returns_keeps_no_hook():
    class Position(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(8))

        def forward(self):
            return self.weight

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.position = Position()

        def forward(self, x):
            return x + self.position()

    module = Model()
    found = adapter.signal(module, normals(16, 8))
    assert row_of(found, "position").gradient_std > 0
    assert not module.position.weight._backward_hooks


@pytest.mark.parametrize("wrapper", ["DataParallel", "compile"])
def test_wrappers_are_looked_into(wrapper):
    module = net(3, 8, "ReLU", "he_normal")
    wrapped = (
        torch.compile(module, backend="eager")
        if wrapper == "compile"
        else torch.nn.DataParallel(module)
    )
    found = adapter.signal(wrapped, normals(16, 8))
    assert found.to_dict() == adapter.signal(module, normals(16, 8)).to_dict()


def test_refusals():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, not at dict"):
        adapter.signal({}, normals(4, 4))
    with pytest.raises(ValueError, match="weight has no shape yet"):
        adapter.signal(torch.nn.LazyLinear(4), normals(4, 4))
    with pytest.raises(ValueError, match="weight is a meta tensor: materialize"):
        adapter.signal(torch.nn.Linear(4, 4, device="meta"), normals(4, 4))
    with pytest.raises(TypeError):
        adapter.signal(torch.nn.Linear(4, 4), normals(4, 4), rng="name")


def test_a_series_is_of_one_place():
    def place(layer):
        row = adapter.signal(torch.nn.Linear(2, 2), normals(4, 2)).rows[-1]
        row.layer = layer
        return row.place[0]

    assert place("h.11.ln_1") == "h.*.ln_1"
    assert place("fc12") == "fc*"
    assert place("features.28") == "features.*"
    assert place("layer1.0.conv2") == "layer*.*.conv2"


def test_what_a_pass_registers_and_replaces_is_put_back():
    class Careless(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 3)
            self.scale = torch.nn.Parameter(torch.ones(3))
            self.cache = {"kept": 1}
            self.generator = torch.Generator().manual_seed(5)

        def forward(self, x):
            self.layer.register_forward_hook(lambda *_: None)
            self.scale = torch.nn.Parameter(torch.zeros(3))
            self.cache["left"] = x
            noise = torch.randn(x.shape, generator=self.generator)
            return self.layer(x) * self.scale + noise

    module = Careless()
    scale, state = module.scale, module.generator.get_state()
    adapter.signal(module, torch.ones(4, 3))
    assert module.scale is scale
    assert not module.layer._forward_hooks
    assert module.cache == {"kept": 1}
    assert torch.equal(module.generator.get_state(), state)


def test_buffers_on_the_meta_device_are_refused_by_name():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3))
    module[0].register_buffer("positions", torch.empty(3, device="meta"))
    with pytest.raises(ValueError, match=r"the buffer 0\.positions is a meta tensor: materialize"):
        adapter.signal(module, torch.ones(4, 3))
