"""torch, JAX and Keras, where they are installed: fans and scales.

`python tests/peers` compares every initialiser on every layer; these are the fast comparisons.
"""

import math
import os

import numpy as np
import pytest
from support.frameworks import Framework

import weightinit_fast as wi

os.environ.setdefault("KERAS_BACKEND", "jax")
torch, jax, keras = Framework("torch"), Framework("jax"), Framework("keras")


# ---- fans -----------------------------------------------------------------------------------

SHAPES = [(4, 3), (8, 1), (6, 4, 5), (6, 4, 3, 2), (6, 4, 1, 3, 2), (0, 4), (4, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_are_those_of_torch(shape):
    tensor = torch.empty(shape, device="meta")
    assert wi.fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(tensor)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
def test_fans_are_those_of_jax(shape):
    layout = "DHW"[: len(shape) - 2] + "IO"
    assert wi.fans(shape, layout=layout) == jax._src.nn.initializers._compute_fans(shape)


def test_fans_of_a_batch_are_those_of_jax():
    assert wi.fans((8, 4, 6), layout="BIO") == jax._src.nn.initializers._compute_fans(
        (8, 4, 6), batch_axis=(0,)
    )


@pytest.mark.parametrize(
    ("layout", "axes"),
    [
        ("IOO", {"in_axis": 0, "out_axis": (1, 2)}),  # attention: (inputs, heads, size of a head)
        ("IIO", {"in_axis": (0, 1), "out_axis": 2}),
        ("BIOO", {"in_axis": 1, "out_axis": (2, 3), "batch_axis": 0}),
        ("IHOI", {"in_axis": (0, 3), "out_axis": 2}),
    ],
)
def test_fans_of_several_axes_are_those_of_jax(layout, axes):
    shape = (2, 3, 5, 7)[: len(layout)]
    assert wi.fans(shape, layout=layout) == jax._src.nn.initializers._compute_fans(shape, **axes)
    scaling = jax.nn.initializers.variance_scaling(2.0, "fan_avg", "uniform", **axes)
    theirs = float(abs(scaling(jax.random.key(0), shape)).max())
    ours = wi.initializer(wi.variance_scaling, scale=2, mode="fan_avg", distribution="uniform")
    high = wi.initializer(ours, layout=layout).law(shape).high
    assert 0.8 * high < theirs <= high * (1 + 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_are_those_of_keras(shape):
    compute_fans = keras.src.initializers.random_initializers.compute_fans
    assert wi.fans(shape, layout="DHW"[: len(shape) - 2] + "IO") == compute_fans(shape)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_shapes_without_fans_are_refused_as_by_torch_and_jax(shape):
    with pytest.raises(ValueError, match=r"fans=\(fan_in, fan_out\)"):
        wi.he_normal(shape, rng=0)
    with pytest.raises(ValueError, match="Fan in and fan out"):
        torch.nn.init.kaiming_normal_(torch.empty(shape))
    with pytest.raises((ValueError, IndexError)):
        jax.nn.initializers.he_normal()(jax.random.key(0), shape)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_fans_that_keras_gives_to_vectors_can_be_stated(shape):
    fans = keras.src.initializers.random_initializers.compute_fans(shape)
    assert fans == ((5, 5) if shape else (1, 1))
    assert wi.initializer(wi.lecun_normal, fans=fans).law(shape).std == fans[0] ** -0.5


@pytest.mark.parametrize(
    ("name", "groups", "fans"),
    [("Conv2d", 1, (108, 216)), ("Conv2d", 4, (27, 54)), ("ConvTranspose2d", 4, (27, 54))],
)
def test_fans_of_torch_convolutions(name, groups, fans):
    weight = getattr(torch.nn, name)(12, 24, 3, groups=groups).weight
    options = {"layout": "IOHW", "transposed": True} if "Transpose" in name else {}
    assert wi.fans(tuple(weight.shape), groups=groups, **options) == fans


@pytest.mark.parametrize(
    ("name", "args", "options", "fans"),
    [
        ("Conv2D", (24, 3), {"layout": "HWIO"}, (108, 216)),
        ("Conv2DTranspose", (24, 3), {"layout": "HWOI", "transposed": True}, (108, 216)),
        (
            "DepthwiseConv2D",
            (3, 1, "same", 2),
            {"layout": "HWIO", "groups": 12, "transposed": True},
            (9, 18),
        ),
    ],
)
def test_fans_of_keras_convolutions(name, args, options, fans):
    layer = getattr(keras.layers, name)(*args)
    layer.build((None, 8, 8, 12))
    assert wi.fans(tuple(layer.weights[0].shape), **options) == fans


# ---- scales ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["xavier_uniform", "kaiming_uniform", "kaiming_normal"])
def test_scales_are_those_of_torch(name):
    tensor = torch.empty(300, 400)
    getattr(torch.nn.init, f"{name}_")(tensor, **({} if "xavier" in name else {"a": 0.2}))
    ours = getattr(wi, name)((300, 400), rng=0, **({} if "xavier" in name else {"a": 0.2}))
    assert float(tensor.std()) == pytest.approx(float(ours.std()), rel=0.02)


@pytest.mark.parametrize("nonlinearity", ["linear", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_those_of_torch(nonlinearity):
    assert wi.gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)


def test_torch_layers_begin_with_fan_in_uniform():
    weight = torch.nn.Conv2d(12, 24, 5, groups=4).weight
    bound = float(weight.detach().abs().max())
    ours = float(abs(wi.fan_in_uniform(tuple(weight.shape), groups=4, rng=0)).max())
    assert bound == pytest.approx(1 / math.sqrt(75), rel=0.01)
    assert ours == pytest.approx(1 / math.sqrt(75), rel=0.01)


@pytest.mark.parametrize("name", ["Linear", "Conv2d"])
def test_torch_biases_begin_with_fan_in_uniform_and_stated_fans(name):
    layer = torch.nn.Linear(75, 5000) if name == "Linear" else torch.nn.Conv2d(3, 5000, 5)
    law = wi.initializer(wi.fan_in_uniform, fans=wi.fans(layer.weight.shape)).law(5000)
    assert law.high == pytest.approx(1 / math.sqrt(75))
    assert float(layer.bias.detach().abs().max()) == pytest.approx(law.high, rel=0.01)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 2, 4, 3), (3, 4, 3, 2, 1)])
def test_dirac_is_that_of_torch(shape, groups):
    tensor = torch.nn.init.dirac_(torch.empty(shape), groups)
    np.testing.assert_array_equal(wi.dirac(shape, groups=groups), tensor.numpy())


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_delta_orthogonal_has_the_centre_of_jax(k):
    theirs = jax.nn.initializers.delta_orthogonal()(jax.random.key(0), (k, 3, 2, 4))
    ours = wi.delta_orthogonal((k, 3, 2, 4), layout="HWIO", rng=0)
    np.testing.assert_array_equal(ours != 0, np.asarray(theirs) != 0)
