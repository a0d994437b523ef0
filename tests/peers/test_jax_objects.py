"""JAX's arrays, keys and dtypes as arguments of ours, and our arrays as arguments of JAX."""

import numpy as np
import pytest
from support.frameworks import Framework

import weightinit_fast as wi

jax = Framework("jax")
REFUSALS = (TypeError, ValueError, BufferError)
LONGEST = 400  # characters of a message
INIT = wi.initializer(wi.normal, std=0.02)
CALL = {"rng": 0, "stream": "array"}
SHAPE = (128, 256)  # at least 64 KiB, even in 16 bits
ALIGNED_FROM = 1 << 16


def refused(text, call):
    """Assert that a call is refused by a short message that has a text in it."""
    with pytest.raises(REFUSALS) as caught:
        call()
    message = str(caught.value)
    assert text in message
    assert len(message) <= LONGEST


# ---- arrays of JAX as out= ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_an_array_of_jax_is_refused(name):
    array = jax.numpy.zeros((37, 53), name)
    refused("JAX's arrays never change", lambda: INIT(out=array, **CALL))
    refused("JAX's arrays never change", lambda: INIT((37, 53), out=array, **CALL))
    assert not bool(array.any())
    if name == "float32":
        refused("out is read-only", lambda: INIT(out=np.asarray(array), **CALL))


def test_a_traced_array_is_refused():
    traced = jax.jit(lambda array: INIT(out=array, **CALL))
    refused("JAX's arrays never change", lambda: traced(jax.numpy.zeros(3)))


# ---- keys and dtypes of JAX -----------------------------------------------------------------


@pytest.mark.parametrize("make", ["key", "PRNGKey"])
def test_a_key_of_jax_is_refused_and_its_data_is_a_seed(make):
    key = getattr(jax.random, make)(2**40 + 7)
    refused("jax.random.key_data", lambda: wi.normal(3, rng=key))
    refused("jax.random.key_data", lambda: wi.key(jax.random.split(key)))
    refused("weightinit_fast.jax.key(key)", lambda: wi.normal(3, rng=key))
    words = [*map(int, np.asarray(jax.random.key_data(key))), 0, 0]
    assert wi.jax.key(key) == wi.Key(words[0] + 2**32 * words[1], 0)  # as the message advises
    data = np.asarray(jax.random.key_data(key))
    assert wi.key(data) == wi.key(data.tolist())
    assert wi.key(data) != wi.key(np.asarray(jax.random.key_data(jax.random.key(8))))


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_a_dtype_of_jax_names_the_type(name):
    named = INIT(9, dtype=name, **CALL)
    for dtype in (getattr(jax.numpy, name), jax.numpy.zeros(1, name).dtype):
        ours = INIT(9, dtype=dtype, **CALL)
        assert ours.dtype == named.dtype
        assert ours.tobytes() == named.tobytes()


# ---- our arrays in JAX ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float8_e5m2"])
def test_arrays_of_ours_are_taken_with_their_bits(name):
    ours = INIT((37, 53), dtype=name, **CALL)
    for take in (jax.numpy.asarray, jax.device_put):
        made = take(ours)
        assert made.dtype == ours.dtype
        assert np.asarray(made).tobytes() == ours.tobytes()


def address(array):
    """Return the address of an array of JAX.

    Wait for the array first: asking for its pointer would wait too, but would hold the GIL, which
    the thread that makes the array may need.
    """
    return jax.block_until_ready(array).unsafe_buffer_pointer()


@pytest.mark.parametrize("name", ["from_dlpack", "device_put"])
def test_large_new_arrays_begin_on_a_cache_line_so_that_jax_shares_them(name):
    take = jax.device_put if name == "device_put" else jax.numpy.from_dlpack
    dtypes = ("float32", "float16", "bfloat16")  # NumPy exports no bfloat16 by DLPack
    memory = np.zeros(ALIGNED_FROM + 64, np.uint8)
    aligned = memory[-memory.ctypes.data % 64 :][:ALIGNED_FROM].view(np.float32)
    shares = address(take(aligned)) == aligned.ctypes.data
    for dtype in dtypes[: 3 if name == "device_put" else 2]:
        for init in (INIT, wi.initializer(wi.zeros)):
            ours = init(SHAPE, dtype=dtype, **CALL)
            assert ours.nbytes >= ALIGNED_FROM
            assert ours.ctypes.data % 64 == 0
            made = take(ours)
            assert np.asarray(made).tobytes() == ours.tobytes()
            assert (address(made) == ours.ctypes.data) == shares
    if not shares:
        pytest.skip("this JAX copies every array of NumPy's")
