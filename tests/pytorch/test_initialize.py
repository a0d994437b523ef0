"""initialize(): the default recipe beside torch, recipes, names, ties, and what is refused."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest
from module_classes import BUILDS, OTHERS, build, cases, classes_with_parameters
from support.frameworks import Framework
from support.reference_models import REFERENCES, quietly
from support.reference_models import timm as timm  # noqa: PLC0414  the fixture imports them
from support.reference_models import torchvision as torchvision  # noqa: PLC0414
from support.reference_models import transformers as transformers  # noqa: PLC0414
from tensor_bits import assert_unchanged, bits, drawn, state_of
from tensor_bits import torch as torch  # noqa: PLC0414

import weightinit_fast as wi

adapter = Framework("weightinit_fast.torch")

KEY = wi.Key(1, 2)
#: A mean or a variance, of torch's draws or of ours, may be this many standard errors from that of
#: the law. A normal is beyond that once in 1.7 million; about 300 are compared, at fixed seeds.
STANDARD_ERRORS = 5
#: E((x - mean)**4) / std**4.
FOURTH = {"normal": 3, "uniform": 9 / 5}


# The default recipe -------------------------------------------------------------------------------


def test_no_class_of_torch_is_forgotten():
    assert classes_with_parameters() == set(BUILDS) | set(OTHERS)


@pytest.mark.parametrize(("name", "number"), cases())
def test_default_recipe_has_the_laws_of_torch(name, number):
    theirs = []
    for seed in range(3):
        torch.manual_seed(seed)
        theirs.append(dict(build(name, number).named_parameters()))
    module = build(name, number)
    rows = {row.name: row for row in adapter.initialize(module, rng=KEY)}
    ours = dict(module.named_parameters())
    assert list(rows) == list(ours)
    for parameter, row in rows.items():
        samples = [parameters[parameter].detach() for parameters in (*theirs, ours)]
        if "row" in row.rule:
            padding = [(sample == 0).all(dim=1) for sample in samples]
            assert all(torch.equal(p, padding[0]) and p.sum() == 1 for p in padding)
            samples = [sample[~padding[0]] for sample in samples]
        if row.law.kind == "constant":
            assert all(bool((sample == row.law.mean).all()) for sample in samples), parameter
        else:
            compare(parameter, row.law, torch.cat([s.flatten() for s in samples[:-1]]))
            compare(parameter, row.law, samples[-1].flatten())


def compare(name, law, sample):
    """Compare the moments and the bounds of a sample with a law."""
    n = sample.numel()
    assert n < 2 or sample.min() < sample.max(), name
    scaled = (sample.double() - law.mean) / law.std
    if n >= 100:
        assert abs(scaled.mean()) * math.sqrt(n) < STANDARD_ERRORS, name
        error = math.sqrt((FOURTH[law.kind] - 1) / n)
        assert abs((scaled**2).mean() - 1) < STANDARD_ERRORS * error, name
    if law.kind == "uniform" and n:
        width = law.high - law.low
        assert sample.min() >= law.low - 1e-6 * width, name
        assert sample.max() <= law.high + 1e-6 * width, name
        # No element lies in the outer 20/n of the interval: exp(-20) = 2e-9.
        assert sample.max() >= law.high - 20 / n * width, name


@pytest.mark.parametrize(("name", "number"), cases())
def test_default_recipe_draws_what_the_initialiser_draws(name, number):
    module = build(name, number)
    for row in adapter.initialize(module, rng=KEY):
        expected = drawn(row, KEY)
        if "row" in row.rule:
            expected[module.padding_idx] = 0
        assert (bits(module.get_parameter(row.name)) == expected).all(), row.name


@pytest.mark.parametrize(("name", "number"), [c for c in cases() if c[0].startswith("Conv")])
def test_fans_of_the_layer(name, number):
    """Where all weights and inputs are 1, an output in the middle is the number that it reads."""
    module = build(name, number)
    axes = module.weight.ndim - 2
    with torch.no_grad():
        module.weight.fill_(1)
        module.bias = None
        output = module(torch.ones(1, module.in_channels, *(9,) * axes))
        read = float(output[(0, 0, *(n // 2 for n in output.shape[2:]))])
    module = build(name, number)
    for row in adapter.initialize(module, rng=KEY, fans="layer"):
        assert row.law.high == pytest.approx(1 / math.sqrt(read)), row.name
        assert (bits(module.get_parameter(row.name)) == drawn(row, KEY)).all()


def test_fans_of_the_layer_of_packed_attention():
    module = torch.nn.MultiheadAttention(40, 4)
    assert adapter.initialize(module, rng=KEY)[0].law.high == pytest.approx(math.sqrt(6 / 160))
    row = adapter.initialize(module, rng=KEY, fans="layer")[0]
    assert (row.name, row.law.high) == ("in_proj_weight", pytest.approx(math.sqrt(6 / 80)))
    assert (bits(module.in_proj_weight) == drawn(row, KEY)).all()
    net = torch.nn.Transformer(40, 4, 1, 1, 64, batch_first=True)
    rows = {row.name: row for row in adapter.initialize(net, rng=KEY, fans="layer")}
    law = rows["encoder.layers.0.self_attn.in_proj_weight"].law
    assert law.high == pytest.approx(math.sqrt(6 / 80))


def test_the_layers_of_an_encoder_differ():
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2)
    first, second = (one.linear1.weight for one in encoder.layers)
    assert torch.equal(first, second)
    adapter.initialize(encoder, rng=KEY)
    assert not torch.equal(first, second)


def test_derived_classes_have_the_rules_of_their_base():
    class Derived(torch.nn.Linear):
        pass

    class Own(torch.nn.Linear):
        def reset_parameters(self):
            torch.nn.init.zeros_(self.weight)

    assert [row.rule for row in adapter.initialize(Derived(3, 4), rng=KEY)] == ["Linear"] * 2
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), Own(3, 4))
    before = state_of(net)
    with pytest.raises(ValueError, match=r"these 2 .*1\.weight of Own, 1\.bias of Own.*override"):
        adapter.initialize(net, rng=KEY)
    assert_unchanged(net, before)
    rules = {"1.*": "ones", **adapter.default_rules(net)}
    report = adapter.initialize(net, rules, rng=KEY)
    assert bool((net[1].weight == 1).all())
    assert (bits(net[0].weight) == drawn(report[0], KEY)).all()


def test_unknown_parameters_are_listed():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.token = torch.nn.Parameter(torch.ones(3))
            self.more = torch.nn.ParameterList([torch.ones(2), torch.ones(2)])
            self.named = torch.nn.ParameterDict({"a": torch.ones(2)})
            self.normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 4))
            self.spectral = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 4))
            self.fc = torch.nn.Linear(3, 4)

    net = Net()
    before = state_of(net)
    with pytest.raises(ValueError, match="these 7 parameters") as caught:
        adapter.initialize(net, rng=KEY)
    said = str(caught.value)
    for name in ("token of Net", "more.0 of ParameterList", "named.a", "normed.parametrizations"):
        assert name in said
    assert "spectral.parametrizations.weight.original of" in said
    assert "register the parametrization" in said
    assert_unchanged(net, before)
    # The biases of parametrized layers are plain ones.
    assert len(adapter.initialize(net, rng=KEY, only=["fc.*", "*.bias"])) == 4


# Recipes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama3", "vit", "resnet18", "resnet50"])
def test_builtin_recipes(name):
    ours = wi.model(name, **REFERENCES[name].small)
    with quietly():
        module = REFERENCES[name].build(ours.sizes)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = adapter.initialize(module, ours, rng=KEY)
    assert {row.name: row.shape for row in report} == {n: s.shape for n, s in ours.shapes.items()}
    arrays = {n: np.empty(spec.shape, np.float32) for n, spec in ours.shapes.items()}
    ours.recipe.fill(arrays, rng=KEY)
    for explained in ours.recipe.explain(ours.shapes):
        row = next(row for row in report if row.name == explained.name)
        assert (row.rule, row.initializer, row.law) == explained[2:5]
        expected = arrays[row.name].view(np.int32)
        assert (bits(module.get_parameter(row.name)) == expected).all()


def test_first_match_wins_and_names_without_a_rule_are_listed():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 5))
    report = adapter.initialize(net, [("0.weight", "ones"), ("*", "zeros")], rng=KEY)
    assert [str(row.initializer) for row in report] == ["ones", "zeros", "zeros", "zeros"]
    before = state_of(net)
    with pytest.raises(ValueError, match=r"matches 2 tensors: 0\.bias, 1\.bias"):
        adapter.initialize(net, {"*.weight": "he_normal"}, rng=KEY)
    assert_unchanged(net, before)
    with pytest.warns(UserWarning, match=r"the pattern \*\.wieght"):
        report = adapter.initialize(net, {"*.wieght": "ones", "*": "zeros"}, rng=KEY)
    assert report.unused == ("*.wieght",)
    assert str(report).endswith("Rules that take no parameter: *.wieght")


def test_one_initialiser_for_all():
    net = torch.nn.Linear(30, 40)
    report = adapter.initialize(net, "normal(std=0.02)", rng=KEY)
    assert (bits(net.bias) == drawn(report[1], KEY)).all()


def test_a_rule_that_cannot_draw_writes_nothing():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    before = state_of(net)
    with pytest.raises(ValueError, match=r"0\.bias: shape \(4,\) has no fans"):
        adapter.initialize(net, "he_normal", rng=KEY)
    assert_unchanged(net, before)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes(dtype):
    net = torch.nn.Linear(30, 40).to(getattr(torch, dtype))
    for row in adapter.initialize(net, rng=KEY):
        assert row.dtype == dtype
        assert (bits(net.get_parameter(row.name)) == drawn(row, KEY, dtype)).all()


def test_memory_formats():
    net = torch.nn.Conv2d(8, 16, 3).to(memory_format=torch.channels_last)
    report = adapter.initialize(net, rng=KEY)
    assert net.weight.is_contiguous(memory_format=torch.channels_last)
    assert (bits(net.weight) == drawn(report[0], KEY)).all()


# Names and ties -----------------------------------------------------------------------------------


def test_only_some():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 5))
    first = bits(net[0].weight).copy()
    report = adapter.initialize(net, rng=KEY, only="1.*")
    assert [row.name for row in report] == ["1.weight", "1.bias"]
    assert (bits(net[0].weight) == first).all()
    assert (bits(net[1].weight) == drawn(report[0], KEY)).all()
    # The recipe needs no rule for the others.
    assert len(adapter.initialize(net, {"0.weight": "ones"}, rng=KEY, only="0.weight")) == 1
    before = state_of(net)
    with pytest.raises(ValueError, match=r"'2\.wei\*' of only= matches no parameter"):
        adapter.initialize(net, rng=KEY, only=["1.*", "2.wei*"])
    with pytest.raises(TypeError, match="only must be"):
        adapter.initialize(net, rng=KEY, only=3)
    assert_unchanged(net, before)


def test_wrappers_change_no_name():
    def net():
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 5))

    modules = net(), torch.compile(net(), backend="eager"), torch.nn.DataParallel(net())
    names = [[row.name for row in adapter.initialize(m, rng=KEY)] for m in modules]
    assert names[0] == names[1] == names[2] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    for a, b, c in zip(*(m.parameters() for m in modules), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_two_parameters_of_one_name():
    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self._orig_mod = torch.nn.Linear(3, 4)
            self.weight = torch.nn.Parameter(torch.ones(2))

    with pytest.raises(ValueError, match=r"parameters have one name: weight"):
        adapter.initialize(Wrapper(), "normal", rng=KEY)


def tied_net():
    net = torch.nn.ModuleDict({"emb": torch.nn.Embedding(5, 6), "head": torch.nn.Linear(6, 5)})
    net["head"].weight = net["emb"].weight
    return net


def test_tied_parameters_are_drawn_once():
    net = tied_net()
    version = net["emb"].weight._version
    report = adapter.initialize(net, rng=KEY)
    assert [row.name for row in report] == ["emb.weight", "head.bias"]
    assert net["head"].weight is net["emb"].weight
    assert net["emb"].weight._version == version + 1
    assert str(report[0].initializer) == "normal"
    assert (bits(net["emb"].weight) == drawn(report[0], KEY)).all()


def test_a_recipe_ties_one_object():
    # The name that the recipe draws is the stream, though it is not the first one.
    net = tied_net()
    rules = {"*.weight": "normal", "*": "zeros"}
    recipe = wi.Recipe(rules, same_as={"emb.weight": "head.weight"})
    report = adapter.initialize(net, recipe, rng=KEY)
    assert report[0].name == "head.weight"
    assert (bits(net["emb"].weight) == drawn(report[0], KEY)).all()
    with quietly():
        gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_layer=1, n_embd=12, n_head=2))
        report = adapter.initialize(gpt2, wi.model("gpt2", layers=1, width=12, heads=2), rng=KEY)
    names = [row.name for row in report]
    assert names[0] == "transformer.wte.weight"
    assert "lm_head.weight" not in names


def test_a_recipe_ties_two_objects():
    net = torch.nn.ModuleDict({"emb": torch.nn.Embedding(5, 6), "head": torch.nn.Linear(6, 5)})
    rules = {"*.weight": "normal", "*": "zeros"}
    recipe = wi.Recipe(rules, same_as={"head.weight": "emb.weight"})
    report = adapter.initialize(net, recipe, rng=KEY)
    assert (report[1].name, report[1].same_as) == ("head.weight", "emb.weight")
    assert torch.equal(net["emb"].weight, net["head"].weight)
    assert "same as emb.weight" in str(report)
    torch.nn.init.zeros_(net["head"].weight)
    report = adapter.initialize(net, recipe, rng=KEY, only="head.*")
    assert len(report) == 2
    assert torch.equal(net["emb"].weight, net["head"].weight)


def test_parameters_that_share_memory():
    net = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 6))
    net[1].weight = torch.nn.Parameter(net[0].weight.detach())
    report = adapter.initialize(net, rng=KEY)
    assert [row.same_as for row in report] == [None, None, "0.weight", None]
    assert (bits(net[1].weight) == drawn(report[0], KEY)).all()
    # Columns of one matrix have no element in common.
    whole = torch.zeros(6, 12)
    net[0].weight, net[1].weight = (torch.nn.Parameter(w) for w in (whole[:, :6], whole[:, 6:]))
    report = adapter.initialize(net, rng=KEY)
    assert (bits(net[0].weight) == drawn(report[0], KEY)).all()
    assert (bits(net[1].weight) == drawn(report[2], KEY)).all()
    net[1].weight = torch.nn.Parameter(whole[:, 5:11])
    before = state_of(net)
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight share memory"):
        adapter.initialize(net, rng=KEY)
    assert_unchanged(net, before)
    adapter.initialize(net, rng=KEY, only="0.*")


# What torch keeps ---------------------------------------------------------------------------------


def test_autograd_and_buffers():
    net = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.BatchNorm1d(6))
    net[0].bias.requires_grad_(False)
    net(torch.randn(4, 6)).sum().backward()
    gradient = net[0].weight.grad.clone()
    buffers = {name: bits(buffer).copy() for name, buffer in net.named_buffers()}
    objects = list(net.parameters())
    versions = [p._version for p in objects]
    adapter.initialize(net, rng=KEY)
    assert all(a is b for a, b in zip(objects, net.parameters(), strict=True))
    assert [p._version for p in objects] == [v + 1 for v in versions]
    assert all(p.grad_fn is None and p.is_leaf for p in objects)
    assert [p.requires_grad for p in objects] == [True, False, True, True]
    assert torch.equal(net[0].weight.grad, gradient)
    assert all((bits(b) == buffers[name]).all() for name, b in net.named_buffers())


def test_backward_sees_that_a_weight_has_changed():
    net = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 6))
    loss = net(torch.randn(4, 6)).sum()
    adapter.initialize(net, rng=KEY)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_key_comes_from_torchs_generator():
    net = torch.nn.Linear(6, 6)
    values = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        for _ in range(2):
            adapter.initialize(net)
            values.append(net.weight.detach().clone())
    assert torch.equal(values[0], values[2])
    assert torch.equal(values[1], values[3])
    assert not torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[4])
    adapter.initialize(net, rng=torch.Generator().manual_seed(3))
    assert torch.equal(net.weight, values[0])


# What is refused ----------------------------------------------------------------------------------


def test_lazy_modules():
    with quietly():
        net = torch.nn.Sequential(torch.nn.LazyLinear(4), torch.nn.LazyBatchNorm1d())
    with pytest.raises(ValueError, match=r"4 parameters have no shape yet: 0\.weight, 0\.bias, 1"):
        adapter.initialize(net, rng=KEY)
    net(torch.randn(5, 3))
    assert [row.rule for row in adapter.initialize(net, rng=KEY)][::2] == ["Linear", "BatchNorm1d"]


def test_parameters_that_are_never_drawn():
    net = torch.nn.Linear(3, 4)
    net.count = torch.nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)
    before = state_of(net)
    for recipe in (None, "normal"):
        with pytest.raises(TypeError, match=r"1 parameter has a dtype .*count \(torch\.int64\)"):
            adapter.initialize(net, recipe, rng=KEY)
    assert_unchanged(net, before)
    adapter.initialize(net, rng=KEY, only=["weight", "bias"])


def test_sparse_parameters_are_refused_by_name():
    net = torch.nn.Linear(3, 4)
    net.mask = torch.nn.Parameter(torch.eye(3).to_sparse())
    before = net.weight.detach().clone()
    with pytest.raises(TypeError, match=r"mask: .*torch\.sparse_coo: fill its values"):
        adapter.initialize(net, "normal", rng=KEY)
    assert torch.equal(net.weight, before)
    adapter.initialize(net, "normal", rng=KEY, only=["weight", "bias"])


def test_a_rule_in_front_of_the_default_rules_is_no_misspelling():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 5))
    rules = {"*.weight": "he_normal"} | adapter.default_rules(net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = adapter.initialize(net, rules, rng=KEY)
    assert [row.rule for row in report] == ["*.weight", "0.bias", "*.weight", "2.bias"]
    assert report.unused == ("0.weight", "2.weight")
    # Behind them, a pattern takes nothing, and that is said.
    with pytest.warns(UserWarning, match=r"the pattern \*\.weight"):
        adapter.initialize(net, adapter.default_rules(net) | {"*.weight": "ones"}, rng=KEY)
    with torch.device("meta"):
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapter.materialize(net, rules, rng=KEY)


def test_functions_of_torch_as_rules():
    net = torch.nn.Linear(3, 4)
    for function in (torch.nn.init.kaiming_uniform_, adapter.init.kaiming_uniform_):
        with pytest.raises(TypeError, match=r"did you mean 'kaiming_uniform'\?"):
            adapter.initialize(net, {"*": function}, rng=KEY)


def test_a_class_with_a_method_of_its_own_is_told_of_fast_init():
    class Mine(torch.nn.Linear):
        def reset_parameters(self):
            torch.nn.init.normal_(self.weight)

    with pytest.raises(ValueError, match=r"fast_init\(model=module\)"):
        adapter.initialize(Mine(3, 4), rng=KEY)


def test_meta_and_wrong_arguments():
    net = torch.nn.Linear(3, 4, device="meta")
    with pytest.raises(ValueError, match=r"2 parameters are on the meta .*materialize"):
        adapter.initialize(net, rng=KEY)
    net = torch.nn.Linear(3, 4)
    before = state_of(net)
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Module"):
        adapter.initialize(net.parameters(), rng=KEY)
    with pytest.raises(ValueError, match="fans must be"):
        adapter.initialize(net, rng=KEY, fans="keras")
    with pytest.raises(ValueError, match="fans= is for the default recipe"):
        adapter.initialize(net, "normal", rng=KEY, fans="layer")
    with pytest.raises(TypeError, match="threads"):
        adapter.initialize(net, rng=KEY, threads="two")
    assert_unchanged(net, before)


def test_report():
    report = adapter.initialize(torch.nn.Linear(3, 4), rng=KEY)
    lines = str(report).splitlines()
    assert lines[0].split() == ["parameter", "shape", "dtype", "rule", "initialiser", "law"]
    assert lines[1].startswith("weight")
    assert "float32" in lines[1]
    assert lines[1].endswith("uniform, std 0.333333, in [-0.57735, 0.57735]")
    again = pickle.loads(pickle.dumps(report))
    assert again == report
    assert str(again) == str(report)
