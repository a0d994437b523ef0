"""Many tensors filled as one have the values of their own calls, or are left as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.internals import core, filling, target

import weightinit_fast as wi

KEY = wi.Key(5, 6)
#: The bytes of a tensor before it is filled, which no initialiser below writes everywhere.
UNTOUCHED = 0xA5

ELEMENTWISE = (
    "normal(std=0.02)",
    "uniform(low=-0.1, high=0.3)",
    "truncated_normal(std=0.5)",
    "truncated_normal(lower=-1, upper=3)",
    "constant(value=0.1)",
    "zeros",
    "ones",
    "he_normal",
    "xavier_uniform",
    "variance_scaling(distribution='truncated_normal')",
)
MATRICES = ("orthogonal", "sparse(sparsity=0.3)", "identity(gain=0.5)")
DTYPES = ("f4", "f8", "f2", ">f4", ">f2", ">f8")


def touched(shape, dtype):
    """Return a C-contiguous array whose bytes are UNTOUCHED."""
    array = np.empty(shape, dtype)
    array.view("u1").fill(UNTOUCHED) if array.ndim else array.fill(1)
    return array


#: Layout -> an array of a shape and dtype that nothing has filled.
LAYOUTS = {
    "contiguous": touched,
    "Fortran": lambda shape, dtype: touched(shape[::-1], dtype).T,
    "strided": lambda shape, dtype: touched((*shape[:-1], 3 * shape[-1]), dtype)[..., ::3],
    "reversed": lambda shape, dtype: touched(shape, dtype)[::-1],
    "columns": lambda shape, dtype: touched((*shape[:-1], 7 + shape[-1]), dtype)[..., 3:-4],
    "misaligned": lambda shape, dtype: (
        touched(np.prod(shape, dtype=int) * np.dtype(dtype).itemsize + 3, "u1")[3:]
        .view(dtype)
        .reshape(shape)
    ),
}


def alone(init, tensor, stream, threads=1):
    """Return what the initialiser's own call writes, as bytes in C order."""
    copy = np.empty(tensor.shape, tensor.dtype)
    init(out=copy, rng=KEY, stream=stream, threads=threads)
    return copy.tobytes()


@st.composite
def draw_of_any_kind(draw):
    """One draw: the name of an initialiser, a shape, a dtype, a layout and a stream."""
    matrix = draw(st.integers(0, 9)) == 0
    name = draw(st.sampled_from(MATRICES if matrix else ELEMENTWISE))
    axes = 2 if matrix or "_" in name else draw(st.integers(1, 4))
    longest = draw(st.sampled_from((2, 9, 70)))
    shape = tuple(draw(st.integers(1, longest)) for _ in range(axes))
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    dtype = draw(st.sampled_from(DTYPES if name != "orthogonal" else ("f4", "f8")))
    return name, shape, dtype, layout, draw(st.sampled_from(("a", "b.weight", 7)))


@pytest.mark.usefixtures("eager")
@pytest.mark.filterwarnings("ignore:sparsity=")
@settings(max_examples=60, deadline=None)
@given(st.lists(draw_of_any_kind(), max_size=12), st.sampled_from((None, 1, 2, 3, 8)))
def test_the_values_are_those_of_the_calls(chosen, threads):
    draws = [
        (wi.initializer(name), LAYOUTS[layout](shape, dtype), stream)
        for name, shape, dtype, layout, stream in chosen
    ]
    filling.fill_all(draws, KEY, threads)
    for (init, tensor, stream), what in zip(draws, chosen, strict=True):
        assert tensor.tobytes() == alone(init, tensor, stream), what


def mixed():
    """Return draws of sizes from one element to many tasks, of several types and layouts."""
    shapes = [(1,), (33,), (3, 5), (700, 1000), (2, 300_000), (257, 129), (768,), (1 << 18,)]
    draws = []
    for k in range(60):
        shape, layout = shapes[k % len(shapes)], sorted(LAYOUTS)[k % len(LAYOUTS)]
        names = ELEMENTWISE if len(shape) == 2 else ELEMENTWISE[:7]
        init = wi.initializer(names[k % len(names)])
        draws.append((init, LAYOUTS[layout](shape, DTYPES[k % len(DTYPES)]), f"tensor {k}"))
    return draws


@pytest.mark.parametrize("threads", range(1, 9))
def test_large_and_small_tensors_in_any_order(threads):
    draws = mixed()
    np.random.default_rng(threads).shuffle(draws)
    filling.fill_all(draws, KEY, threads)
    for init, tensor, stream in draws:
        assert tensor.tobytes() == alone(init, tensor, stream), stream


def test_ten_thousand_tiny_tensors():
    init = wi.initializer("normal")
    tensors = [np.empty(1 + k % 5, "f4") for k in range(10_000)]
    filling.fill_all(((init, tensor, k) for k, tensor in enumerate(tensors)), KEY)
    for k in range(0, 10_000, 97):
        assert tensors[k].tobytes() == alone(init, tensors[k], k)
    together = np.concatenate(tensors)
    assert len(np.unique(together)) > 0.999 * together.size


def test_an_empty_tensor_and_no_tensor():
    filling.fill_all([], KEY)
    empty, full = np.empty((0, 3), "f4"), np.empty(3, "f4")
    init = wi.initializer("normal")
    filling.fill_all([(init, empty, 0), (init, full, 0)], KEY)
    assert full.tobytes() == alone(init, full, 0)


def test_the_streams_of_constants_are_not_read():
    tensor = np.empty(5, "f4")
    filling.fill_all([(wi.initializer("ones"), tensor, object())], KEY)
    assert (tensor == 1).all()


# Refusals ----------------------------------------------------------------------------------------


def read_only():
    array = touched(5, "f4")
    array.flags.writeable = False
    return array


#: What is wrong -> (initialiser, tensor, stream, what the message says).
REFUSED = {
    "a type": ("normal", lambda: touched(5, "i4"), "bad", "int32"),
    "read-only memory": ("normal", read_only, "bad", "read-only"),
    "no array": ("normal", lambda: 3.0, "bad", "float"),
    "parameters that overflow": ("constant(value=1e6)", lambda: touched(5, "f2"), "bad", "1000000"),
    "one axis for two fans": ("he_normal", lambda: touched(5, "f4"), "bad", "axes"),
    "bounds": (
        "truncated_normal(lower=30, upper=31)",
        lambda: touched(5, "f4"),
        "bad",
        "lower=30",
    ),
    "a stream": ("normal", lambda: touched(5, "f4"), -1, "-1"),
    "a stream of no kind": ("orthogonal", lambda: touched((5, 5), "f4"), 1.5, "1.5"),
    "no matrix": ("orthogonal", lambda: touched(5, "f4"), "bad", "two axes"),
    "no matrix for identity": ("identity", lambda: touched(5, "f4"), "bad", "two axes"),
    "identity that overflows": (
        "identity(gain=1e6)",
        lambda: touched((5, 5), "f2"),
        "bad",
        "1000000",
    ),
    "no matrix for sparse": ("sparse(sparsity=0.5)", lambda: touched(5, "f4"), "bad", "two axes"),
    "sparse that overflows": (
        "sparse(sparsity=0.5, std=1e6)",
        lambda: touched((5, 5), "f2"),
        "bad",
        "std=1000000",
    ),
    "groups": ("dirac(groups=2)", lambda: touched((3, 3, 3), "f4"), "bad", "groups=2"),
    "an orthogonal gain that overflows": (
        "orthogonal(gain=1e6)",
        lambda: touched((5, 5), "f2"),
        "bad",
        "1000000",
    ),
    "fewer outputs than inputs": (
        "delta_orthogonal",
        lambda: touched((3, 5, 3), "f4"),
        "bad",
        "O >= I",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_written_when_the_last_tensor_is_refused(name):
    text, make, stream, message = REFUSED[name]
    others = [touched(3, "f4"), touched((300, 1000), "f8"), touched((4, 4), "f4")]
    inits = [wi.initializer(t) for t in ("normal", "ones", "orthogonal")]
    draws = [(init, tensor, k) for k, (init, tensor) in enumerate(zip(inits, others, strict=True))]
    with pytest.raises((TypeError, ValueError), match=message) as refused:
        filling.fill_all([*draws, (wi.initializer(text), make(), stream)], KEY)
    assert str(refused.value).startswith(f"{stream}: "), "the message names the tensor"
    for tensor in others:
        assert (tensor.view("u1") == UNTOUCHED).all()


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2", 10**9])
def test_threads_are_refused_before_anything_is_written(threads):
    tensor = touched(5, "f4")
    with pytest.raises((TypeError, ValueError), match="threads"):
        filling.fill_all([(wi.initializer("normal"), tensor, 0)], KEY, threads)
    assert (tensor.view("u1") == UNTOUCHED).all()


def test_a_generator_advances_only_when_all_is_right():
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    right, wrong = touched((3, 3), "f4"), touched((3, 3), "i4")
    draws = [(wi.initializer(name), right, 0) for name in ("normal", "orthogonal")]
    with pytest.raises(TypeError, match="int32"):
        filling.fill_all([*draws, (draws[0][0], wrong, 0)], rng)
    filling.fill_all(draws[1:], rng)
    assert right.tobytes() == wi.orthogonal((3, 3), rng=same).tobytes()


def test_a_queue_reads_a_generator_last():
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    queue = core.Queue()
    with pytest.raises(ValueError, match="threads"):
        queue.run(rng, 0)
    queue.run(rng, 1)
    wi.key(same)
    assert rng.random() == same.random()


# Memory ------------------------------------------------------------------------------------------


def test_the_memory_of_all_tensors_is_pinned_until_the_end():
    tensors = [np.zeros(100, "f4") for _ in range(3)]
    init, refused = wi.initializer("normal"), []

    def draws():
        for k, tensor in enumerate(tensors):
            yield init, tensor, k
            for earlier in tensors[: k + 1]:
                with pytest.raises(ValueError, match="resize"):
                    earlier.resize(1, refcheck=False)
                refused.append(k)

    filling.fill_all(draws(), KEY)
    assert len(refused) == 6
    tensors[0].resize(1, refcheck=False)  # nothing holds it any longer


def test_a_queue_that_has_run_is_empty():

    queue, tensor = core.Queue(), np.zeros(5, "f4")
    queue.add(target.resolve(None, None, tensor, None), core.NORMAL, (0.0, 1.0), 0)
    queue.run(KEY, 1)
    assert tensor.any()
    tensor.fill(0)
    queue.run(KEY, 1)
    assert not tensor.any()


def test_rows_by_id_and_parts_wait_in_a_queue_too():
    queue, shape, waiting = core.Queue(), (10**6, 50), []
    for k in range(40):
        ids = np.arange(k * 1000, k * 1000 + 77)[:: (-1) ** k]
        index = np.s_[k : k + 300 : 1 + k % 3, 5:45]
        by_id, part = np.zeros((77, 50), "f4"), np.zeros(np.empty(shape, "u1")[index].shape, "f8")
        for out, which in ((by_id, {"rows": ids.copy()}), (part, {"index": index})):
            waiting.append((out, which, k))
            queue.add(
                target.resolve(shape, None, out, which.get("index"), rows=which.get("rows")),
                *(core.NORMAL, (0.0, 1.0), k),
            )
    ids.fill(-1)
    queue.run(KEY, 3)
    for out, which, k in waiting:
        expected = wi.normal(shape, dtype=out.dtype, rng=KEY, stream=k, **which)
        assert np.array_equal(out, expected), which


def test_overlapping_tensors_do_no_harm():
    memory = np.zeros(1 << 20, "f4")
    init = wi.initializer("normal")
    parts = [memory[: 3 << 18], memory[1 << 18 :], memory[::-1], memory[::3]]
    filling.fill_all([(init, part, k) for k, part in enumerate(parts)], KEY, 3)
    assert np.isfinite(memory).all()
    assert memory.all()
