"""The mathematics of the depth study: backward passes, data, symmetric nets."""

import numpy as np
import pytest
from support import DOCS, modules_of

import weightinit_fast as wi

pytestmark = pytest.mark.meta
STUDY = DOCS / "depth_study"
if not STUDY.is_dir():
    pytest.skip("docs/depth_study is not here", allow_module_level=True)

STEP = 1e-6


@pytest.fixture(scope="module")
def study():
    with modules_of(STUDY, ("schemes", "nets", "propagation")) as modules:
        yield modules


@pytest.fixture(scope="module")
def training(study):
    pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")
    return __import__("training")


def build(study, kind, activation):
    nets, he = study["nets"], study["schemes"].he()
    names = [activation, activation, "linear"]
    if kind == "dense":
        return nets.dense_net((6, 5, 4, 3), he, names, (0, 1), "f8"), (2, 7, 6)
    net = nets.conv_net((2, 3, 4), he, names, (0, 1), "f8", kind, head=(48, 3))
    return net, (2, 5, 4, 3, 2)


def normals(shape, stream):
    return wi.normal(shape, dtype="f8", rng=7, stream=stream)


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu", "prelu"])
@pytest.mark.parametrize("kind", ["dense", "wrap", "constant"])
def test_backward_against_finite_differences(study, kind, activation):
    net, shape = build(study, kind, activation)
    x = normals(shape, "x")
    labels = np.arange(shape[0] * shape[1]).reshape(shape[:2]) % 3
    # Move off the kinks at zero, where an error of a bias gradient would not show.
    for layer in net.layers:
        layer.bias += 0.1 * normals(layer.bias.shape, "bias")

    def loss(at):
        return study["nets"].cross_entropy(net.forward(at)[-1], labels)[0].sum()

    top = study["nets"].cross_entropy(net.forward(x)[-1], labels)[1]
    kept = net.backward(top, keep=True)
    pairs = [(la.weight, la.dweight) for la in net.layers]
    pairs += [(la.bias, la.dbias) for la in net.layers]
    for number, (value, slope) in enumerate(pairs):
        assert slope.shape == value.shape
        direction = normals(value.shape, f"direction{number}")
        middle = value.copy()
        value[...] = middle + STEP * direction
        above = loss(x)
        value[...] = middle - STEP * direction
        below = loss(x)
        value[...] = middle
        assert np.isclose((above - below) / (2 * STEP), (slope * direction).sum(), rtol=1e-5)

    # The gradient of the first activations passes through the layers above them alone.
    h = net.forward(x)[1]
    direction = normals(h.shape, "activations")
    upper = study["nets"].Net(net.layers[1:], net.activations[1:])
    ends = [
        study["nets"].cross_entropy(upper.forward(h + s * STEP * direction)[-1], labels)[0].sum()
        for s in (1, -1)
    ]
    assert np.isclose((ends[0] - ends[1]) / (2 * STEP), (kept[0] * direction).sum(), rtol=1e-5)


def test_convolution_by_its_definition(study):
    net, shape = build(study, "constant", "linear")
    x = normals(shape, "x")
    got = net.layers[0].forward(x)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
    want = sum(
        np.einsum("nbhwi,nio->nbhwo", padded[:, :, i : i + 4, j : j + 3], weight)
        for i in range(3)
        for j in range(3)
        for weight in [net.layers[0].weight[:, i, j]]
    )
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_a_layer_does_not_depend_on_its_stack(study):
    """A net in a stack has the weights of its seed, however many nets the stack has."""
    nets, he = study["nets"], study["schemes"].he()
    both = nets.dense_net((6, 5), he, ["linear"], (3, 4), "f4")
    alone = nets.dense_net((6, 5), he, ["linear"], (4,), "f4")
    np.testing.assert_array_equal(both.layers[0].weight[1], alone.layers[0].weight[0])


def test_fans_are_those_of_the_orientation(study):
    """Weights are stored with the inputs first, and He's std has to follow the inputs."""
    nets, he = study["nets"], study["schemes"].he()
    wide = nets.dense_net((2000, 50), he, ["linear"], (0,), "f8").layers[0].weight
    assert abs(wide.std() / np.sqrt(2 / 2000) - 1) < 0.02
    conv = nets.conv_net((100, 10), he, ["relu"], (0,), "f8", "wrap").layers[0].weight
    assert abs(conv.std() / np.sqrt(2 / 900) - 1) < 0.04


def test_gradient_ratio_runs_downwards(study):
    found = study["propagation"].summary([[2.0, 4.0, 8.0]], backward=True)
    assert found["ratio"]["median"] == 0.25
    assert found["factor"] == 0.5
    assert not found["holds"]


def test_vgg_b_gives_the_factor_of_he_et_al(study):
    """He et al. 2.2: the gradient from conv10 to conv2 is 1/(1.7e4) of what it should be."""
    nets, channels = study["nets"], study["propagation"].VGG["B"]
    reckoned = np.prod([nets.relu_factor(0.01, 9 * c) for c in channels[1:]])
    assert round(1 / reckoned, -3) == 17_000


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(
    ("name", "least", "most"),
    # Some BLAS libraries add equal columns in different orders, so that rounding differs.
    [("zeros", 0, 0), ("constant", 0, 1e-5), ("he", 0.1, 10)],
)
def test_equal_units_stay_equal(study, training, activation, name, least, most):
    schemes = study["schemes"]
    scheme = {"zeros": schemes.ZEROS, "constant": schemes.constant(1 / 16), "he": schemes.he()}
    data = __import__("digits").load()
    family = training.dense_family(3, activation, data, training.QUICK)
    found = training.tuned(family, scheme[name], training.QUICK, gaps=True)
    assert least <= found["unit_gap"] <= most


def test_digits_are_split_once(training):
    digits = __import__("digits")
    parts = digits.load()
    assert [len(part.x) for part in parts] == [1088, 309, 400]
    assert len(np.unique(np.concatenate([p.x for p in parts]), axis=0)) == 1797
    maps = digits.as_maps(np.arange(64).reshape(1, 64))
    np.testing.assert_array_equal(maps[0, 1, 2], [20, 21, 28, 29])
