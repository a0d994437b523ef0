"""Torch tensors as memory to fill: whole tensors, parts, ranges, other devices, refusals."""

import itertools
import math
import signal
import threading

import numpy as np
import pytest
from support import id_of
from support.frameworks import Framework
from tensor_bits import DTYPES, MATRIX_RULES, bits, torch

import weightinit_fast as wi

refusals = Framework("weightinit_fast.torch.refusals")
tensors = Framework("weightinit_fast.torch.tensors")
staging = Framework("weightinit_fast.torch.staging")

KEY = wi.Key(3, 4)
NORMAL, UNIFORM = wi.initializer("normal", mean=1.0), wi.initializer("he_uniform", fans=(7, 9))
RULES = (*MATRIX_RULES, "dirac")


def whole_of(rule, shape, dtype="float32", stream="w"):
    """Return the bits of the whole tensor, as the package draws it."""
    values = wi.initializer(rule)(shape, dtype=dtype, rng=KEY, stream=stream)
    size = values.dtype.itemsize
    return values.view("u1" if size == 1 else f"i{size}")


def shape_of(rule):
    return (12, 9, 5) if rule == "dirac" else (12, 9)


# Many tensors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_many_tensors(threads):
    drawn = {}
    for number, (rule, dtype) in enumerate(itertools.product(RULES, DTYPES)):
        name = f"layer{number}"
        tensor = torch.empty(shape_of(rule), dtype=getattr(torch, dtype))
        if number % 3 == 1:
            tensor = torch.nn.Parameter(tensor)
        elif number % 3 == 2:
            tensor = torch.empty(shape_of(rule)[::-1], dtype=tensor.dtype)
            tensor = tensor.permute(*reversed(range(tensor.ndim)))
        drawn[name] = (wi.initializer(rule), tensor, name, dtype)
    tensors.fill([draw[:3] for draw in drawn.values()], KEY, threads)
    for rule, tensor, name, dtype in drawn.values():
        np.testing.assert_array_equal(
            bits(tensor), whole_of(str(rule), tuple(tensor.shape), dtype, name)
        )
        assert tensor._version == 1
        assert tensor.is_leaf


def test_empty_and_0d_tensors():
    for shape in ((), (0,), (3, 0), (1, 1)):
        tensor = torch.empty(shape)
        tensors.fill([(NORMAL, tensor, "w")], KEY)
        np.testing.assert_array_equal(bits(tensor), whole_of("normal(mean=1.0)", shape))
        assert tensor._version == 1


def test_one_key_for_all():
    a, b = torch.empty(40), torch.empty(40)
    torch.manual_seed(6)
    tensors.fill([(NORMAL, a, "a"), (NORMAL, b, "b")])
    after = torch.get_rng_state()
    torch.manual_seed(6)
    key = wi.key(torch.default_generator)
    assert torch.equal(after, torch.get_rng_state())
    for name, tensor in (("a", a), ("b", b)):
        np.testing.assert_array_equal(tensor, wi.normal(40, mean=1, rng=key, stream=name))


def test_meta_tensors_are_left_as_they_are():
    meta = torch.empty((4, 5), device="meta")
    tensors.fill([(UNIFORM, meta, "w")], KEY)
    assert meta.is_meta
    for piece in (torch.empty(4, device="meta"), tensors.Part(meta, (8, 5, 2), (slice(4),) * 3)):
        with pytest.raises(ValueError, match="w: identity needs a shape of two axes"):
            tensors.fill([(wi.initializer("identity"), piece, "w")], KEY)


# Parts and ranges ---------------------------------------------------------------------------------

PARTS = [
    (slice(None), slice(None)),
    (slice(3, 9), slice(None)),
    (slice(None), slice(2, 7)),
    (slice(1, 12, 3), slice(0, 9, 4)),
    (slice(11, None, -2), slice(8, 1, -3)),
    (slice(5, 5), slice(None)),
]


@pytest.mark.parametrize("index", PARTS, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_parts(rule, index):
    shape = shape_of(rule)
    index = (*index, *(slice(1, 4),) * (len(shape) - 2))
    for dtype in ("float32", "bfloat16", "float64"):
        wanted = whole_of(rule, shape, dtype)[index]
        local = torch.empty(wanted.shape, dtype=getattr(torch, dtype))
        turned = torch.empty(wanted.shape[::-1], dtype=local.dtype)
        turned = turned.permute(*reversed(range(turned.ndim)))
        for held in (local, turned):
            tensors.fill([(wi.initializer(rule), tensors.Part(held, shape, index), "w")], KEY)
            np.testing.assert_array_equal(bits(held), wanted)
            assert held._version == 1


@pytest.mark.parametrize("rule", RULES)
def test_ranges(rule):
    shape = shape_of(rule)
    for dtype in ("float32", "bfloat16"):
        wanted = whole_of(rule, shape, dtype).reshape(-1)
        for first, count in ((0, wanted.size), (7, 40), (wanted.size - 1, 1), (20, 0)):
            flat = torch.zeros(count + 6, dtype=getattr(torch, dtype))
            held = flat[3 : 3 + count]
            tensors.fill([(wi.initializer(rule), tensors.Range(held, shape, first), "w")], KEY)
            np.testing.assert_array_equal(bits(held), wanted[first : first + count])
            assert not flat[:3].any()
            assert not flat[3 + count :].any()


def test_pieces_of_one_matrix_are_made_once(monkeypatch):
    made = []
    orthogonal = wi.initializer("orthogonal")
    kind = type(tensors.rule_of(orthogonal))
    fill = kind.fill
    monkeypatch.setattr(kind, "fill", lambda *given: made.append(given) or fill(*given))
    local = torch.empty(6, 9)
    pieces = [
        tensors.Part(local[:3], (12, 9), (slice(0, 3), slice(None))),
        tensors.Part(local[3:], (12, 9), (slice(6, 9), slice(None))),
    ]
    tensors.fill([(orthogonal, piece, "w") for piece in pieces], KEY)
    assert len(made) == 1
    whole = wi.orthogonal((12, 9), rng=KEY, stream="w")
    np.testing.assert_array_equal(local, whole[[0, 1, 2, 6, 7, 8]])


# Other devices ------------------------------------------------------------------------------------

# The tests below need no other device: they send CPU tensors the way of other devices, which are
# drawn by boxes into memory that is copied. test_torch_cuda.py tests tensors on a GPU.


@pytest.fixture
def elsewhere(monkeypatch):
    """Let fill take every tensor for one of another device, and cut it into small boxes."""
    monkeypatch.setattr(tensors._module, "_target_or_none", lambda init, piece, tensor: None)
    small = staging.Staging
    monkeypatch.setattr(tensors._module, "Staging", lambda: small(200))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_copied_tensors(rule, dtype):
    shape = shape_of(rule)
    wanted = whole_of(rule, shape, dtype)
    index = (slice(1, 12, 3), slice(8, 1, -3), *(slice(1, 4),) * (len(shape) - 2))
    plain = torch.empty(shape, dtype=getattr(torch, dtype))
    strided = torch.empty((2 * shape[0], *shape[1:]), dtype=plain.dtype)[::2]
    part = torch.empty(wanted[index].shape, dtype=plain.dtype)
    draws = [
        (wi.initializer(rule), piece, "w")
        for piece in (plain, strided, tensors.Part(part, shape, index))
    ]
    tensors.fill(draws, KEY)
    np.testing.assert_array_equal(bits(plain), wanted)
    np.testing.assert_array_equal(bits(strided), wanted)
    np.testing.assert_array_equal(bits(part), wanted[index])
    assert [tensor._version for tensor in (plain, strided, part)] == [1, 1, 1]


@pytest.mark.usefixtures("elsewhere")
def test_copied_tensors_of_other_shapes():
    for shape in ((), (1,), (1000,), (3, 400), (400, 3), (2, 3, 4, 5, 6), (0, 4)):
        tensor = torch.empty(shape)
        tensors.fill([(NORMAL, tensor, "w")], KEY)
        np.testing.assert_array_equal(bits(tensor), whole_of("normal(mean=1.0)", shape))
    parameter = torch.nn.Parameter(torch.empty(300))
    with torch.inference_mode():
        tensors.fill([(NORMAL, parameter, "w")], KEY)
    tensors.fill([(NORMAL, parameter, "w")], KEY)
    np.testing.assert_array_equal(bits(parameter), whole_of("normal(mean=1.0)", (300,)))
    assert parameter.is_leaf


def test_ranges_are_copied_by_pieces():
    """A range on another device: the boxes of its only axis."""
    rule = tensors.rule_of(wi.initializer("dirac"))
    tensor = torch.empty(200)
    device = staging.Staging(100)
    wanted = whole_of("dirac", (12, 9, 5)).reshape(-1)[100:300]
    filled = []
    for (run,), array in device.boxes(tensor, np.dtype("f4")):
        array[...] = wanted[run].view("f4")
        filled.append(run.stop - run.start)
    device.finish()
    np.testing.assert_array_equal(bits(tensor), wanted)
    assert rule.by_parts
    assert sum(filled) == 200
    assert max(filled) == 25


@pytest.mark.parametrize("most", [1, 2, 7, 10, 24, 60, 1000])
def test_boxes_cover_a_shape(most):
    for shape in ((), (0,), (5,), (3, 4), (2, 3, 4), (1, 1, 9), (7, 1, 2), (2, 0, 3)):
        counts = np.zeros(shape, int)
        for box in staging._boxes(shape, most):
            assert math.prod(part.stop - part.start for part in box) <= most
            counts[box] += 1
        assert (counts == 1).all()


# Refusals -----------------------------------------------------------------------------------------


def _inference():
    with torch.inference_mode():
        return torch.ones(5)


def _freed():
    tensor = torch.ones(5)
    tensor.untyped_storage().resize_(0)
    return tensor


def _shrunk():
    tensor = torch.ones(50)
    tensor.untyped_storage().resize_(100)
    return tensor


def _subclass():
    class Own(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return super().__torch_function__(func, types, args, kwargs or {})

    return torch.ones(5).as_subclass(Own)


def _lazy():
    return torch.nn.UninitializedParameter()


def _nested():
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def _jagged():
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)


REFUSED = [
    (lambda: [1.0], TypeError, r"\[1\.0\] is no torch\.Tensor: fill an array"),
    (lambda: torch.ones(5, dtype=torch.int32), TypeError, "torch.int32.*float32 tensor, and conv"),
    (lambda: torch.ones(5, dtype=torch.bool), TypeError, "torch.bool.*fill a float32 tensor"),
    (lambda: torch.ones(5, dtype=torch.complex128), TypeError, r"fill torch\.view_as_real\(tensor"),
    (lambda: torch.ones(5).to(torch.float8_e5m2fnuz), TypeError, "float8_e5m2fnuz"),
    (lambda: torch.ones(5).to_sparse(), TypeError, "torch.sparse_coo: fill its values"),
    (lambda: torch.ones(5, 5).to_sparse_csr(), TypeError, "torch.sparse_csr: fill its values"),
    (lambda: torch.ones(5, 5).to_mkldnn(), TypeError, r"fill a dense tensor, and call its to_mkld"),
    (lambda: torch.quantize_per_tensor(torch.ones(5), 1, 0, torch.qint8), TypeError, "quantise th"),
    (_nested, TypeError, r"is a nested tensor: fill the tensors that its unbind\(\) returns"),
    (_jagged, TypeError, r"is a nested tensor: fill its values\(\)"),
    (_subclass, TypeError, r"subclass .*Own, which defines what operations do to it: fill the"),
    (lambda: torch.ones(5).expand(3, 5), ValueError, "repeats elements.*fill its clone"),
    (lambda: torch.ones(9).as_strided((3, 3), (1, 1)), ValueError, "overlapping elements"),
    (
        lambda: torch._neg_view(torch.ones(5)),
        ValueError,
        r"negative bit.*resolve_neg\(\), and",
    ),
    (lambda: torch._efficientzerotensor(5), ValueError, "zero tensors.*fill its clone"),
    (_inference, ValueError, r"made in InferenceMode.*fill it within torch\.inference_mode\(\)"),
    (_freed, ValueError, "its storage was freed .*: fill the shards"),
    (_shrunk, ValueError, "has no memory for all its elements"),
    (_lazy, ValueError, "has no shape yet: run its lazy module"),
]


@pytest.mark.filterwarnings("ignore:Lazy modules", r"ignore:torch\.quantize_per_tensor")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested", "ignore:Sparse CSR")
@pytest.mark.parametrize(("make", "error", "message"), REFUSED, ids=lambda part: id_of(part)[:40])
def test_refusals_name_the_tensor_and_write_nothing(make, error, message):
    wrong = make()
    before, after = torch.ones(50), torch.ones(50)
    state = torch.get_rng_state()
    with pytest.raises(error, match=f"(?s)^b: .*{message}"):
        tensors.fill([(NORMAL, before, "a"), (NORMAL, wrong, "b"), (NORMAL, after, "c")])
    with pytest.raises(error, match=message):
        refusals.check(wrong)
    for tensor in (before, after):
        assert (tensor == 1).all()
        assert tensor._version == 0
    assert torch.equal(torch.get_rng_state(), state)
    if isinstance(wrong, torch.Tensor) and type(wrong) is torch.Tensor and not wrong.is_nested:
        assert wrong.is_inference() or wrong._version == 0


@pytest.mark.parametrize(
    ("rule", "shape", "message"),
    [
        ("he_normal", (5,), "b: shape .* has no fans"),
        ("identity", (5, 4, 3), "b: identity needs a shape of two axes"),
        ("orthogonal", (5,), "b: orthogonal needs a shape of two axes"),
        ("normal(std=1e39)", (5,), "b: .* overflows float32"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_refused_shapes_write_nothing(rule, shape, message, device):
    before = torch.ones(50)
    wrong = torch.ones(shape, device=device)
    with pytest.raises(ValueError, match=message):
        tensors.fill([(NORMAL, before, "a"), (wi.initializer(rule), wrong, "b")], KEY)
    assert (before == 1).all()
    assert before._version == 0


def test_refused_in_modes_and_transforms():
    tensor = torch.ones(5)

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    with Mode(), pytest.raises(TypeError, match="TorchDispatchMode is active"):
        refusals.check(tensor)

    def checked(x):
        refusals.check(x)
        return x.sum()

    with pytest.raises(TypeError, match=r"a transform of torch\.func, such as vmap or grad"):
        torch.func.grad(checked)(tensor)
    with pytest.raises(TypeError, match=r"a transform of torch\.func, such as vmap or grad"):
        torch.vmap(checked)(torch.ones(2, 3))
    refusals.check(tensor)


# Memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_is_a_view(dtype):
    tensor = torch.zeros(6, 8, dtype=getattr(torch, dtype))
    for view in (tensor, tensor.t(), tensor[::2, 3:], tensor[2, 3], tensor[:0]):
        array, name = tensors.memory(view)
        assert name == dtype
        assert array.shape == tuple(view.shape)
        assert array.itemsize == view.element_size()
        array[...] = 1
        assert (view.float() != 0).all()
        tensor.zero_()
    parameter = torch.nn.Parameter(torch.zeros(3))
    array, _ = tensors.memory(parameter)
    array[:] = 2
    assert parameter.tolist() == [2, 2, 2]


def test_memory_outlives_the_tensor():
    array, _ = tensors.memory(torch.full((1000,), 3.0))
    others = [torch.full((1000,), 4.0) for _ in range(50)]
    assert (array == 3).all()
    assert len(others) == 50


# Interrupted fills --------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize("through", ["drop-in", "drop-in, strided", "fill"])
def test_an_interrupted_fill_increases_the_version(through):
    """What was saved for the backward pass is no longer there."""
    # A fill looks for signals every 20 ms, and this one takes 40 ms or more.
    tensor = torch.zeros(1 << 27, dtype=torch.float16)
    if through == "drop-in, strided":
        tensor = tensor.view(1 << 14, 1 << 13).T

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(20):
            version = tensor._version
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            try:
                if through == "fill":
                    tensors.fill([(NORMAL, tensor, "w")], KEY, 1)
                else:
                    wi.torch.init.normal_(tensor, threads=1)
            except KeyboardInterrupt:
                if 0 < tensor.count_nonzero() < 0.99 * tensor.numel():
                    break
            tensor.zero_()
        else:
            pytest.skip("the timer went off before or after every fill")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert tensor._version > version


def test_threads_fill_at_the_same_time():
    results = {}

    def draw(name):
        torch_tensors = [torch.empty(30_000) for _ in range(20)]
        tensors.fill(
            [(NORMAL, tensor, f"{name}{n}") for n, tensor in enumerate(torch_tensors)], KEY
        )
        results[name] = torch_tensors

    workers = [threading.Thread(target=draw, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for name, drawn in results.items():
        for n, tensor in enumerate(drawn):
            np.testing.assert_array_equal(
                tensor, wi.normal(30_000, mean=1, rng=KEY, stream=f"{name}{n}")
            )
