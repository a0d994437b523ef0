"""signal: its verdicts, on the depth study's networks and on models that are initialised well."""

import math
import sys

import numpy as np
import pytest
from signal_nets import adapter, ids, kinds, net, normals, row_of, torch
from signal_nets import one_thread as one_thread  # noqa: PLC0414  a fixture
from support import DOCS, modules_of
from support.frameworks import Framework
from support.reference_models import quietly
from support.reference_models import torchvision as torchvision  # noqa: PLC0414  the fixture imports them
from support.reference_models import transformers as transformers  # noqa: PLC0414

import weightinit_fast as wi

signal_rows = Framework("weightinit_fast.torch.signal.rows")

DEPTH, WIDTH, BATCH = 30, 64, 128


def look(activation, rule, depth=DEPTH, width=WIDTH):
    return adapter.signal(net(depth, width, activation, rule), normals(BATCH, width))


# The depth study ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "rule", "wanted"),
    [
        ("ReLU", "normal(std=0.01)", ["vanishes"] * 2),
        ("ReLU", "normal", ["explodes"] * 2),
        ("ReLU", "xavier_normal", ["vanishes"] * 2),
        ("ReLU", "he_normal", []),
        ("ReLU", "zeros", ["symmetric", "no gradient"]),
        ("ReLU", "constant(value=0.015625)", ["symmetric"]),
        ("ReLU", "orthogonal(gain=1.4142135)", []),
        ("Tanh", "normal(std=0.01)", ["vanishes"] * 2),
        ("Tanh", "normal", ["explodes"]),  # of gradients alone: the units are saturated
        ("Tanh", "xavier_normal", []),
        ("Tanh", "he_normal", []),
        ("Tanh", "zeros", ["symmetric", "no gradient"]),
        ("Identity", "xavier_normal", []),
        ("Identity", "he_normal", ["explodes"] * 2),
        ("PReLU", "xavier_normal", ["vanishes"] * 2),
        ("PReLU", "he_normal(a=0.25)", []),
    ],
)
def test_the_networks_of_the_depth_study(activation, rule, wanted):
    assert kinds(look(activation, rule)) == wanted


@pytest.mark.parametrize(
    ("rule", "factor"),
    [
        ("xavier_normal", math.sqrt(2)),
        ("normal(std=0.01)", 1 / (0.01 * math.sqrt(WIDTH / 2))),
        ("normal", math.sqrt(WIDTH / 2)),
    ],
)
def test_the_factor_of_a_layer_is_that_of_the_formula(rule, factor):
    """σ·√(fan_in/2) under ReLU: Xavier's 1/√2 a layer, forwards and backwards."""
    found = look("ReLU", rule)
    for finding in found.wrong:
        words = finding.text.split()
        said = float(words[words.index("factor") + 2])
        assert math.isclose(said, factor, rel_tol=0.04), finding.text
    forward, back = found.wrong
    assert forward.text.startswith("Activations")
    assert forward.layer == "0"
    assert back.text.startswith("Gradients")
    assert back.layer == "58"


@pytest.mark.parametrize(
    ("depth", "wanted"), [(2, []), (3, []), (4, ["explodes"]), (6, ["explodes"] * 2)]
)
def test_a_large_sigma_does_no_harm_to_a_shallow_network(depth, wanted):
    """With σ = 1 the study's ReLU networks train to depth 2, and do not at 4."""
    assert kinds(look("ReLU", "normal", depth)) == wanted


@pytest.mark.parametrize(
    ("change", "wrong", "drifts"),
    [
        (1 / 1500, ["vanishes"] * 2, 0),
        (1 / 700, [], 2),
        (1 / 150, [], 2),
        (1 / 70, [], 0),
        (70, [], 0),
        (150, ["explodes"], 1),  # activations; those of gradients are a note
        (700, ["explodes"], 1),
        (1500, ["explodes"] * 2, 0),
    ],
)
def test_limits(change, wrong, drifts):
    """Orthogonal layers change the std by their gain exactly, forwards and backwards."""
    gain = change ** (1 / 10)
    found = look("Identity", f"orthogonal(gain={gain})", depth=11)
    assert kinds(found) == wrong
    assert [note.kind for note in found.notes].count("drift") == drifts
    assert [note.kind for note in found.notes].count("course") == (not wrong and not drifts)


@pytest.mark.skipif(not (DOCS / "depth_study").is_dir(), reason="no depth study beside the tests")
def test_the_numbers_are_those_of_the_study():
    """The study's own passes, in NumPy, find the same std of activations and of gradients."""
    layers, depth = ["relu"] * 5, 5
    with modules_of(DOCS / "depth_study", ("schemes", "nets")) as study:
        theirs = study["nets"].dense_net((32,) * 6, study["schemes"].he(), layers, [0], "f8")
    module = torch.nn.Sequential(
        *[m for _ in range(depth) for m in (torch.nn.Linear(32, 32), torch.nn.ReLU())]
    ).double()
    with torch.no_grad():
        for number, layer in enumerate(theirs.layers):
            module[2 * number].weight.copy_(torch.from_numpy(layer.weight[0].T.copy()))
            module[2 * number].bias.zero_()
    sample = normals(64, 32).double()
    values = theirs.forward(sample.numpy()[None])
    top = wi.normal((64, 32), rng=0, stream="gradient 0").astype(np.float64)
    slopes = theirs.backward(top[None], keep=True)
    found = adapter.signal(module, sample)
    rows = [row for row in found.rows if row.kind == "ReLU"]
    np.testing.assert_allclose([row.std for row in rows], [h.std() for h in values[1:]], rtol=1e-6)
    np.testing.assert_allclose(
        [row.gradient_std for row in rows], [dh.std() for dh in slopes], rtol=1e-6
    )


# Models that are initialised well -----------------------------------------------------------------


def lstm():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(200, 48)
            self.lstm = torch.nn.LSTM(48, 48, 3, batch_first=True)
            self.head = torch.nn.Linear(48, 200)

        def forward(self, x):
            return self.head(self.lstm(self.embedding(x))[0])

    return Model()


def gpt2():
    config = transformers.GPT2Config(
        vocab_size=200,
        n_embd=64,
        n_layer=6,
        n_head=4,
        n_positions=32,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config)


def vision(name):
    def make():
        return getattr(torchvision.models, name)()

    return make


def encoder(norm_first):
    def make():
        layer = torch.nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, norm_first=norm_first)
        return torch.nn.TransformerEncoder(layer, 8, enable_nested_tensor=False)

    return make


@pytest.mark.parametrize(
    ("make", "sample"),
    [
        pytest.param(gpt2, lambda: ids(4, 24, high=200), id="GPT-2"),
        pytest.param(lstm, lambda: ids(8, 24, high=200), id="LSTM"),
        pytest.param(vision("resnet18"), lambda: normals(8, 3, 32, 32), id="ResNet-18"),
        pytest.param(vision("mobilenet_v2"), lambda: normals(4, 3, 32, 32), id="MobileNet"),
        pytest.param(encoder(False), lambda: normals(8, 12, 48), id="post-norm"),
        pytest.param(encoder(True), lambda: normals(8, 12, 48), id="pre-norm"),
    ],
)
def test_nothing_is_wrong_with_a_proper_initialisation(make, sample):
    torch.manual_seed(0)
    with quietly():
        module = make()
    found = adapter.signal(module, sample())
    assert found.wrong == ()
    assert found.verdict == ["Nothing looks wrong."]
    assert not any(finding.kind == "not run" for finding in found.findings)


def test_the_layers_of_two_blocks_are_no_series():
    """The gradient of the queries is small in a BERT that is as it should be."""
    config = transformers.BertConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        vocab_size=100,
    )
    torch.manual_seed(0)
    with quietly():
        module = transformers.BertForSequenceClassification(config)
    assert adapter.signal(module, {"input_ids": ids(32, 32, high=100)}).wrong == ()


def test_a_resnet_of_blocks_that_begin_as_zeros():
    """The last batch norm of each block is zero on purpose: it is a note."""
    torch.manual_seed(0)
    resnet = torchvision.models.resnet
    module = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], zero_init_residual=True)
    found = adapter.signal(module, normals(8, 3, 32, 32))
    assert found.wrong == ()
    notes = {note.kind: note for note in found.notes}
    assert "layer1.0.bn2 (BatchNorm2d)" in notes["zero"].text
    assert notes["no gradient yet"].layer == "layer1.0.conv1"


def test_a_gpt2_whose_weights_are_too_large():
    torch.manual_seed(0)
    with quietly():
        module = gpt2()
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "c_proj.weight" in name or "c_fc.weight" in name:
                p.mul_(100 if "h.5" in name else 1)
    # One block alone is no trend, and norms bring the signal back.
    assert adapter.signal(module, ids(4, 24, high=200)).wrong == ()


def test_a_residual_network_without_norms_explodes():
    """Each block of He's rule without a norm doubles the variance."""

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)

        def forward(self, x):
            return x + self.second(torch.relu(self.first(x)))

    module = torch.nn.Sequential(*[Block() for _ in range(24)])
    recipe = wi.Recipe({"*.bias": "zeros", "*": "he_normal"})
    recipe.fill({name: p.detach() for name, p in module.named_parameters()}, rng=0)
    found = adapter.signal(module, normals(128, 64))
    assert set(kinds(found)) == {"explodes"}
    blocks = [row for row in found.rows if row.kind == "Block"]
    assert len(blocks) == 24
    ratio = blocks[-1].std / blocks[0].std
    # x + W2·relu(W1·x) has the variance v + 2·E(relu²) = v + 2·v under He's rule for both layers.
    assert math.isclose(ratio ** (1 / 23), math.sqrt(3), rel_tol=0.15)


def test_one_layer_that_is_scaled_down_is_no_trend():
    module = net(12, 64, "ReLU", "he_normal")
    with torch.no_grad():
        module[10].weight.mul_(1e-5)
    found = adapter.signal(module, normals(128, 64))
    assert found.wrong == ()


# Dead units ---------------------------------------------------------------------------------------


def test_dead_units_are_counted():
    module = net(3, 64, "ReLU", "he_normal")
    with torch.no_grad():
        module[2].bias[10:35] = -100
    found = adapter.signal(module, normals(128, 64))
    assert kinds(found) == ["dead"]
    assert found.wrong[0].layer == "3"
    assert found.wrong[0].text.startswith("25 of the 64 units of 3 (ReLU) are dead")
    row = row_of(found, "3")
    assert (row.dead, row.units, row.positions) == (25, 64, 128)
    assert row_of(found, "1").dead == 0


@pytest.mark.parametrize("call", ["functional", "inplace", "method"])
def test_dead_units_of_functions_that_are_no_modules(call):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.out = torch.nn.Conv2d(3, 40, 3), torch.nn.Linear(40, 10)

        def forward(self, x):
            x = self.conv(x)
            if call == "functional":
                x = torch.nn.functional.relu(x)
            elif call == "inplace":
                x = torch.relu_(x)
            else:
                x = x.relu()
            return self.out(x.mean((2, 3)))

    torch.manual_seed(0)
    module = Model()
    with torch.no_grad():
        module.conv.bias[:30] = -100
    found = adapter.signal(module, normals(4, 3, 8, 8))
    assert kinds(found) == ["dead"]
    row = row_of(found, "Model.relu()")
    # The units of a convolution are its channels.
    assert (row.dead, row.units, row.positions) == (30, 40, 4 * 6 * 6)


def test_a_layer_without_a_unit_that_is_alive():
    module = net(3, 4, "ReLU", "he_normal")
    with torch.no_grad():
        module[2].bias.fill_(-100)
    found = adapter.signal(module, normals(32, 4))
    assert "dead" in kinds(found)
    assert row_of(found, "3").dead == 4


def test_chance_makes_no_dead_units_wrong():
    """In deep networks under He's rule a third of the units is 0 for all of a sample."""
    found = look("ReLU", "he_normal")
    assert found.wrong == ()
    (note,) = (note for note in found.notes if note.kind == "dead by chance")
    dead, always = (sum(getattr(r, name) for r in found.rows) for name in ("dead", "always"))
    assert dead > 200
    assert abs(dead - always) < 5 * math.sqrt(dead + always)
    assert note.text.startswith(f"{dead:,} of 1,920 ReLU units are 0 for the whole sample")


def test_one_example_says_nothing_about_dead_units():
    found = adapter.signal(net(3, 512, "ReLU", "he_normal"), normals(1, 512))
    assert found.wrong == ()
    assert row_of(found, "1").dead > 200
    assert all(note.kind != "dead by chance" for note in found.notes)


# Symmetric units ----------------------------------------------------------------------------------


def test_two_equal_rows_are_found_only_if_they_stay_equal():
    module = net(3, 64, "ReLU", "he_normal")
    with torch.no_grad():
        module[2].weight[7] = module[2].weight[3]
    # Their outgoing weights differ, and so do their gradients.
    assert adapter.signal(module, normals(128, 64)).wrong == ()
    with torch.no_grad():
        module[4].weight[:, 7] = module[4].weight[:, 3]
    found = adapter.signal(module, normals(128, 64))
    assert kinds(found) == ["symmetric"]
    assert found.wrong[0].layer == "2"
    assert found.wrong[0].text.startswith("2 of the 64 units of layer 2")
    with torch.no_grad():
        module[2].bias[7] = 0.5
    assert adapter.signal(module, normals(128, 64)).wrong == ()


def first():
    """Return a module that takes the first of several outputs."""

    class First(torch.nn.Module):
        def forward(self, x):
            return x[0]

    return First()


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda nn: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), (4, 3, 9, 9)),
        (
            lambda nn: nn.Sequential(nn.ConvTranspose1d(3, 8, 3), nn.Tanh(), nn.Conv1d(8, 4, 1)),
            (4, 3, 9),
        ),
        (lambda nn: nn.Sequential(nn.LSTM(8, 16, 2), first(), nn.Linear(16, 4)), (5, 4, 8)),
        (lambda nn: nn.Sequential(nn.GRUCell(8, 16), nn.Linear(16, 4)), (4, 8)),
    ],
)
def test_zeros_in_other_modules(build, shape):
    module = build(torch.nn)
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()
    assert "symmetric" in kinds(adapter.signal(module, normals(*shape)))
    torch.manual_seed(1)
    module = build(torch.nn)
    assert adapter.signal(module, normals(*shape)).wrong == ()


@pytest.mark.parametrize("kind", ["Linear", "Conv1D", "ConvTranspose1d"])
def test_the_axis_of_the_units_is_that_of_the_layer(kind):
    """Each input has its own weight, which all units share: units are equal, inputs are not."""
    sample = normals(32, 8)
    if kind == "ConvTranspose1d":
        first, sample = torch.nn.ConvTranspose1d(8, 12, 1), sample[:, :, None]
    elif kind == "Conv1D":
        first = transformers.pytorch_utils.Conv1D(12, 8)
    else:
        first = torch.nn.Linear(8, 12)
    shape = {"Linear": (1, 8), "Conv1D": (8, 1), "ConvTranspose1d": (8, 1, 1)}[kind]
    module = torch.nn.Sequential(first, torch.nn.Flatten(), torch.nn.Tanh(), torch.nn.Linear(12, 4))
    with torch.no_grad():
        first.weight.copy_(normals(*shape, stream="weight").expand_as(first.weight))
        first.bias.zero_()
        module[3].weight.copy_(normals(4, 1, stream="out").expand(4, 12))
    found = adapter.signal(module, sample)
    assert kinds(found) == ["symmetric"]
    assert found.wrong[0].text.startswith("12 of the 12 units of layer 0")


def test_units_that_differ_in_their_bias_alone_are_not_equal():
    module = net(2, 16, "Identity", "he_normal")
    with torch.no_grad():
        module[0].weight[7] = module[0].weight[3]
        module[2].weight[:, 7] = module[2].weight[:, 3]
    assert kinds(adapter.signal(module, normals(32, 16))) == ["symmetric"]
    with torch.no_grad():
        module[0].bias[7] = 0.5
    assert adapter.signal(module, normals(32, 16)).wrong == ()


def test_layers_of_zeros_that_wait_for_another_one_are_not_symmetric():
    """The blocks of a diffusion transformer: the modulation and the last layer begin as zeros."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.modulation = torch.nn.Linear(16, 3 * 32)
            self.block = torch.nn.Linear(32, 32)
            self.head = torch.nn.Linear(32, 8)
            for layer in (self.modulation, self.head):
                torch.nn.init.zeros_(layer.weight)
                torch.nn.init.zeros_(layer.bias)

        def forward(self, x, condition):
            shift, scale, gate = self.modulation(condition).chunk(3, dim=1)
            return self.head(x + gate * self.block(x * (1 + scale) + shift))

    torch.manual_seed(0)
    found = adapter.signal(Model(), (normals(32, 32), normals(32, 16, stream="condition")))
    assert found.wrong == ()
    assert any(note.kind == "no gradient yet" for note in found.notes)


# Bad numbers --------------------------------------------------------------------------------------


def test_nan_and_infinity_are_found_where_they_begin():
    module = net(4, 64, "ReLU", "he_normal")
    with torch.no_grad():
        module[2].weight[0, 0] = math.nan
    found = adapter.signal(module, normals(16, 64))
    assert found.wrong[0].kind == "NaN"
    assert found.wrong[0].layer == "2"
    assert "16 of the 1,024 activations" in found.wrong[0].text
    with torch.no_grad():
        module[2].weight[0, 0] = math.inf
    found = adapter.signal(module, normals(16, 64))
    assert "infinite" in kinds(found)


def test_units_that_are_nan_are_not_dead():
    sample = normals(16, 64)
    sample[:] = math.nan
    found = adapter.signal(net(4, 64, "ReLU", "he_normal"), sample)
    assert "NaN" in kinds(found)
    assert not any(kind.startswith("dead") for kind in kinds(found))
    assert {row.dead for row in found.rows} == {0}


def test_gradients_that_are_not_finite():
    class Root(torch.nn.Module):
        def forward(self, x):
            return torch.sqrt(torch.relu(x))  # whose slope at 0 is infinite

    module = torch.nn.Sequential(torch.nn.Linear(8, 8), Root())
    found = adapter.signal(module, normals(16, 8))
    assert found.wrong[0].kind == "NaN"
    assert "of the gradient" in found.wrong[0].text


def test_a_signal_beyond_the_squares_of_float32_is_still_measured():
    """The squares of activations of 1e22 are infinite in float32, and those of 1e-38 are 0."""
    rows = look("ReLU", "normal").rows
    assert 1e21 < rows[-1].std < 1e24
    rows = look("ReLU", "normal(std=0.01)").rows
    assert 0 < rows[-1].std < 1e-36


@pytest.mark.parametrize("piece", [1, 7, 100, 1000])
def test_moments_of_pieces_are_joined(monkeypatch, piece):
    """The mean moves from piece to piece, and some of the numbers are not finite."""
    values = normals(100) * 3 + torch.arange(100)
    values[10], values[20:28], values[40] = math.nan, math.inf, 0
    monkeypatch.setattr(sys.modules["weightinit_fast.torch.signal.rows"], "_PIECE", piece)
    found = signal_rows.moments_of(values)
    finite = values[torch.isfinite(values)].double().numpy()
    assert (found.size, found.nan, found.inf, found.zeros) == (100, 1, 8, 1)
    np.testing.assert_allclose([found.mean, found.std], [finite.mean(), finite.std()], rtol=1e-12)


def test_no_gradient_at_all():
    class Cut(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(x).detach()

    found = adapter.signal(Cut(), normals(8, 4))
    assert kinds(found) == ["no gradient"]
    assert math.isnan(row_of(found, "layer").gradient_std)
