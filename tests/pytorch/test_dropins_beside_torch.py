"""Where the drop-ins leave a call to torch: errors, warnings, odd tensors, modes and transforms."""

import math
import warnings
import weakref

import numpy as np
import pytest
from pytorch_dropins import CALLS, DRAWN
from support import id_of
from support.frameworks import Framework
from tensor_bits import bits, torch

import weightinit_fast as wi

theirs = Framework("torch.nn.init")
ours = Framework("weightinit_fast.torch.init")

KEY = wi.Key(3, 4)

# Errors -------------------------------------------------------------------------------------------


def ones(*shape, **keywords):
    return torch.ones(shape, **keywords)


NAN, INF = math.nan, math.inf
#: (name, shape or maker of the tensor, arguments): what torch refuses or takes in its own way.
ODD = [
    ("uniform_", (5,), (2, 1)),
    ("uniform_", (5,), (1, 1)),
    ("uniform_", (5,), (0, INF)),
    ("uniform_", (5,), (NAN, 1)),
    ("uniform_", (5,), ("a",)),
    ("uniform_", (5,), (0, 1, 3)),
    ("uniform_", lambda: ones(5, dtype=torch.float16), (0, 1e6)),
    ("uniform_", lambda: ones(5, dtype=torch.bfloat16), (-1e39, 1)),
    ("normal_", (5,), (0, -1)),
    ("normal_", (5,), (INF, 1)),
    ("normal_", (5,), (NAN, 1)),
    ("normal_", (5,), (0, NAN)),
    ("normal_", (5,), (None,)),
    ("normal_", (5,), (True, False)),
    ("normal_", (5,), (lambda: torch.tensor(2.0), lambda: torch.tensor(0.0))),
    ("normal_", (5,), (0, 1, "generator")),
    ("trunc_normal_", (50,), (0, 0)),
    ("trunc_normal_", (50,), (0, 1, 2, 1)),
    ("trunc_normal_", (50,), (0, 1e-50, -1, 1)),
    ("trunc_normal_", (50,), (0, 1e39, -1, 1)),
    ("trunc_normal_", (50,), (0, 1, NAN, 1)),
    ("trunc_normal_", (50,), (0, 1, "a", 1)),
    ("constant_", (5,), ("a",)),
    ("constant_", (5,), (1j,)),
    ("constant_", (5,), (True,)),
    ("constant_", (5,), (NAN,)),
    ("constant_", (5,), (lambda: torch.tensor(3),)),
    ("constant_", (5,), (lambda: ones(2),)),
    ("constant_", lambda: ones(5, dtype=torch.float16), (1e6,)),
    ("constant_", (5,), ()),
    ("xavier_uniform_", (), ()),
    ("xavier_uniform_", (5,), ()),
    ("xavier_uniform_", (5, 4), (-1,)),
    ("xavier_uniform_", (5, 4), ("relu",)),
    ("xavier_uniform_", (5, 4), (NAN,)),
    ("xavier_uniform_", (0, 0), ()),
    ("xavier_normal_", (5,), ()),
    ("xavier_normal_", (5, 4), (-1,)),
    ("xavier_normal_", (5, 4), (0,)),
    ("kaiming_uniform_", (5,), ()),
    ("kaiming_uniform_", (5, 4), (0, "fan_avg")),
    ("kaiming_uniform_", (5, 4), (0, 3)),
    ("kaiming_uniform_", (5, 4), (0, "fan_in", "gelu")),
    ("kaiming_uniform_", (5, 4), (True,)),
    ("kaiming_uniform_", (5, 4), ("a",)),
    ("kaiming_uniform_", (5, 4), ([1],)),
    ("kaiming_uniform_", (5, 4), (lambda: torch.tensor(0.0),)),
    ("kaiming_uniform_", (5, 4), (np.float64(0.5),)),
    ("kaiming_normal_", (), ()),
    ("kaiming_normal_", (5, 4), (INF,)),
    ("kaiming_normal_", (5, 4), (0, "fan_in", "tanhh")),
    ("eye_", (5,), ()),
    ("eye_", (5, 4, 3), ()),
    ("eye_", (300, 300, 2), ()),
    ("eye_", (0, 3), ()),
    ("dirac_", (5, 4), ()),
    ("dirac_", (2,) * 6, ()),
    ("dirac_", (5, 4, 3), (2,)),
    ("dirac_", (4, 4, 3), (0,)),
    ("dirac_", (4, 4, 3), ("a",)),
    ("dirac_", (0, 4, 3), ()),
    ("orthogonal_", (5,), ()),
    ("orthogonal_", (5, 4), (-1,)),
    ("orthogonal_", (5, 4), ("relu",)),
    ("orthogonal_", (0, 4), ()),
    ("sparse_", (5,), (0.1,)),
    ("sparse_", (5, 4), (2.0,)),
    ("sparse_", (5, 4), (0.1, -1)),
    ("sparse_", (5, 4), ()),
    ("sparse_", (0, 4), (0.1,)),
    ("sparse_", (5, 0), (0.1,)),
]


def outcome(module, name, make, arguments):
    """Return (exception or None, the tensor, warnings)."""
    torch.manual_seed(7)
    tensor = make() if callable(make) else ones(*make)
    given = [value() if callable(value) else value for value in arguments]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, error = getattr(module, name)(tensor, *given), None
        except Exception as raised:
            return type(raised), None, tensor, caught
    return error, result is tensor, tensor, caught


@pytest.mark.parametrize(("name", "make", "arguments"), ODD, ids=id_of)
def test_odd_arguments(name, make, arguments):
    wanted, same, stock, _ = outcome(theirs, name, make, arguments)
    found, returned, tensor, caught = outcome(ours, name, make, arguments)
    assert (found, returned) == (wanted, same)
    assert not caught
    if wanted is None:
        assert tensor.shape == stock.shape
        assert torch.equal(tensor.isnan(), stock.isnan())
        assert torch.equal(tensor.isinf(), stock.isinf())
    elif name not in ("sparse_", "orthogonal_"):  # torch's have written before they fail
        assert (tensor == 1).all()


def test_not_a_tensor():
    for call in CALLS:
        for wrong in (None, [1.0], np.ones(3)):
            with pytest.raises((AttributeError, TypeError)) as wanted:
                getattr(theirs, call.name)(wrong, *call.arguments)
            with pytest.raises((AttributeError, TypeError)) as found:
                getattr(ours, call.name)(wrong, *call.arguments)
            assert found.type is wanted.type
            if call.draws:
                with pytest.raises(TypeError, match=r"no torch\.Tensor"):
                    getattr(ours, call.name)(wrong, *call.arguments, rng=0)


@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: ours.normal_(t, 0, -1, rng=0), "std must not be negative"),
        (lambda t: ours.normal_(t, rng="seed"), "rng must not be 'seed'"),
        (lambda t: ours.normal_(t, rng=0, stream=-1), "stream must be in"),
        (lambda t: ours.normal_(t, rng=0, threads=0), "threads must be in"),
        (lambda t: ours.normal_(t, rng=0, generator=torch.Generator()), "not both"),
        (lambda t: ours.uniform_(t, 2, 1, rng=0), "low must not be above high"),
        (lambda t: ours.uniform_(t, 0, 1e39, rng=0), "overflows float32"),
        (lambda t: ours.trunc_normal_(t, 0, 0, rng=0), "std must be positive"),
        (lambda t: ours.trunc_normal_(t, 0, 1, 2, 1, rng=0), "a must be below b"),
        (lambda t: ours.trunc_normal_(t, 0, 1, 20, 21, rng=0), "lies wholly beyond"),
        (lambda t: ours.kaiming_uniform_(t, layout="OIHW"), "has 4 letters for shape"),
        (lambda t: ours.kaiming_uniform_(t, mode="fan_avg", rng=0), "'fan_in' or 'fan_out'"),
        (lambda t: ours.kaiming_normal_(t, groups=5), "does not divide"),
        (lambda t: ours.kaiming_normal_(t, nonlinearity="gelu", rng=0), "Unsupported"),
        (lambda t: ours.xavier_normal_(t, "relu", rng=0), "gain must be a number"),
        (lambda t: ours.xavier_normal_(t, transposed="no"), "transposed must be True or False"),
        (lambda t: ours.orthogonal_(t, -1, rng=0), "gain must not be negative"),
        (lambda t: ours.sparse_(t, 2.0, rng=0), "sparsity must be in"),
        (lambda t: ours.sparse_(t, 0.5, layout="OIH"), "layout must be"),
        (lambda t: ours.dirac_(t, layout="OI"), "3 to 5 axes"),
    ],
)
def test_with_arguments_that_torch_lacks_the_error_is_ours(call, message):
    tensor = ones(6, 4)
    state = torch.get_rng_state()
    with pytest.raises((TypeError, ValueError), match=message):
        call(tensor)
    assert (tensor == 1).all()
    assert tensor._version == 0
    assert torch.equal(torch.get_rng_state(), state)


# Warnings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_a_far_mean_warns_once(dtype):
    for tensor in (ones(50), ones(100)[::2], ones(50).to("meta")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if dtype == "int32":
                with pytest.raises(NotImplementedError):
                    ours.trunc_normal_(ones(50, dtype=torch.int32), 5, 1, -2, 2)
            else:
                ours.trunc_normal_(tensor, 5, 1, -2, 2)
        assert len(caught) == (0 if tensor.is_meta and dtype == "float32" else 1)
        for warning in caught:
            assert "mean is more than 2 std from [a, b]" in str(warning.message)
            assert warning.filename == __file__ or dtype == "int32"


def test_deprecated_names():
    for name in sorted(set(ours._module.__all__) - {call.name for call in CALLS}):
        if name == "calculate_gain":
            continue
        call = next(call for call in CALLS if call.name == f"{name}_")
        messages = []
        for module in (theirs, ours):
            tensor = torch.empty(call.shape)
            with pytest.warns(FutureWarning) as caught:
                assert getattr(module, name)(tensor, *call.arguments) is tensor
            messages.append(str(caught[0].message))
            assert caught[0].filename == __file__
        assert messages[0] == messages[1]
        assert getattr(ours, name).__name__ == name
        if call.draws:
            with pytest.warns(FutureWarning):
                drawn = getattr(ours, name)(torch.empty(call.shape), *call.arguments, rng=KEY)
            same = getattr(ours, call.name)(torch.empty(call.shape), *call.arguments, rng=KEY)
            np.testing.assert_array_equal(bits(drawn), bits(same))


# Tensors that are left to torch -------------------------------------------------------------------

ODD_TENSORS = {
    "int64": lambda shape: torch.ones(shape, dtype=torch.int64),
    "bool": lambda shape: torch.ones(shape, dtype=torch.bool),
    "complex64": lambda shape: torch.ones(shape, dtype=torch.complex64),
    "float8_e4m3fnuz": lambda shape: torch.ones(shape).to(torch.float8_e4m3fnuz),
    "quantised": lambda shape: torch.quantize_per_tensor(torch.ones(shape), 0.1, 0, torch.qint8),
    "sparse": lambda shape: torch.ones(shape).to_sparse(),
    "negative": lambda shape: torch.ones(shape, dtype=torch.complex64).conj().imag,
    "contiguous negative": lambda shape: torch._neg_view(torch.ones(shape)),
    "expanded": lambda shape: torch.ones(shape[1:]).expand(shape),
    "overlapping": lambda shape: torch.ones(400).as_strided((2, *shape), (1,) * (len(shape) + 1)),
    "zero tensor": lambda shape: torch._efficientzerotensor(shape),  # noqa: PLW0108
    "inference": lambda shape: _inference(shape),  # noqa: PLW0108  it is defined below
    "lazy": lambda shape: torch.nn.UninitializedParameter(),
    "mkldnn": lambda shape: torch.ones(shape).to_mkldnn(),
    "meta": lambda shape: torch.ones(shape, device="meta"),
}


def _inference(shape):
    with torch.inference_mode():
        return torch.ones(shape)


def values_of(tensor):
    if tensor.is_meta:
        return None
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.layout is not torch.strided:
        return tensor.to_dense()
    return tensor.resolve_neg().clone()


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.filterwarnings(r"ignore:torch\.quantize_per_tensor")
@pytest.mark.parametrize("kind", ODD_TENSORS)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_odd_tensors_are_left_to_torch(call, kind):
    found = {}
    for module in (theirs, ours):
        torch.manual_seed(9)
        tensor = ODD_TENSORS[kind](call.shape)
        try:
            returned = getattr(module, call.name)(tensor, *call.arguments)
            found[module] = (None, returned is tensor, values_of(tensor))
        except Exception as error:
            found[module] = (type(error), str(error), None)
    wanted, mine = found[theirs], found[ours]
    assert mine[:2] == wanted[:2]
    if wanted[2] is not None:
        np.testing.assert_array_equal(bits(mine[2]), bits(wanted[2]))


REFUSED = {
    "int64": "the types that are filled",
    "complex64": "fill torch.view_as_real",
    "float8_e4m3fnuz": "convert that",
    "quantised": "quantise that",
    "sparse": "fill its values",
    "contiguous negative": "resolve_neg",
    "expanded": "repeats elements",
    "overlapping": "overlapping elements",
    "zero tensor": "fill its clone",
    "inference": r"torch\.inference_mode\(\)",
    "mkldnn": "to_mkldnn",
}


@pytest.mark.filterwarnings(r"ignore:torch\.quantize_per_tensor")
@pytest.mark.parametrize(("kind", "message"), REFUSED.items())
@pytest.mark.parametrize("call", DRAWN, ids=str)
def test_odd_tensors_are_refused_with_arguments_that_torch_lacks(call, kind, message):
    tensor = ODD_TENSORS[kind](call.shape)
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(ours, call.name)(tensor, *call.arguments, rng=KEY)


def test_meta_tensors_are_left_as_they_are():
    for call in CALLS:
        tensor = torch.ones(call.shape, device="meta")
        state = torch.get_rng_state()
        assert getattr(ours, call.name)(tensor, *call.arguments) is tensor
        assert torch.equal(torch.get_rng_state(), state)
        if call.draws:
            assert getattr(ours, call.name)(tensor, *call.arguments, rng=KEY) is tensor
    with pytest.raises(ValueError, match="fewer than two axes"):
        ours.xavier_normal_(torch.ones(3, device="meta"), rng=0)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        ours.xavier_normal_(torch.ones(3, device="meta"))


def test_freed_storages_are_not_written():
    whole = torch.ones(5000)
    part = whole[100:300]
    whole.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="its storage was freed"):
        ours.normal_(whole, rng=0)
    with pytest.raises(ValueError, match="its storage was freed"):
        ours.normal_(part, rng=0)
    with pytest.raises(RuntimeError):
        ours.normal_(whole)


def test_storages_that_are_too_small_are_not_written():
    whole = torch.ones(5000)
    fits, small = whole[100:250], (whole, whole[100:300], whole.view(50, 100).T)
    whole.untyped_storage().resize_(4 * 250)
    for tensor in small:
        with pytest.raises(ValueError, match="no memory for all its elements"):
            ours.normal_(tensor, rng=0)
    assert ours.normal_(fits, rng=0).std() > 0.5


@pytest.mark.parametrize("strided", [False, True])
def test_memory_stays_while_another_storage_takes_its_place(strided):
    """As another thread may do it: here, what the key is drawn from does it at the last moment."""
    array = np.zeros((50, 100), np.float32)
    seen, memory = [], weakref.ref(array)
    tensor = torch.from_numpy(array.T if strided else array)
    del array

    class Replacing(np.random.PCG64):
        def random_raw(self, *arguments):
            tensor.set_(torch.empty(3))
            seen.append(memory() is not None)
            return super().random_raw(*arguments)

    ours.normal_(tensor, rng=Replacing(0))
    assert seen == [True]
    assert memory() is None


def test_inference_mode():
    with torch.inference_mode():
        tensor = torch.empty(50)
        assert ours.normal_(tensor, rng=KEY) is tensor
        np.testing.assert_array_equal(tensor, wi.normal(50, rng=KEY))
        plain = torch.nn.Parameter(torch.empty(50))
        ours.normal_(plain)
    outside = torch.ones(50)
    with torch.inference_mode():
        ours.uniform_(outside, rng=KEY)
    assert outside._version == 1
    np.testing.assert_array_equal(outside, wi.uniform(50, rng=KEY))


# Subclasses and modes -----------------------------------------------------------------------------


def test_a_subclass_without_overrides():
    class Plain(torch.Tensor):
        pass

    for call in CALLS:
        tensor = torch.empty(call.shape).as_subclass(Plain)
        keywords = {"rng": KEY} if call.draws else {}
        returned = getattr(ours, call.name)(tensor, *call.arguments, **keywords)
        assert returned is tensor
        same = getattr(ours, call.name)(torch.empty(call.shape), *call.arguments, **keywords)
        np.testing.assert_array_equal(bits(tensor.as_subclass(torch.Tensor)), bits(same))


def test_a_subclass_that_overrides_functions_sees_torchs():
    seen = []

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    for call in CALLS:
        wanted = []
        for module in (theirs, ours):
            seen.clear()
            torch.manual_seed(3)
            tensor = torch.ones(call.shape).as_subclass(Watched)
            seen.clear()
            getattr(module, call.name)(tensor, *call.arguments)
            wanted.append((list(seen), bits(tensor.as_subclass(torch.Tensor)).copy()))
        assert wanted[1][0] == wanted[0][0]
        np.testing.assert_array_equal(wanted[1][1], wanted[0][1])
        if call.draws:
            with pytest.raises(TypeError, match="which defines what operations do to it"):
                getattr(ours, call.name)(tensor, *call.arguments, rng=0)


def test_in_a_function_mode():
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    tensor = torch.empty(60, 5)
    with Mode():
        ours.kaiming_uniform_(tensor, 0.1, groups=3, rng=KEY, stream="w", threads=1)
    assert ours.kaiming_uniform_ in seen
    np.testing.assert_array_equal(
        tensor, wi.he_uniform((60, 5), a=0.1, groups=3, rng=KEY, stream="w")
    )
    with Mode():
        for axes in ({"transposed": True}, {"transposed": True, "groups": 5}, {"layout": "IO"}):
            ours.xavier_uniform_(tensor, rng=KEY, **axes)
            np.testing.assert_array_equal(tensor, wi.xavier_uniform((60, 5), rng=KEY, **axes))
    with torch.device("meta"):
        ours.normal_(tensor, rng=KEY)
    np.testing.assert_array_equal(tensor, wi.normal((60, 5), rng=KEY))


def test_in_a_dispatch_mode():
    seen = []

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    tensor, stock = torch.empty(60), torch.empty(60)
    with Mode():
        torch.manual_seed(2)
        ours.normal_(tensor)
        with pytest.raises(TypeError, match="TorchDispatchMode is active"):
            ours.normal_(tensor, rng=0)
    torch.manual_seed(2)
    theirs.normal_(stock)
    assert torch.equal(tensor, stock)
    assert "aten.normal_.default" in seen


def test_fake_tensors():
    fake = Framework("torch._subclasses")
    fake.load()
    with fake.FakeTensorMode():
        tensor = torch.empty(6, 4)
        for name in ("normal_", "uniform_", "xavier_normal_", "kaiming_uniform_", "ones_"):
            assert getattr(ours, name)(tensor) is tensor
    with pytest.raises(TypeError, match="FakeTensor, which has no memory"):
        ours.normal_(tensor, rng=0)


def test_transforms_of_functions():
    for randomness in ("different", "same"):
        torch.manual_seed(1)
        first = torch.vmap(lambda x: theirs.normal_(x.clone()), randomness=randomness)(ones(3, 9))
        torch.manual_seed(1)
        second = torch.vmap(lambda x: ours.normal_(x.clone()), randomness=randomness)(ones(3, 9))
        assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(lambda x: ours.normal_(x.clone()))(ones(3, 9))
    with pytest.raises(TypeError, match=r"transform of torch\.func"):
        torch.vmap(lambda x: ours.normal_(x.clone(), rng=0))(ones(3, 9))


@pytest.mark.filterwarnings("ignore")
def test_compiled_code_draws_as_torch_does_or_refuses():
    def model(x):
        w = torch.empty(3, 3)
        ours.constant_(w, 2.0)
        return x @ w

    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager")
    assert torch.equal(compiled(ones(2, 3)), torch.full((2, 3), 6.0))

    def drawn(x):
        return x + ours.normal_(torch.empty(5), rng=KEY)

    compiled = torch.compile(drawn, backend="eager")
    np.testing.assert_array_equal(compiled(torch.zeros(5)), wi.normal(5, rng=KEY))
    torch._dynamo.reset()


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize(("threads", "error"), [(0, ValueError), (1.5, TypeError)])
def test_wrong_threads_are_refused_without_a_key_too(call, threads, error):
    tensor = torch.ones(call.shape)
    with pytest.raises(error, match="threads must be"):
        getattr(ours, call.name)(tensor, *call.arguments, threads=threads)
    assert (tensor == 1).all()
