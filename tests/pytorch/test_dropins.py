"""The drop-ins of torch.nn.init: signatures, values, laws, and what they do to a tensor."""

import inspect
import math
import pickle
import threading

import numpy as np
import pytest
from pytorch_dropins import CALLS, DRAWN, Call
from support.frameworks import Framework
from tensor_bits import bits, torch

import weightinit_fast as wi

theirs = Framework("torch.nn.init")
adapter = Framework("weightinit_fast.torch")
ours = Framework("weightinit_fast.torch.init")
bounds = Framework("weightinit_fast.torch.bounds")

KEY = wi.Key(3, 4)
DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def function(call: Call):
    return getattr(ours, call.name)


def expected(call: Call, shape, dtype="float32", rng=KEY, stream="w"):
    """Return the bits that the package's own initialiser draws."""
    values = wi.initializer(*call.initialiser, **call.own)(
        shape, dtype=dtype, rng=rng, stream=stream
    )
    size = values.dtype.itemsize
    return values.view("u1" if size == 1 else f"i{size}")


# Names and signatures -----------------------------------------------------------------------------


def test_every_public_name_of_torch_is_there():
    assert set(ours._module.__all__) >= set(theirs._module.__all__)
    assert set(ours._module.__all__) <= {
        name for name in dir(theirs._module) if not name.startswith("_")
    }
    assert ours.calculate_gain is theirs.calculate_gain


@pytest.mark.parametrize("name", sorted({call.name for call in CALLS}))
def test_signatures_begin_as_torchs_do(name):
    wanted = inspect.signature(getattr(theirs, name)).parameters.values()
    found = list(inspect.signature(getattr(ours, name)).parameters.values())
    for parameter, own in zip(wanted, found, strict=False):
        assert (own.name, own.kind, own.default) == (
            parameter.name,
            parameter.kind,
            parameter.default,
        )
    added = found[len(wanted) :]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in added)
    assert {parameter.name for parameter in added} <= {
        "rng",
        "stream",
        "layout",
        "groups",
        "transposed",
        "threads",
    }
    assert getattr(ours, name).__module__ == "weightinit_fast.torch.init"
    assert pickle.loads(pickle.dumps(getattr(ours, name))) is getattr(ours, name)


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_values_are_those_of_the_package(call, dtype):
    tensor = torch.empty(call.shape, dtype=getattr(torch, dtype))
    keywords = {"rng": KEY, "stream": "w"} if call.draws else {}
    assert function(call)(tensor, *call.arguments, **keywords) is tensor
    np.testing.assert_array_equal(bits(tensor), expected(call, call.shape, dtype))


LAYOUTS = ("contiguous", "transposed", "sliced", "reversed axes", "channels_last", "offset")


def in_layout(name, shape, dtype):
    """Return a tensor of a layout, and the whole memory that it is a view of."""
    if name == "contiguous":
        whole = torch.zeros(shape, dtype=dtype)
        return whole, whole
    if name == "transposed":
        if len(shape) == 1:
            pytest.skip("there is nothing to transpose")
        whole = torch.zeros((shape[1], shape[0], *shape[2:]), dtype=dtype)
        return whole.transpose(0, 1), whole
    if name == "sliced":
        whole = torch.zeros((2 * shape[0], *(n + 3 for n in shape[1:])), dtype=dtype)
        return whole[::2][(slice(None), *(slice(1, n + 1) for n in shape[1:]))], whole
    if name == "reversed axes":
        whole = torch.zeros(shape[::-1], dtype=dtype)
        return whole.permute(*reversed(range(len(shape)))), whole
    if name == "channels_last":
        if len(shape) != 4:
            pytest.skip("only tensors of four axes have this memory format")
        whole = torch.zeros(shape, dtype=dtype).to(memory_format=torch.channels_last)
        return whole, whole
    whole = torch.zeros(7 + math.prod(shape), dtype=dtype)
    return whole[7:].view(shape), whole


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_values_in_every_layout(call, layout):
    keywords = {"rng": KEY, "stream": "w"} if call.draws else {}
    for dtype in ("float32", "float64", "bfloat16", "float8_e5m2"):
        tensor, whole = in_layout(layout, call.shape, getattr(torch, dtype))
        strides, version = tensor.stride(), tensor._version
        assert function(call)(tensor, *call.arguments, **keywords) is tensor
        np.testing.assert_array_equal(bits(tensor), expected(call, call.shape, dtype))
        assert tensor.stride() == strides
        assert tensor._version == whole._version > version
        assert np.count_nonzero(bits(whole)) == np.count_nonzero(bits(tensor))


@pytest.mark.parametrize("call", DRAWN, ids=str)
def test_empty_and_0d(call):
    if len(call.shape) == 1:
        tensor = torch.empty(())
        function(call)(tensor, *call.arguments, rng=KEY, stream="w")
        np.testing.assert_array_equal(bits(tensor), expected(call, ()))
    empty = torch.empty((0, *call.shape[1:]))
    if call.name.startswith("kaiming"):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op") as caught:
            assert function(call)(empty, *call.arguments) is empty
        assert caught[0].filename == __file__
    else:
        assert function(call)(empty, *call.arguments) is empty
        assert function(call)(empty, *call.arguments, rng=KEY) is empty


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_parameters(call):
    parameter = torch.nn.Parameter(torch.empty(call.shape))
    keywords = {"rng": KEY, "stream": "w"} if call.draws else {}
    assert function(call)(parameter, *call.arguments, **keywords) is parameter
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.grad_fn is None
    assert parameter._version == 1
    np.testing.assert_array_equal(bits(parameter), expected(call, call.shape))
    # An operation that has saved the former values refuses to go back.
    doubled = (parameter * parameter).sum()
    function(call)(parameter, *call.arguments)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        doubled.backward()


def test_views_of_parameters():
    packed = torch.nn.Parameter(torch.zeros(12, 4))
    with torch.no_grad():
        ours.xavier_uniform_(packed[4:8], rng=KEY, stream="k")
    ours.xavier_uniform_(packed.detach()[:4], rng=KEY, stream="q")
    np.testing.assert_array_equal(
        packed.detach()[4:8], wi.xavier_uniform((4, 4), rng=KEY, stream="k")
    )
    np.testing.assert_array_equal(
        packed.detach()[:4], wi.xavier_uniform((4, 4), rng=KEY, stream="q")
    )
    assert not packed.detach()[8:].any()
    assert packed._version == 2


def test_storages_stay_resizable():
    tensor = torch.empty(100)
    for call in CALLS:
        if call.shape[0] <= 100 and len(call.shape) == 1:
            function(call)(tensor, *call.arguments)
    ours.normal_(tensor[::2])
    tensor.untyped_storage().resize_(0)
    tensor.untyped_storage().resize_(400)


@pytest.mark.parametrize("threads", [0, -1, 1025, "2", 1.5, True])
@pytest.mark.parametrize("name", ["normal_", "zeros_", "kaiming_uniform_", "orthogonal_"])
def test_wrong_threads_are_refused_with_and_without_a_key(name, threads):
    tensor = torch.full((8, 6), 7.0)
    for key in ({}, {"rng": KEY}) if name != "zeros_" else ({},):
        with pytest.raises((TypeError, ValueError), match="threads"):
            getattr(ours, name)(tensor, threads=threads, **key)
    assert bool((tensor == 7).all())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_large_tensors(threads):
    tensor = torch.empty(300, 2000)
    ours.normal_(tensor, 1, 2, rng=KEY, stream="w", threads=threads)
    np.testing.assert_array_equal(
        tensor, wi.normal((300, 2000), mean=1, std=2, rng=KEY, stream="w")
    )
    ours.eye_(tensor, threads=threads)
    np.testing.assert_array_equal(tensor, wi.identity((300, 2000)))
    ours.dirac_(tensor.view(300, 200, 10), groups=3, threads=threads)
    np.testing.assert_array_equal(tensor, wi.dirac((300, 200, 10), groups=3).reshape(300, 2000))


# What layout, groups and transposed do ------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 1, 3, 3), {"groups": 64}),
        ((8, 6, 5), {"transposed": True, "groups": 2}),
        ((3, 3, 4, 8), {"layout": "HWIO"}),
    ],
)
def test_fans_of_other_layers(shape, axes):
    for name, plain in (
        ("kaiming_uniform_", "he_uniform"),
        ("kaiming_normal_", "he_normal"),
        ("xavier_uniform_", "xavier_uniform"),
        ("xavier_normal_", "xavier_normal"),
    ):
        wanted = getattr(wi, plain)(shape, rng=KEY, stream="w", **axes)
        tensor = getattr(ours, name)(torch.empty(shape), rng=KEY, stream="w", **axes)
        np.testing.assert_array_equal(tensor, wanted)
        column = torch.empty(shape[::-1]).permute(*reversed(range(len(shape))))
        np.testing.assert_array_equal(
            getattr(ours, name)(column, rng=KEY, stream="w", **axes), wanted
        )
    mode = {"mode": "FAN_OUT"}
    np.testing.assert_array_equal(
        ours.kaiming_uniform_(torch.empty(shape), rng=KEY, **mode, **axes),
        wi.he_uniform(shape, mode="fan_out", rng=KEY, **axes),
    )


def test_layouts_of_structured_initialisers():
    np.testing.assert_array_equal(
        ours.dirac_(torch.empty(3, 3, 4, 8), layout="HWIO"), wi.dirac((3, 3, 4, 8), layout="HWIO")
    )
    np.testing.assert_array_equal(
        ours.sparse_(torch.empty(9, 20), 0.3, layout="OI", rng=KEY),
        wi.sparse((9, 20), sparsity=0.3, layout="OI", rng=KEY),
    )


# Keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", DRAWN, ids=str)
def test_manual_seed_alone_reproduces(call):
    def drawn(**keywords):
        return bits(function(call)(torch.empty(call.shape), *call.arguments, **keywords)).copy()

    torch.manual_seed(11)
    first, second = drawn(), drawn()
    assert (first != second).any()
    torch.manual_seed(11)
    np.testing.assert_array_equal(drawn(), first)
    np.testing.assert_array_equal(drawn(), second)
    generator = torch.Generator().manual_seed(11)
    np.testing.assert_array_equal(drawn(generator=generator), first)
    np.testing.assert_array_equal(drawn(generator=generator), second)
    generator.manual_seed(11)
    np.testing.assert_array_equal(first, expected(call, call.shape, rng=generator, stream=0))
    np.testing.assert_array_equal(
        drawn(generator=torch.Generator().manual_seed(11), stream="a"),
        expected(call, call.shape, rng=torch.Generator().manual_seed(11), stream="a"),
    )


def test_a_seeded_generator_gives_what_wi_key_reads():
    generator = torch.Generator().manual_seed(5)
    words = torch.empty(6, dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    low, high, *_ = [int(word) % 2**64 for word in words]
    generator.manual_seed(5)
    assert wi.key(generator) == wi.Key(low, high)
    assert wi.key(generator) == wi.Key(*(int(word) % 2**64 for word in words[2:4]))
    state = generator.get_state()
    third = wi.key(generator)
    generator.set_state(state)
    assert wi.key(generator) == third
    torch.manual_seed(5)
    assert wi.key(torch.default_generator) == wi.Key(low, high)
    with torch.random.fork_rng(devices=[]):
        inside = wi.key(torch.default_generator)
    assert wi.key(torch.default_generator) == inside


def test_keys_in_threads_and_modes():
    """Each thread has its own two words; those that are made in InferenceMode serve outside."""
    found = {}

    def draw(name):
        with torch.inference_mode(name == "inference"):
            found[name] = [wi.key(torch.Generator().manual_seed(8)) for _ in range(2)]

        found[name].append(wi.key(torch.Generator().manual_seed(8)))

    for name in ("plain", "inference"):
        thread = threading.Thread(target=draw, args=(name,))
        thread.start()
        thread.join()
    with torch.device("meta"):
        found["meta"] = [wi.key(torch.Generator("cpu").manual_seed(8))]
    assert {key for keys in found.values() for key in keys} == {
        wi.key(torch.Generator().manual_seed(8))
    }


def test_rng_of_every_kind():
    for rng in (7, [1, 2], np.random.default_rng(3), np.random.SeedSequence(4), wi.Key(1, 2)):
        key = (
            wi.key(rng)
            if not isinstance(rng, np.random.Generator)
            else wi.key(np.random.default_rng(3))
        )
        np.testing.assert_array_equal(
            ours.normal_(torch.empty(50), rng=rng), wi.normal(50, rng=key)
        )


# Laws ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(
    "nonlinearity",
    ["linear", "conv2d", "conv_transpose1d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"],
)
def test_kaimings_scale(nonlinearity, mode):
    shape, a = (60, 40, 5), 0.3
    law = theirs.calculate_gain(nonlinearity, a if nonlinearity == "leaky_relu" else None)
    std = law / math.sqrt(40 * 5 if mode == "fan_in" else 60 * 5)
    normal = ours.kaiming_normal_(torch.empty(shape), a, mode, nonlinearity, rng=1)
    uniform = ours.kaiming_uniform_(torch.empty(shape), a, mode, nonlinearity, rng=2)
    stock = theirs.kaiming_uniform_(torch.empty(shape), a, mode, nonlinearity)
    assert float(normal.std()) == pytest.approx(std, rel=0.03)
    assert float(uniform.std()) == pytest.approx(std, rel=0.02)
    bound = math.sqrt(3) * std
    assert 0.999 * bound < float(uniform.abs().max()) <= bound * (1 + 1e-6)
    assert 0.999 * bound < float(stock.abs().max()) <= bound * (1 + 1e-6)


@pytest.mark.parametrize("call", DRAWN, ids=str)
def test_moments_are_torchs(call):
    torch.manual_seed(0)
    shape = tuple(20 * n for n in call.shape) if len(call.shape) == 2 else call.shape
    count = 2_000_000 // math.prod(shape) if call.elementwise else 20
    many = min(40, max(2, count))
    drawn = torch.stack([function(call)(torch.empty(shape), *call.arguments) for _ in range(many)])
    stock = torch.stack(
        [getattr(theirs, call.name)(torch.empty(shape), *call.arguments) for _ in range(many)]
    )
    error = 6 * float(stock.std()) / math.sqrt(drawn.numel() / 2)
    assert float(drawn.mean()) == pytest.approx(float(stock.mean()), abs=error)
    assert float(drawn.std()) == pytest.approx(float(stock.std()), abs=1.5 * error)


# Truncated normals --------------------------------------------------------------------------------

BOUNDS = [
    (0.0, 1.0, -2.0, 2.0),
    (0.0, 0.02, -0.04, 0.04),
    (0.0, 0.1, -0.3, 0.3),  # 3·float32(0.1) is above 0.3
    (1e6, 1e-3, 1e6 - 2e-3, 1e6 + 1e-3),
    (0.3, 0.7, -math.inf, 0.1),
    (-1.0, 0.3, -0.9, math.inf),
    (2.5, 1 / 3, 2.5, 2.6),
    (0.0, 1.0, 2.0, 3.0),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize(("mean", "std", "a", "b"), BOUNDS)
def test_bounds_hold(mean, std, a, b, dtype):
    if abs(mean) > 1e5 and dtype != "float64":
        pytest.skip("no such values")
    tensor = torch.empty(200_000, dtype=getattr(torch, dtype))
    ours.trunc_normal_(tensor, mean, std, a, b, rng=3)
    assert a <= float(tensor.double().min()) < float(tensor.double().max()) <= b
    strided = torch.empty(400_000, dtype=getattr(torch, dtype))[::2]
    ours.trunc_normal_(strided, mean, std, a, b, rng=3)
    assert (strided == tensor).all()


def test_truncated_beside_the_package():
    for std in (0.02, 1.0, 0.3):
        tensor = ours.trunc_normal_(torch.empty(5000), 0.0, std, -2 * std, 2 * std, rng=3)
        np.testing.assert_array_equal(
            tensor, wi.truncated_normal(5000, std=std, lower=-2, upper=2, rng=3)
        )


def test_the_bounds_of_the_engine_lie_within():
    """Whatever the rounding of mean and std to float32, and whatever the ends."""
    random = np.random.default_rng(0)
    for _ in range(3000):
        mean, std = random.normal() * 10 ** random.uniform(-6, 6), 10 ** random.uniform(-8, 3)
        a, b = np.sort(mean + std * random.uniform(-6, 6, 2)).tolist()
        for single in (True, False):
            lower, upper = bounds.in_units(mean, std, a, b, single)
            centre, scale = (np.float32(mean), np.float32(std)) if single else (mean, std)
            assert a <= float(centre) + float(scale) * lower
            assert float(centre) + float(scale) * upper <= b


# A block of fast_init -----------------------------------------------------------------------------


def test_in_a_block_of_fast_init():
    with adapter.fast_init(KEY):
        first = ours.normal_(torch.empty(4, 5))
        grouped = ours.kaiming_uniform_(torch.empty(6, 4, 3), groups=2)
        own = ours.normal_(torch.empty(4, 5), rng=1, stream="own")
        third = ours.xavier_normal_(torch.empty(4, 5))
        with pytest.raises(TypeError, match="stream= needs rng= or generator="):
            ours.normal_(first, stream="x")
        with pytest.raises(TypeError, match="layout needs rng="):
            ours.sparse_(first, 0.5, layout="OI")
    np.testing.assert_array_equal(first, wi.normal((4, 5), rng=KEY, stream=0))
    np.testing.assert_array_equal(grouped, wi.he_uniform((6, 4, 3), groups=2, rng=KEY, stream=1))
    np.testing.assert_array_equal(own, wi.normal((4, 5), rng=1, stream="own"))
    np.testing.assert_allclose(third, wi.xavier_normal((4, 5), rng=KEY, stream=2), rtol=1e-6)
    assert grouped._version == 1


# Drop-ins in the place of torch's functions -------------------------------------------------------


def test_in_the_place_of_torchs_functions(monkeypatch):
    for name in ours._module.__all__:
        monkeypatch.setattr(theirs._module, name, getattr(ours, name))
    torch.manual_seed(4)
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Conv2d(3, 4, 5))
    generator = torch.Generator().manual_seed(4)
    for layer in model:
        np.testing.assert_array_equal(
            layer.weight.detach(),
            wi.he_uniform(tuple(layer.weight.shape), a=math.sqrt(5), rng=generator),
        )
        bound = 1 / math.sqrt(layer.weight[0].numel())
        np.testing.assert_array_equal(
            layer.bias.detach(),
            wi.uniform(len(layer.bias), low=-bound, high=bound, rng=generator),
        )
    # What is left to torch's functions does not come back to the drop-ins.
    whole = torch.zeros(4, dtype=torch.int64)
    assert theirs.ones_(whole).sum() == 4
    assert theirs.normal_(torch.empty(3, dtype=torch.complex64)).abs().min() > 0
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        theirs.xavier_uniform_(torch.empty(3))
