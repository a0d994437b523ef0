"""materialize(): models that were built on the meta device, beside models that torch has built."""

from __future__ import annotations

import copy
import re
import warnings
from pathlib import Path

import pytest
from module_classes import build, cases
from support.frameworks import Framework
from support.reference_models import REFERENCES, quietly
from support.reference_models import timm as timm  # noqa: PLC0414  the fixture imports them
from support.reference_models import torchvision as torchvision  # noqa: PLC0414
from support.reference_models import transformers as transformers  # noqa: PLC0414
from tensor_bits import assert_unchanged, bits, drawn, state_of
from tensor_bits import torch as torch  # noqa: PLC0414

import weightinit_fast as wi

adapter = Framework("weightinit_fast.torch")
tensor_module = Framework("torch.distributed.tensor")
models = Framework("shard_models")

KEY = wi.Key(3, 4)


@pytest.mark.parametrize(("name", "number"), cases())
def test_every_class_of_torch(name, number):
    """A module is what initialize() makes of a real one, with the buffers of a real one."""
    module = build(name, number, "meta")
    report = adapter.materialize(module, rng=KEY)
    real = build(name, number)
    assert list(report) == list(adapter.initialize(real, rng=KEY))
    ours, theirs = module.state_dict(), real.state_dict()
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        assert (value.dtype, value.stride()) == (theirs[key].dtype, theirs[key].stride())
        assert (bits(value) == bits(theirs[key])).all(), key
    for key, parameter in real.named_parameters():
        assert module.get_parameter(key).requires_grad == parameter.requires_grad
    assert [n for n, _ in module.named_buffers()] == [n for n, _ in real.named_buffers()]


# Models -------------------------------------------------------------------------------------------


def sample_of(name, sizes):
    """Return an input of a model."""
    torch.manual_seed(0)
    if name == "vit":
        return torch.randn(2, sizes["channels"], sizes["image"], sizes["image"])
    if name.startswith("resnet"):
        return torch.randn(2, 3, 64, 64)
    return torch.randint(0, sizes["vocabulary"], (2, 16))


def outputs_of(model, sample):
    with torch.no_grad():
        result = model.eval()(sample)
    if isinstance(result, torch.Tensor):
        return [result]
    return [v for v in result.values() if isinstance(v, torch.Tensor)]


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama3", "vit", "resnet18"])
def test_models_pass_forward_what_stock_ones_do(name):
    """Parameters are those of the recipe; all that the model has besides is as in a stock one."""
    ours = wi.model(name, **REFERENCES[name].small)
    with quietly():
        with torch.device("meta"):
            model = REFERENCES[name].build(ours.sizes)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = adapter.materialize(model, ours, rng=KEY)
        stock = REFERENCES[name].build(ours.sizes)
    names = [n for n, _ in model.named_buffers()]
    assert sorted(report.buffers) == sorted(names)
    for buffer in names:
        assert (bits(model.get_buffer(buffer)) == bits(stock.get_buffer(buffer))).all(), buffer
    adapter.initialize(stock, ours, rng=KEY)
    for row in report:
        assert (bits(model.get_parameter(row.name)) == drawn(row, KEY)).all()
    missing = stock.load_state_dict(model.state_dict())
    assert not missing.missing_keys
    assert not missing.unexpected_keys
    sample = sample_of(name, ours.sizes)
    for a, b in zip(outputs_of(model, sample), outputs_of(stock, sample), strict=True):
        assert a.isfinite().all()
        assert torch.equal(a, b)
    copy.deepcopy(model)


def test_a_model_learns():
    config = transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        vocab_size=50,
        tie_word_embeddings=True,
    )
    with quietly(), torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    adapter.materialize(model, wi.model("llama3"), rng=KEY)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    ids = torch.randint(0, 50, (4, 8))
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 1


def test_timms_buffers_that_are_no_parameters():
    with quietly(), torch.device("meta"):
        model = timm.create_model("eva02_tiny_patch14_224", depth=1)
    with quietly():
        report = adapter.materialize(model, "normal(std=0.02)", rng=KEY)
        stock = timm.create_model("eva02_tiny_patch14_224", depth=1)
    assert report.buffers
    for name, buffer in stock.named_buffers():
        assert torch.equal(buffer, model.get_buffer(name)), name


# Parameters ---------------------------------------------------------------------------------------


def test_parameters_stay_the_same_objects():
    class Marked(torch.nn.Parameter):
        pass

    with torch.device("meta"):
        net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 4))
        net[1].weight = Marked(torch.empty(4, 5), requires_grad=False)
    net[1].weight.note = "kept"
    net[0].bias.requires_grad_(False)
    calls = []
    handle = net[0].weight.register_hook(lambda gradient: calls.append("hook"))
    net[0].weight.register_post_accumulate_grad_hook(lambda parameter: calls.append("after"))
    objects = list(net.parameters())
    adapter.materialize(net, rng=KEY)
    assert all(a is b for a, b in zip(objects, net.parameters(), strict=True))
    assert [p.requires_grad for p in objects] == [True, False, False, True]
    assert all(p.is_leaf and p.device.type == "cpu" for p in objects)
    assert type(net[1].weight) is Marked
    assert net[1].weight.note == "kept"
    net(torch.ones(2, 4)).sum().backward()
    assert calls == ["hook", "after"]
    handle.remove()
    net(torch.ones(2, 4)).sum().backward()
    assert calls == ["hook", "after", "after"]
    assert net[0].weight.untyped_storage().resizable()


def test_recurrent_layers_get_new_objects():
    with torch.device("meta"):
        net = torch.nn.LSTM(5, 6, 2)
    before = net.weight_ih_l0
    report = adapter.materialize(net, rng=KEY)
    assert net.weight_ih_l0 is not before
    assert [row.name for row in report][:2] == ["weight_ih_l0", "weight_hh_l0"]
    assert all(a is b for a, b in zip(net._flat_weights, net.parameters(), strict=True))
    assert not net._weights_have_changed()
    output, _ = net(torch.ones(3, 5))
    assert output.isfinite().all()


def test_ties():
    with torch.device("meta"):
        net = torch.nn.ModuleDict({"emb": torch.nn.Embedding(5, 6), "head": torch.nn.Linear(6, 5)})
        net["head"].weight = net["emb"].weight
        # Another object, on the same memory.
        net["view"] = torch.nn.Linear(6, 5, bias=False)
        net["view"].weight = torch.nn.Parameter(net["emb"].weight.detach())
        # A weak reference, as recurrent layers hold them.
        net["rnn"] = torch.nn.RNN(3, 4)
        net["rnn2"] = torch.nn.RNN(3, 4)
        net["rnn2"].weight_ih_l0 = net["rnn"].weight_ih_l0
    report = adapter.materialize(net, rng=KEY)
    assert net["head"].weight is net["emb"].weight
    assert net["view"].weight.data_ptr() == net["emb"].weight.data_ptr()
    assert {row.name: row.same_as for row in report if row.same_as} == {"view.weight": "emb.weight"}
    assert net["rnn"].weight_ih_l0 is net["rnn2"].weight_ih_l0
    assert net["rnn2"]._flat_weights[0] is net["rnn"].weight_ih_l0
    assert not any(tensor.is_meta for tensor in net.state_dict().values())
    assert (bits(net["emb"].weight) == drawn(report[0], KEY)).all()


def test_memory_formats_and_dtypes():
    with torch.device("meta"):
        net = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 3), torch.nn.BatchNorm2d(16))
        net.register_buffer("mask", torch.ones(3))
        net.reset_buffers = lambda: net.mask.fill_(1)
    net[0].to(memory_format=torch.channels_last)
    report = adapter.materialize(net, rng=KEY, dtype=torch.bfloat16)
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert {row.dtype for row in report} == {"bfloat16"}
    assert net[1].running_mean.dtype is torch.bfloat16
    assert net[1].num_batches_tracked.dtype is torch.int64
    assert net.mask.dtype is torch.float32
    for row in report:
        assert (bits(net.get_parameter(row.name)) == drawn(row, KEY, "bfloat16")).all()
    net(torch.ones(1, 8, 5, 5, dtype=torch.bfloat16))
    half = torch.nn.Linear(3, 4, device="meta")
    assert adapter.materialize(half, rng=KEY, dtype="float16")[0].dtype == "float16"


def test_what_is_real_is_left_as_it_is():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    net.append(torch.nn.Linear(4, 5, device="meta"))
    net.append(torch.nn.BatchNorm1d(5, device="meta"))
    net[1].running_mean.fill_(7)
    first = bits(net[0].weight).copy()
    report = adapter.materialize(net, rng=KEY)
    assert [row.name for row in report] == ["2.weight", "2.bias", "3.weight", "3.bias"]
    assert (bits(net[0].weight) == first).all()
    assert bool((net[1].running_mean == 7).all())
    assert set(report.buffers) == {"3.running_mean", "3.running_var", "3.num_batches_tracked"}
    # The recipe needs no rule for what is real.
    net[2] = torch.nn.Linear(4, 5, device="meta")
    adapter.materialize(net, {"2.*": "zeros"}, rng=KEY)
    assert list(adapter.materialize(net, rng=KEY)) == []


def test_the_key_comes_from_torchs_generator():
    values = []
    for _ in range(2):
        torch.manual_seed(5)
        net = torch.nn.Linear(3, 4, device="meta")
        adapter.materialize(net)
        values.append(bits(net.weight))
    assert (values[0] == values[1]).all()


def test_building_on_meta_within_a_block_of_fast_init():
    """There is nothing to draw, so that no draw is counted, and torch's checks are still made."""
    torch.manual_seed(2)
    state = torch.get_rng_state()
    with adapter.fast_init(KEY):
        with torch.device("meta"):
            net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Embedding(4, 5))
            for wrong in (
                lambda: torch.empty(2).normal_(0, -1),
                lambda: torch.empty(2, dtype=torch.int32).normal_(),
            ):
                with pytest.raises(RuntimeError):
                    wrong()
        assert net[0].weight.is_meta
        first = torch.nn.Linear(3, 4)
        adapter.materialize(net, rng=KEY)
    with adapter.fast_init(KEY):
        assert torch.equal(first.weight, torch.nn.Linear(3, 4).weight)
    with torch.device("meta"), pytest.raises(RuntimeError):
        torch.empty(2).normal_(0, -1)
    assert torch.equal(state, torch.get_rng_state())


def advised(address):
    """Whether the mapping that holds an address has been advised to be huge pages."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if bounds:
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return "hg" in line.split()
    return False


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="no /proc/self/smaps")
def test_large_parameters_are_advised_to_be_huge_pages():
    try:
        setting = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        setting = ""
    if not setting:
        pytest.skip("this kernel has no huge pages")
    net = torch.nn.Linear(4096, 4096, device="meta")
    adapter.materialize(net, rng=KEY)
    assert advised(net.weight.data_ptr() + net.weight.nbytes // 2)
    with models.rank_of(0, 2):
        mesh = models.init_device_mesh("cpu", (2,))
        net = torch.nn.Linear(4096, 8192, bias=False, device="meta")
        rows = tensor_module.distribute_tensor(
            net.weight, mesh, [tensor_module.Shard(0)], src_data_rank=None
        )
        net.weight = torch.nn.Parameter(rows)
        adapter.materialize(net, rng=KEY)
        local = net.weight.to_local()
        assert advised(local.data_ptr() + local.nbytes // 2)


# Buffers ------------------------------------------------------------------------------------------


def positions(**methods):
    """Return a module with buffers, made on the meta device, and methods that set them."""

    def init(self):
        torch.nn.Module.__init__(self)
        self.fc = torch.nn.Linear(3, 3)
        self.register_buffer("ids", torch.arange(6).expand(1, 6), persistent=False)
        self.register_buffer("scale", torch.tensor(2.0))

    kind = type("Positions", (torch.nn.Module,), {"__init__": init, **methods})
    with torch.device("meta"):
        return kind()


def set_both(self):
    self.ids.copy_(torch.arange(6))
    self.scale = torch.tensor(2.0)


@pytest.mark.parametrize("method", ["reset_buffers", "init_non_persistent_buffers"])
def test_a_method_sets_the_buffers(method):
    module = positions(**{method: set_both})
    report = adapter.materialize(module, rng=KEY)
    assert report.buffers == {"ids": method, "scale": method}
    assert module.ids.tolist() == [list(range(6))]
    assert float(module.scale) == 2
    assert "ids" not in module.state_dict()
    assert "Buffers: ids (" in str(report)


def test_reset_parameters_sets_buffers_before_the_parameters_are_drawn():
    def reset_parameters(self):
        self.fc.reset_parameters()
        set_both(self)

    module = positions(reset_parameters=reset_parameters)
    state = torch.get_rng_state()
    report = adapter.materialize(module, rng=KEY)
    assert torch.equal(state, torch.get_rng_state())
    assert report.buffers["ids"] == "reset_parameters"
    assert (bits(module.fc.weight) == drawn(report[0], KEY)).all()
    # It would write what is real, so that it is not called.
    module = positions(reset_parameters=reset_parameters)
    module.fc = torch.nn.Linear(3, 3)
    before = state_of(module)
    with pytest.raises(ValueError, match=r"these 2 buffers, .*: ids, scale"):
        adapter.materialize(module, rng=KEY)
    assert_unchanged(module, before)


def test_buffers_that_nothing_sets_are_refused():
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(3, device="meta"), positions())
    before = state_of(net)
    with pytest.raises(
        ValueError, match=r"these 2 buffers, .* 1\.ids, 1\.scale\. Pass their values"
    ):
        adapter.materialize(net, rng=KEY)
    assert_unchanged(net, before)
    values = {"1.ids": torch.arange(6).expand(1, 6), "1.scale": torch.tensor(2.0)}
    report = adapter.materialize(net, rng=KEY, buffers=values)
    assert report.buffers["1.ids"] == "as given"
    assert net[1].ids.tolist() == [list(range(6))]


def test_a_method_that_raises_is_named():
    def reset_buffers(self):
        raise OSError("no file")

    with pytest.raises(ValueError, match=r"reset_buffers of Positions raised OSError\('no file'\)"):
        adapter.materialize(positions(reset_buffers=reset_buffers), rng=KEY)


def test_a_method_that_replaces_parameters_is_refused():
    def reset_parameters(self):
        set_both(self)
        self.fc.weight = torch.nn.Parameter(torch.ones(3, 3))

    with pytest.raises(ValueError, match=r"place of these: fc\.weight\. Give the module"):
        adapter.materialize(positions(reset_parameters=reset_parameters), rng=KEY)


def test_wrong_buffers():
    module = positions()
    before = state_of(module)
    with pytest.raises(ValueError, match=r"'id', which is no buffer .*did you mean 'ids'"):
        adapter.materialize(module, rng=KEY, buffers={"id": torch.arange(6)})
    with pytest.raises(ValueError, match=r"has shape \(6,\), and the buffer has shape \(1, 6\)"):
        adapter.materialize(module, rng=KEY, buffers={"ids": torch.arange(6)})
    with pytest.raises(TypeError, match="must be a tensor, not 3"):
        adapter.materialize(module, rng=KEY, buffers={"ids": 3})
    assert_unchanged(module, before)


def test_shared_buffers_and_plain_attributes():
    def reset_buffers(self):
        set_both(self)
        self.table = torch.ones(2)

    module = positions(reset_buffers=reset_buffers)
    with torch.device("meta"):
        module.table = torch.ones(2)
        module.again = module.ids
        other = torch.nn.Linear(3, 3)
        other.register_buffer("ids", module.ids)
        net = torch.nn.ModuleList([module, other])
    adapter.materialize(net, rng=KEY)
    assert bool((module.table == 1).all())
    assert module.again is module.ids is other.ids
    # An attribute that nothing sets.
    module = positions(reset_buffers=set_both)
    with torch.device("meta"):
        module.table = torch.ones(2)
    before = state_of(module)
    with pytest.raises(ValueError, match=r"these attributes of modules .*: table: make"):
        adapter.materialize(module, rng=KEY)
    assert_unchanged(module, before)
    assert module.table.is_meta


# Shards -------------------------------------------------------------------------------------------


def test_dtensors_get_memory_for_their_shards_alone():
    whole = None
    placements = [tensor_module.Shard(0), tensor_module.Shard(1)]
    held = 0
    for mesh in models.ranks_of_mesh((2, 3)):
        with torch.device("meta"):
            net = torch.nn.Linear(10, 7)
        weight = tensor_module.distribute_tensor(net.weight, mesh, placements, src_data_rank=None)
        net.weight = torch.nn.Parameter(weight)
        kept = net.weight
        report = adapter.materialize(net, rng=KEY)
        assert net.weight is kept
        assert isinstance(net.weight, tensor_module.DTensor)
        assert net.weight.is_leaf
        assert report[0].shape == (7, 10)
        whole = torch.from_numpy(report[0].initializer((7, 10), rng=KEY, stream="weight"))
        local = net.weight.to_local()
        expected = tensor_module.distribute_tensor(whole, mesh, placements, src_data_rank=None)
        assert torch.equal(local, expected.to_local())
        assert local.untyped_storage().nbytes() == local.numel() * 4
        held += local.numel()
        assert (bits(net.bias) == drawn(report[1], KEY)).all()
    assert held == 70


# What is refused ----------------------------------------------------------------------------------


def test_errors_leave_the_module_on_meta():
    with torch.device("meta"):
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        net[0].extra = torch.nn.Parameter(torch.empty(2))
    before = state_of(net)
    for call, error, text in [
        ({"recipe": "he_normal"}, ValueError, r"0\.bias: shape \(4,\) has no fans"),
        ({"recipe": {"*.weight": "ones"}}, ValueError, r"3 tensors: 0\.bias, 0\.extra, 1\.bias"),
        ({}, ValueError, r"0\.extra of Linear"),
        ({"recipe": "normal", "device": "meta"}, ValueError, "device must have memory"),
        ({"recipe": "normal", "dtype": torch.int32}, TypeError, "dtype must be one of"),
        ({"recipe": "normal", "dtype": "int8"}, TypeError, "dtype must be one of"),
        ({"recipe": "normal", "rng": "seed"}, TypeError, "rng"),
        ({"recipe": "normal", "threads": -1}, ValueError, "threads"),
        ({"recipe": "normal(std=1e300)"}, ValueError, r"0\.weight"),
    ]:
        with pytest.raises(error, match=text):
            adapter.materialize(net, **{"rng": KEY, **call})
        assert_unchanged(net, before)
    with pytest.raises(TypeError, match="module must be"):
        adapter.materialize({}, rng=KEY)


def test_unused_patterns_warn():
    net = torch.nn.Linear(3, 4, device="meta")
    with pytest.warns(UserWarning, match="the pattern \\*\\.wieght"):
        adapter.materialize(net, {"*.wieght": "ones", "*": "zeros"}, rng=KEY)
    assert bool((net.weight == 0).all())


@pytest.mark.parametrize("kind", [list, tuple, lambda rows: dict(enumerate(rows))])
def test_a_collection_of_meta_tensors_is_refused_by_name(kind):
    with torch.device("meta"):
        module = torch.nn.Sequential(torch.nn.Linear(3, 3))
        module[0].tables = kind([torch.arange(4), torch.ones(2)])
    with pytest.raises(ValueError, match=r"or hold some, .*: 0\.tables: make"):
        adapter.materialize(module, rng=KEY)
    assert module[0].weight.is_meta
    module[0].tables = kind([torch.arange(4), torch.ones(2)])
    adapter.materialize(module, rng=KEY)


def test_a_dtype_that_is_never_drawn_says_what_to_do():
    with torch.device("meta"):
        module = torch.nn.Linear(3, 3)
        codes = torch.empty(3, dtype=torch.int8)
        module.codes = torch.nn.Parameter(codes, requires_grad=False)
    with pytest.raises(TypeError, match=r"codes \(torch.int8\).*outside of the meta device before"):
        adapter.materialize(module, rng=KEY)
