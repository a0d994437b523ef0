"""torch, JAX and Keras, where they are installed: fans and scales, and tensors as buffers.

`python tests/peers` compares every initialiser on every layer; these are the fast comparisons.
"""

import math
import os
import warnings

import numpy as np
import pytest

import weightinit_fast as wi

os.environ.setdefault("KERAS_BACKEND", "jax")
DRAW = {"std": 0.02, "rng": 0, "stream": "peers"}
SHAPE = (37, 53)


def peer(name):
    """Import a framework, or skip the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return __import__(name)
        except ImportError:
            pytest.skip(f"{name}: not installed")


@pytest.fixture(scope="module")
def torch():
    return peer("torch")


@pytest.fixture(scope="module")
def jax():
    return peer("jax")


@pytest.fixture(scope="module")
def keras():
    return peer("keras")


# ---- fans -----------------------------------------------------------------------------------

SHAPES = [(4, 3), (8, 1), (6, 4, 5), (6, 4, 3, 2), (6, 4, 1, 3, 2), (0, 4), (4, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_are_those_of_torch(torch, shape):
    tensor = torch.empty(shape, device="meta")
    assert wi.fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(tensor)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
def test_fans_are_those_of_jax(jax, shape):
    from jax._src.nn.initializers import _compute_fans  # noqa: PLC0415 -- where it is installed

    layout = "DHW"[: len(shape) - 2] + "IO"
    assert wi.fans(shape, layout=layout) == _compute_fans(shape)


def test_fans_of_a_batch_are_those_of_jax(jax):
    from jax._src.nn.initializers import _compute_fans  # noqa: PLC0415 -- where it is installed

    assert wi.fans((8, 4, 6), layout="BIO") == _compute_fans((8, 4, 6), batch_axis=(0,))


@pytest.mark.parametrize("shape", [(), (5,), *SHAPES])
def test_fans_are_those_of_keras(keras, shape):
    compute_fans = keras.src.initializers.random_initializers.compute_fans
    layout = None if len(shape) < 2 else "DHW"[: len(shape) - 2] + "IO"
    assert wi.fans(shape, layout=layout) == compute_fans(shape)


@pytest.mark.parametrize(
    ("name", "groups", "fans"),
    [("Conv2d", 1, (108, 216)), ("Conv2d", 4, (27, 54)), ("ConvTranspose2d", 4, (27, 54))],
)
def test_fans_of_torch_convolutions(torch, name, groups, fans):
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
def test_fans_of_keras_convolutions(keras, name, args, options, fans):
    layer = getattr(keras.layers, name)(*args)
    layer.build((None, 8, 8, 12))
    assert wi.fans(tuple(layer.weights[0].shape), **options) == fans


# ---- scales ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["xavier_uniform", "kaiming_uniform", "kaiming_normal"])
def test_scales_are_those_of_torch(torch, name):
    tensor = torch.empty(300, 400)
    getattr(torch.nn.init, f"{name}_")(tensor, **({} if "xavier" in name else {"a": 0.2}))
    ours = getattr(wi, name)((300, 400), rng=0, **({} if "xavier" in name else {"a": 0.2}))
    assert float(tensor.std()) == pytest.approx(float(ours.std()), rel=0.02)


@pytest.mark.parametrize("nonlinearity", ["linear", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_those_of_torch(torch, nonlinearity):
    assert wi.gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)


def test_torch_layers_begin_with_fan_in_uniform(torch):
    weight = torch.nn.Conv2d(12, 24, 5, groups=4).weight
    bound = float(weight.detach().abs().max())
    ours = float(abs(wi.fan_in_uniform(tuple(weight.shape), groups=4, rng=0)).max())
    assert bound == pytest.approx(1 / math.sqrt(75), rel=0.01)
    assert ours == pytest.approx(1 / math.sqrt(75), rel=0.01)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 2, 4, 3), (3, 4, 3, 2, 1)])
def test_dirac_is_that_of_torch(torch, shape, groups):
    tensor = torch.nn.init.dirac_(torch.empty(shape), groups)
    np.testing.assert_array_equal(wi.dirac(shape, groups=groups), tensor.numpy())


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_delta_orthogonal_has_the_centre_of_jax(jax, k):
    theirs = jax.nn.initializers.delta_orthogonal()(jax.random.key(0), (k, 3, 2, 4))
    ours = wi.delta_orthogonal((k, 3, 2, 4), layout="HWIO", rng=0)
    np.testing.assert_array_equal(ours != 0, np.asarray(theirs) != 0)


# ---- buffers --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("layout", ["plain", "transposed", "strided"])
def test_torch_tensors_are_written_in_place(torch, dtype, layout):
    rows, columns = SHAPE
    whole = torch.full((rows, 3 * columns), -1, dtype=getattr(torch, dtype))
    tensor = whole[:, 1 : 1 + 2 * columns : 2] if layout == "strided" else whole[:, :columns]
    if layout == "transposed":
        tensor = torch.full((columns, rows), -1, dtype=whole.dtype).t()
    address = tensor.data_ptr()
    assert wi.normal(out=tensor, **DRAW) is tensor
    assert tensor.data_ptr() == address
    np.testing.assert_array_equal(tensor.numpy(), wi.normal(SHAPE, dtype=dtype, **DRAW))
    assert int((whole != -1).sum()) == (0 if layout == "transposed" else rows * columns)


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("bfloat16", "uint16"), ("float8_e4m3fn", "uint8"), ("float8_e5m2", "uint8")],
)
def test_narrow_torch_tensors_by_their_bits(torch, dtype, bits):
    tensor = torch.empty(SHAPE, dtype=getattr(torch, dtype))
    wi.normal(out=tensor.view(getattr(torch, bits)), dtype=dtype, **DRAW)
    rounded = torch.from_numpy(wi.normal(SHAPE, **DRAW)).to(tensor.dtype)
    assert bool((tensor.view(torch.uint8) == rounded.view(torch.uint8)).all())


def test_a_torch_parameter_is_written_through_detach(torch):
    weight = torch.nn.Linear(SHAPE[1], SHAPE[0]).weight
    before = weight.detach().clone()
    with pytest.raises(ValueError, match=r"pass out\.detach\(\)"):
        wi.normal(out=weight, **DRAW)
    assert bool((weight == before).all())
    wi.normal(out=weight.detach(), **DRAW)
    np.testing.assert_array_equal(weight.detach().numpy(), wi.normal(SHAPE, **DRAW))


def test_a_bfloat16_tensor_itself_is_refused_with_what_to_do(torch):
    tensor = torch.zeros(SHAPE, dtype=torch.bfloat16)
    with pytest.raises(Exception, match=r"out=tensor\.view\(torch\.uint16\), dtype='bfloat16'"):
        wi.normal(out=tensor, **DRAW)
    assert not bool(tensor.any())


def test_an_expanded_torch_tensor_is_refused(torch):
    with pytest.raises(ValueError, match="repeats elements"):
        wi.normal(out=torch.zeros(1, 53).expand(SHAPE), **DRAW)


def test_jax_arrays_are_refused_and_ours_accepted(jax):
    array = jax.numpy.zeros(SHAPE)
    with pytest.raises(ValueError, match="read-only"):
        wi.normal(out=array, **DRAW)
    assert not bool(array.any())
    ours = wi.normal(SHAPE, **DRAW)
    np.testing.assert_array_equal(np.asarray(jax.numpy.asarray(ours)), ours)
