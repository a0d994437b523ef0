"""A key of JAX is the key: which words it has, and what is refused."""

import numpy as np
import pytest
from adapted import adapter, bits, jax

import weightinit_fast as wi


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
@pytest.mark.parametrize("make", ["key", "raw key"])
def test_the_words_of_a_key_are_those_of_jax(impl, make):
    typed = jax.random.fold_in(jax.random.key(2**31 + 5, impl=impl), 77)
    words = np.asarray(jax.random.key_data(typed))
    key = typed if make == "key" else jax.numpy.asarray(words)
    numbers = [*map(int, words), 0, 0, 0, 0][:4]
    found = adapter.key(key)
    assert type(found) is wi.Key
    assert found.low == numbers[0] + 2**32 * numbers[1]
    assert found.high == numbers[2] + 2**32 * numbers[3]


def test_the_words_in_order():
    assert adapter.key(np.array([1, 2, 3, 4], "u4")) == wi.Key(0x2_00000001, 0x4_00000003)
    assert adapter.key(jax.numpy.array([1, 2], "uint32")) == wi.Key(0x2_00000001, 0)
    assert adapter.key(np.array([2**32 - 1] * 4, "u4")) == wi.Key(2**64 - 1, 2**64 - 1)
    assert adapter.key(np.array([7], "u4")) == wi.Key(7, 0)


def test_raw_keys_draw_as_typed_ones_do():
    init = adapter.initializers.normal()
    typed = init(jax.random.key(3), (33,))
    assert bits(init(jax.random.PRNGKey(3), (33,))) == bits(typed)
    assert bits(init(np.asarray(jax.random.PRNGKey(3)), (33,))) == bits(typed)
    four = np.arange(4, dtype="u4")
    assert bits(init(four, (33,))) == bits(wi.normal(33, std=0.01, rng=adapter.key(four)))


def refusals():
    split = jax.random.split(jax.random.key(0), 3)
    yield 3, TypeError, "pass jax.random.key(3)"
    yield None, TypeError, "not None"
    yield wi.key(0), TypeError, "take that as rng="
    yield split, ValueError, "shape (3,): map the initialiser over the keys by jax.vmap"
    yield jax.random.key_data(split), ValueError, "shape (3,), the last axis of which has the 2 w"
    yield np.zeros(5, "u4"), TypeError, "5 words"
    yield np.zeros(0, "u4"), TypeError, "0 words"
    yield np.zeros((), "u4"), TypeError, "not an array of dtype uint32 and shape ()"
    yield np.zeros(2, "i4"), TypeError, "not an array of dtype int32 and shape (2,)"


def test_what_is_no_key_is_refused():
    for key, kind, text in refusals():
        for call in (adapter.key, lambda key: adapter.initializers.normal()(key, (2,))):
            with pytest.raises(kind) as caught:
                call(key)
            assert text in str(caught.value)


def test_a_traced_key_has_no_words_yet():
    with pytest.raises(TypeError, match=r"traced by jax\.jit .* outside of it"):
        jax.jit(adapter.key)(jax.random.key(0))


@pytest.mark.parametrize("make", ["key", "PRNGKey", "NumPy's array"])
def test_a_known_key_in_a_traced_function_draws_when_that_runs(make):
    """What is drawn is no constant of the program: nothing is drawn when it is traced."""
    key = jax.random.key(3) if make == "key" else jax.random.PRNGKey(3)
    key = np.asarray(key) if make == "NumPy's array" else key
    init = adapter.initializers.normal()
    huge = jax.eval_shape(lambda: init(key, (1 << 20, 1 << 20)))
    assert huge.shape == (1 << 20, 1 << 20)
    made = jax.jit(lambda: init(key, (33,)))()
    assert bits(made) == bits(init(key, (33,)))
