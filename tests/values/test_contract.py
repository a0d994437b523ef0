"""Words, uniforms and normals against the oracle, element by element, in every instruction set.

Words and uniforms have to be equal to the bit, and normals within the contract's bound. Elements
whose words are extreme are tested in test_chosen_words.py.
"""

import numpy as np
import pytest
from oracles import oracle
from support.draws import (
    NEAR_WIDTHS,
    STARTS,
    assert_same_bits,
    assert_within_bound,
)
from support.internals import core
from support.kernels import KERNELS, LENGTH, PARAMS, check_against_oracle, fill, fill_into

import weightinit_fast as wf

DTYPES = ("f4", "f8")


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "words"), [row[1:] for row in oracle.known_answers() if row[0] == 7]
)
def test_known_answer(isa, counter, key, words):
    """Test all rows of 7 rounds; blocks from 2^62 on hold no element, and are drawn by number."""
    block, stream = counter
    if block < 2**62:
        result = fill(4, core.WORDS, "u4", 4 * block, key=key, stream=stream).tolist()
    else:
        result = list(core.generate_block(*key, *counter))
    assert result == words


# Long runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_long_run(isa, transform, dtype):
    """Test 2^20 elements; 2^17 in double, where the oracle is slow."""
    n = 2**17 if dtype == "f8" else 2**20
    for params in {PARAMS[transform], (0.0, 1.0)[: len(PARAMS[transform])]}:
        check_against_oracle(fill(n, transform, dtype, 0, params), transform, 0, params)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mean", "std"), [(0.0, 1e-3), (-3.0, 0.1), (1e6, 1.0), (0.1, 1e20), (0.7, 0.0)]
)
def test_normal_parameters(isa, dtype, mean, std):
    n = 2**10
    result = fill(n, core.NORMAL, dtype, 0, (mean, std))
    check_against_oracle(result, core.NORMAL, 0, (mean, std))
    if std == 0:
        assert (result == np.dtype(dtype).type(mean)).all()


@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_starts_up_to_the_end_of_the_stream(isa, transform, dtype):
    end = LENGTH[dtype]
    for first in (*STARTS, end // 2 - 77, end - 333):
        check_against_oracle(fill(333, transform, dtype, first), transform, first)
    with pytest.raises(ValueError, match="end of the stream"):
        fill(334, transform, dtype, end - 333)


@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_lengths_and_starts_around_each_width(isa, transform, dtype):
    """A run of any start and length has the bits of one long run; no byte around it changes."""
    base = 2**34 - 256  # a block number crosses 2^32 in single, 2^33 in double
    size = np.dtype(dtype).itemsize
    whole = fill(1024, transform, dtype, base)
    check_against_oracle(whole, transform, base)
    guard = 64
    for start in NEAR_WIDTHS:
        for n in NEAR_WIDTHS:
            raw = np.full(n * size + 2 * guard, 0xA5, dtype=np.uint8)
            out = raw[guard : guard + n * size].view(dtype)
            fill_into(out, transform, base + start)
            assert out.tobytes() == whole[start : start + n].tobytes(), (start, n)
            assert (np.delete(raw, np.s_[guard:-guard]) == 0xA5).all(), (start, n)


@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_unaligned_buffers(isa, transform, dtype):
    n, size = 201, np.dtype(dtype).itemsize
    for first in (0, 5, 16, 24):
        whole = fill(n, transform, dtype, first)
        check_against_oracle(whole, transform, first)
        for shift in range(64):
            raw = np.full(n * size + 128, 0xA5, dtype=np.uint8)
            out = raw[shift : shift + n * size].view(dtype)
            fill_into(out, transform, first)
            assert out.tobytes() == whole.tobytes(), (first, shift)
            assert (raw[:shift] == 0xA5).all()
            assert (raw[shift + n * size :] == 0xA5).all()


@pytest.mark.parametrize(("threads", "shift"), [(1, 0), (1, 1), (2, 16), (3, 63), (7, 4)])
@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_large_fill_is_the_sum_of_small_ones(isa, transform, dtype, threads, shift):
    """The fill is so large that stores bypass the caches and threads share it, at any shift."""
    n, piece, first = 2**21 + 37 * threads, 2**14 + 3, 2**40 + 11
    size = np.dtype(dtype).itemsize
    raw = np.full(n * size + 256, 0xA5, dtype=np.uint8)
    begin = 64 + shift + -raw.ctypes.data % 64
    out = raw[begin : begin + n * size].view(dtype)
    fill_into(out, transform, first, threads=threads)
    for k in range(0, n, piece):
        part = fill(min(piece, n - k), transform, dtype, first + k)
        assert out[k : k + piece].tobytes() == part.tobytes(), k
    assert (raw[:begin] == 0xA5).all()
    assert (raw[begin + n * size :] == 0xA5).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_sets_give_the_same_normals(isa, dtype):
    result = fill(2**18 + 7, core.NORMAL, dtype, 3)
    core.select_isa("scalar")
    assert_same_bits(result, fill(2**18 + 7, core.NORMAL, dtype, 3))


# The public surface: keys, streams, slices -------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stream", [0, 2**64 - 1, "h.0.attn.weight", "größe", ""])
def test_public_functions_follow_the_contract(dtype, stream):
    key = oracle.derive_key(11)
    i = np.arange(6 * 70).reshape(6, 70)[4:1:-1, ::3]
    args = {"dtype": np.dtype(dtype), "rng": 11, "stream": stream, "index": np.s_[4:1:-1, ::3]}
    y = wf.uniform((6, 70), low=-0.7, high=1.3, **args)
    expected = oracle.uniform(key, stream, i.ravel(), -0.7, 1.3, dtype)
    assert_same_bits(y, expected.reshape(i.shape))
    y = wf.normal((6, 70), mean=0.25, std=1.5, **args)
    assert y.shape == i.shape
    exact = oracle.normal_exact(key, stream, i.ravel(), 0.25, 1.5, dtype)
    assert_within_bound(y.ravel(), *exact)


@pytest.mark.parametrize("seed", [0, 2**100 + 3, [1, 2, 3], np.array([4, 5], dtype=np.uint32)])
def test_keys_of_seeds(seed):
    assert wf.key(seed) == wf.Key(*oracle.derive_key(seed))
    sequence = np.random.SeedSequence(seed)
    assert wf.key(sequence) == wf.Key(*oracle.derive_key(seed))


@pytest.mark.parametrize(
    "kind",
    [
        np.random.PCG64,
        np.random.MT19937,
        lambda seed: np.random.Generator(np.random.Philox(seed)),
        np.random.RandomState,
    ],
)
def test_keys_of_generators(kind):
    """Take two keys in a row, so that the advance of the generator is tested too."""
    mine, theirs = kind(5), kind(5)
    for _ in range(2):
        assert wf.key(theirs) == wf.Key(*oracle.derive_key(mine))
