"""torch's objects: tensors as out=, dtypes as dtype=, Generators as rng=.

Each case is judged by what torch itself does, or by the values that NumPy's arrays get.
"""

import numpy as np
import pytest
from support.frameworks import Framework

import weightinit_fast as wi

torch = Framework("torch")
REFUSALS = (TypeError, ValueError, BufferError)
LONGEST = 400  # characters of a message
INIT = wi.initializer(wi.normal, std=0.02)
CALL = {"rng": 0, "stream": "tensor"}
SHAPE = (37, 53)
DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
#: A type that NumPy lacks -> torch's integers of the same width.
BITS = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}


def wanted(shape, name):
    """Return the expected values in a type: NumPy's array, or torch's own rounding of float32."""
    if name in ("float32", "float64"):
        return torch.from_numpy(INIT(shape, dtype=name, **CALL))
    return torch.from_numpy(INIT(shape, **CALL)).to(getattr(torch, name))


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    a, b = (x.contiguous().reshape(-1).view(torch.uint8) for x in (a, b))
    return torch.equal(a, b)


def exported(dtype):
    """Return whether this torch exports the type by DLPack; an older one exports no float8."""
    try:
        torch.empty(1, dtype=dtype).__dlpack__(max_version=(1, 0))
    except (BufferError, RuntimeError, TypeError):
        return False
    return True


def refused(text, call):
    """Assert that a call is refused by a short message that has a text in it."""
    with pytest.raises(REFUSALS) as caught:
        call()
    message = str(caught.value)
    assert text in message
    assert len(message) <= LONGEST


# ---- tensors that are filled ----------------------------------------------------------------


@pytest.mark.parametrize("name", DTYPES)
def test_every_type_is_filled_in_place(name):
    tensor = torch.zeros(SHAPE, dtype=getattr(torch, name))
    if not exported(tensor.dtype):
        refused("Tensor is refused", lambda: INIT(out=tensor, **CALL))
        return
    address = tensor.data_ptr()
    assert INIT(out=tensor, **CALL) is tensor
    assert tensor.data_ptr() == address
    assert same_bits(tensor, wanted(SHAPE, name))
    again = torch.zeros_like(tensor)
    INIT(out=again, dtype=tensor.dtype, **CALL)
    assert same_bits(again, tensor)


@pytest.mark.parametrize(("name", "bits"), BITS.items())
def test_narrow_types_are_filled_by_a_view_of_their_bits(name, bits):
    for dtype in (name, getattr(torch, name)):
        tensor = torch.zeros(SHAPE, dtype=getattr(torch, name))
        INIT(out=tensor.view(getattr(torch, bits)), dtype=dtype, **CALL)
        assert same_bits(tensor, wanted(SHAPE, name))


#: Name -> (the shape of the whole memory, what makes a view of it).
VIEWS = {
    "contiguous": ((37, 53), lambda t: t),
    "transposed": ((53, 37), lambda t: t.t()),
    "columns": ((37, 60), lambda t: t[:, 3:56]),
    "every second column": ((37, 120), lambda t: t[:, 1:107:2]),
    "every third row": ((111, 53), lambda t: t[2::3]),
    "selected": ((37, 4, 53), lambda t: t[:, 2]),
    "channels last": ((2, 5, 7, 3), lambda t: t.permute(0, 3, 1, 2)),
    "diagonal": ((40, 40), lambda t: t.diagonal(3)),
    "offset": ((2000,), lambda t: t[39:].view(37, 53)),
    "unsqueezed": ((37,), lambda t: t[None, :, None]),
    "narrowed to nothing": ((37, 53), lambda t: t[5:5]),
    "0-d": ((), lambda t: t),
    "an element": ((9, 9), lambda t: t[4, 4]),
}


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
@pytest.mark.parametrize("view", VIEWS)
def test_views_are_written_and_nothing_beside_them(view, name):
    shape, take = VIEWS[view]
    whole = torch.full(shape, -1.0, dtype=getattr(torch, name))
    tensor = take(whole)
    assert INIT(out=tensor, **CALL) is tensor
    assert same_bits(tensor, wanted(tuple(tensor.shape), name))
    assert int((whole != -1).sum()) == tensor.numel()


def test_memory_formats_do_not_change_the_values():
    shape = (4, 6, 5, 3)
    for layout in (torch.contiguous_format, torch.channels_last):
        image = torch.empty(shape).to(memory_format=layout)
        INIT(out=image, **CALL)
        assert same_bits(image, wanted(shape, "float32"))


def test_torch_has_no_negative_strides_but_numpy_reverses_its_memory():
    tensor = torch.zeros(SHAPE)
    INIT(out=tensor.numpy()[::-1, ::-1], **CALL)
    assert same_bits(tensor.flip(0, 1), wanted(SHAPE, "float32"))
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(np.zeros(3)[::-1])


def test_a_part_of_a_tensor_is_filled_by_its_index():
    tensor = torch.zeros(SHAPE, dtype=torch.bfloat16)
    part = np.s_[5:30:2, ::-1]
    INIT(tensor.shape, out=tensor[5:30:2], index=part, **CALL)
    whole = wanted(SHAPE, "bfloat16")
    assert same_bits(tensor[5:30:2], whole[5:30:2].flip(1))
    assert not bool(tensor[6:30:2].any())


def test_empty_tensors():
    tensor = torch.zeros(0, 3)
    assert INIT(out=tensor, **CALL) is tensor
    for dtype in (torch.float32, torch.bfloat16):
        nothing = torch.zeros(0, dtype=dtype)
        refused("pass shape=", lambda out=nothing: INIT(out=out, **CALL))
        assert INIT(0, out=nothing, **CALL) is nothing
        refused("out has shape (0,)", lambda out=nothing: INIT(SHAPE, out=out, **CALL))


def test_subclasses_and_parameters_without_gradients_are_tensors():
    class Mine(torch.Tensor):
        pass

    frozen = torch.nn.Parameter(torch.zeros(SHAPE), requires_grad=False)
    for tensor in (torch.zeros(SHAPE).as_subclass(Mine), frozen):
        assert INIT(out=tensor, **CALL) is tensor
        assert same_bits(tensor.detach(), wanted(SHAPE, "float32"))


def test_tensors_made_in_inference_mode():
    with torch.inference_mode():
        tensor = torch.zeros(SHAPE)
        INIT(out=tensor, **CALL)
        assert same_bits(tensor, wanted(SHAPE, "float32"))


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_rows_of_a_tensor_by_the_ids_of_a_tensor(name):
    ids = torch.tensor([30, 2, 2, 36, 0])
    whole = wanted(SHAPE, name)
    for out in (
        torch.zeros((5, SHAPE[1]), dtype=whole.dtype),
        torch.zeros((SHAPE[1], 5), dtype=whole.dtype).T,
        torch.zeros((9, 60), dtype=whole.dtype)[2:7, 1:-6],
    ):
        assert INIT(SHAPE, rows=ids, out=out, **CALL) is out
        assert same_bits(out, whole[ids])
    for rows in (ids.to(torch.int32), ids.to(torch.uint8), ids.tolist(), list(ids)):
        assert same_bits(
            torch.from_numpy(INIT(SHAPE, rows=rows, **CALL)), wanted(SHAPE, "float32")[ids]
        )


def test_tensors_that_hold_no_ids():
    for wrong, text in (
        (torch.tensor([1.0]), "integer dtype, not float32"),
        (torch.tensor([True]), "integer dtype, not bool"),
        (torch.tensor([[1]]), "one axis, not the shape (1, 1)"),
        (torch.tensor(1), "one axis, not the shape ()"),
        (torch.tensor([0, -1]), "rows[1] is -1"),
        (torch.tensor([0, 1], device="meta"), "rows of type Tensor cannot be read as an array"),
    ):
        refused(text, lambda wrong=wrong: INIT(SHAPE, rows=wrong, **CALL))


# ---- autograd -------------------------------------------------------------------------------


def test_a_tensor_that_requires_grad_is_refused():
    weight = torch.nn.Linear(SHAPE[1], SHAPE[0]).weight
    before = weight.detach().clone()
    refused("out.detach()", lambda: INIT(out=weight, **CALL))
    refused("out.detach()", lambda: INIT(out=weight * 2, **CALL))  # part of a graph
    refused("out.detach()", lambda: INIT(out=weight.to(torch.bfloat16), **CALL))
    with torch.no_grad():
        refused("out.detach()", lambda: INIT(out=weight, **CALL))
    assert bool((weight == before).all())
    INIT(out=weight.detach(), **CALL)
    assert same_bits(weight.detach(), wanted(SHAPE, "float32"))


def saved_for_backward(write):
    """Change a tensor that autograd has saved; return the gradient that follows."""
    leaf, saved = torch.ones(3, requires_grad=True), torch.full((3,), 2.0)
    product = (leaf * saved).sum()
    write(saved)
    product.backward()
    return leaf.grad


def test_the_version_counter_does_not_move():
    """Autograd does not see the write unless it is reported, as the guide warns."""
    for name in ("float32", "bfloat16"):
        tensor = torch.zeros(SHAPE, dtype=getattr(torch, name))
        version = tensor._version
        INIT(out=tensor, **CALL)
        assert tensor._version == version
        torch.autograd.graph.increment_version(tensor)
        assert tensor._version == version + 1
    with pytest.raises(RuntimeError, match="inplace"):  # torch's reaction to its own writes
        saved_for_backward(lambda saved: saved.zero_())
    gradient = saved_for_backward(lambda saved: wi.zeros(out=saved))
    assert gradient.tolist() == [0, 0, 0]  # silently wrong, since 2 was saved

    def reported(saved):
        wi.zeros(out=saved)
        torch.autograd.graph.increment_version(saved)

    with pytest.raises(RuntimeError, match="inplace"):
        saved_for_backward(reported)


# ---- lazy minus signs and conjugates --------------------------------------------------------


def test_the_negative_bit_is_refused():
    values = torch.zeros(3, dtype=torch.complex64)
    tensor = values.conj().imag
    assert tensor.is_neg()
    refused("resolve_neg", lambda: INIT(out=tensor, **CALL))
    refused("resolve_neg", lambda: INIT(3, out=tensor, dtype="float32", **CALL))
    refused("resolve_neg", lambda: INIT(out=torch._neg_view(torch.zeros(3)), **CALL))
    resolved = tensor.resolve_neg()  # as the message advises
    tensor.copy_(INIT(out=resolved, **CALL))
    assert same_bits(tensor.resolve_neg(), wanted((3,), "float32"))
    assert same_bits(values.imag.contiguous(), -wanted((3,), "float32"))


def test_views_of_complex_tensors():
    values = torch.zeros(SHAPE, dtype=torch.complex64)
    INIT(out=values.conj().real, **CALL)  # the same memory as values.real
    assert same_bits(values.real.contiguous(), wanted(SHAPE, "float32"))
    assert not bool(values.imag.any())
    INIT(out=values.imag, **CALL)
    assert same_bits(values.conj().imag.resolve_neg(), -wanted(SHAPE, "float32"))
    INIT((*SHAPE, 2), out=torch.view_as_real(values), **CALL)
    assert same_bits(torch.view_as_real(values), wanted((*SHAPE, 2), "float32"))
    refused("conj", lambda: INIT(out=values.conj(), **CALL))


# ---- tensors that are refused ---------------------------------------------------------------

REFUSED = {
    "int32": (lambda: torch.zeros(3, dtype=torch.int32), "not int32"),
    "int64": (lambda: torch.zeros(3, dtype=torch.int64), "not int64"),
    "uint8": (lambda: torch.zeros(3, dtype=torch.uint8), "dtype='bfloat16'"),
    "bool": (lambda: torch.zeros(3, dtype=torch.bool), "bool"),
    "complex64": (lambda: torch.zeros(3, dtype=torch.complex64), "complex numbers of 64 bits"),
    "complex128": (lambda: torch.zeros(3, dtype=torch.complex128), "complex numbers of 128 bits"),
    "meta": (lambda: torch.zeros(3, device="meta"), "meta"),
    "meta bfloat16": (lambda: torch.zeros(3, device="meta", dtype=torch.bfloat16), "meta"),
    "sparse": (lambda: torch.eye(4).to_sparse(), "out of type Tensor is refused"),
    "mkldnn": (lambda: torch.eye(4).to_mkldnn(), "out of type Tensor is refused"),
    "quantized": (
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "out of type Tensor is refused",
    ),
    "expanded": (lambda: torch.zeros(1, 53).expand(37, 53), "repeats elements"),
    "overlapping": (lambda: torch.zeros(9).as_strided((3, 3), (2, 1)), "overlapping"),
    "zeros that have no memory": (lambda: torch._efficientzerotensor(3), "no memory"),
    "freed": (lambda: freed(torch.zeros(300)), "no memory"),
    "a storage": (lambda: torch.zeros(3).untyped_storage(), "not UntypedStorage"),
    "a module": (lambda: torch.nn.Linear(3, 4), "not Linear"),
    "a lazy parameter": (lambda: torch.nn.LazyLinear(3).weight, ""),
}


def freed(tensor):
    """Give a tensor's memory back, as fully sharded training does between two uses."""
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.filterwarnings("ignore")  # torch warns that sparse and quantized tensors are in beta
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_filled_is_refused(case):
    make, text = REFUSED[case]
    out = make()
    generator = np.random.default_rng(0)
    state = generator.bit_generator.state
    refused(text, lambda: INIT(out=out, rng=generator))
    assert generator.bit_generator.state == state


def test_a_dtype_that_does_not_fit():
    for held, asked in (("float32", "float64"), ("bfloat16", "float16"), ("float16", "bfloat16")):
        tensor = torch.zeros(3, dtype=getattr(torch, held))
        for dtype in (asked, getattr(torch, asked)):
            refused(
                f"dtype={asked} does not fit out, whose dtype is {held}",
                lambda out=tensor, dtype=dtype: INIT(out=out, dtype=dtype, **CALL),
            )
        assert not bool(tensor.any())


# ---- torch's dtypes and shapes --------------------------------------------------------------


@pytest.mark.parametrize("name", DTYPES)
def test_a_torch_dtype_names_the_type(name):
    if name in BITS:
        pytest.importorskip("ml_dtypes")
    ours = INIT(SHAPE, dtype=getattr(torch, name), **CALL)
    named = INIT(SHAPE, dtype=name, **CALL)
    assert ours.dtype == named.dtype
    assert ours.dtype.name == name
    assert ours.tobytes() == named.tobytes()


@pytest.mark.parametrize(
    "name", ["int8", "int64", "bool", "complex64", "float8_e4m3fnuz", "float8_e5m2fnuz"]
)
def test_other_torch_dtypes_are_refused(name):
    dtype = getattr(torch, name)
    refused("dtype must be one of float32, float64", lambda: INIT(3, dtype=dtype, rng=0))
    if name.startswith("float8"):
        with pytest.raises(TypeError) as caught:
            INIT(3, dtype=dtype, rng=0)
        assert "to store bits" not in str(caught.value)


def test_a_torch_size_is_a_shape():
    assert INIT(torch.zeros(SHAPE).shape, rng=0).shape == SHAPE
    refused("out=", lambda: INIT(torch.zeros(SHAPE), rng=0))


# ---- torch's Generators ---------------------------------------------------------------------


def words(generator):
    """Draw the key's low and high 64 bits, as the documentation defines them."""
    drawn = torch.empty(2, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    return tuple(word % 2**64 for word in drawn.tolist())


def test_a_generator_gives_128_bits_and_advances():
    generator, twin = (torch.Generator().manual_seed(7) for _ in range(2))
    keys = [wi.key(generator) for _ in range(20)]
    assert [(key.low, key.high) for key in keys] == [words(twin) for _ in range(20)]
    assert len(set(keys)) == 20
    assert torch.equal(generator.get_state(), twin.get_state())
    numbers = [number for key in keys for number in (key.low, key.high)]
    assert max(numbers) >= 2**63 > min(numbers)


def test_draws_of_a_generator_are_those_of_its_keys():
    generator, twin = (torch.Generator().manual_seed(7) for _ in range(2))
    tensor = torch.zeros(SHAPE, dtype=torch.bfloat16)
    for stream in ("a", "b", 3):
        ours = INIT(SHAPE, rng=generator, stream=stream)
        assert ours.tobytes() == INIT(SHAPE, rng=wi.key(twin), stream=stream).tobytes()
        INIT(out=tensor, rng=generator, stream=stream)
        narrow = INIT(SHAPE, rng=wi.key(twin), stream=stream)
        assert same_bits(tensor, torch.from_numpy(narrow).to(torch.bfloat16))
    assert torch.equal(generator.get_state(), twin.get_state())


def test_a_generator_reproduces():
    generator = torch.Generator()
    generator.manual_seed(5)
    first = INIT(9, rng=generator).tolist()
    state = generator.get_state()
    second = INIT(9, rng=generator).tolist()
    assert second != first
    generator.set_state(state)
    assert INIT(9, rng=generator).tolist() == second
    generator.manual_seed(5)
    assert INIT(9, rng=generator).tolist() == first
    assert INIT(9, rng=torch.Generator().manual_seed(6)).tolist() != first


def test_the_default_generator():
    state = torch.get_rng_state()
    try:
        torch.manual_seed(5)
        ours = INIT(9, rng=torch.default_generator).tolist()
        assert ours == INIT(9, rng=torch.Generator().manual_seed(5)).tolist()
        advanced = torch.get_rng_state()
        INIT(9, rng=0)
        assert torch.equal(torch.get_rng_state(), advanced)
    finally:
        torch.set_rng_state(state)


def test_a_generator_advances_only_for_what_is_drawn():
    generator = torch.Generator().manual_seed(7)
    state = generator.get_state()
    refused("3", lambda: wi.normal((3, -3), rng=generator))
    refused("std", lambda: wi.normal(3, std=-1, rng=generator))
    refused("not int32", lambda: wi.normal(out=torch.zeros(3, dtype=torch.int32), rng=generator))
    wi.zeros(3, rng=generator)
    assert torch.equal(generator.get_state(), state)


def test_other_objects_of_torch_are_no_seeds():
    refused("torch.Generator", lambda: INIT(3, rng=torch.tensor(3)))
    refused("is not a seed", lambda: INIT(3, rng=torch.random))
