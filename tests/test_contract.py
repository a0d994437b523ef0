"""The package against the oracle: every instruction set, element by element.

Words and uniforms have to be equal to the bit, normals within the contract's bound. The elements
pinned below were found by running the cipher backwards from the word wanted.
"""

import functools

import numpy as np
import oracle
import pytest

import weightinit_fast as wf
from weightinit_fast import _core

KEY = (0x299F31D0A4093822, 0xEC4E6C89082EFA98)
STREAM = 0xB98D8FE6F970EB78
WIDTHS = (1, 4, 8, 16, 32, 64, 128, 256)
NEAR_WIDTHS = sorted({max(0, w + d) for w in WIDTHS for d in (-1, 0, 1)})
DTYPES = ("f4", "f8")
PARAMS = {_core.WORDS: (), _core.UNIFORM: (-0.7, 1.3), _core.NORMAL: (0.25, 1.5)}
#: (transform, dtype) of all kernels that draw.
KERNELS = (
    pytest.param(_core.WORDS, "u4", id="words"),
    pytest.param(_core.UNIFORM, "f4", id="uniform_f32"),
    pytest.param(_core.UNIFORM, "f8", id="uniform_f64"),
    pytest.param(_core.NORMAL, "f4", id="normal_f32"),
    pytest.param(_core.NORMAL, "f8", id="normal_f64"),
)
#: A stream has 2^64 words, which are 2^63 double words.
LENGTH = {"u4": 2**64, "f4": 2**64, "f8": 2**63}
#: Starts: blocks across 2^32 and 2^62's neighbourhood; the end of the stream is added.
STARTS = (0, *(2**k - 77 for k in (32, 33, 34, 62)), 2**62 + 13)

#: (stream, element, word): W[element] under KEY.
RADIUS_WORDS = (
    (0xB98D8FE6F970EB78, 0x1EEE5350AA10FEC4, 0),
    (0xAF02F12390802FD2, 0x2D87B456D45194E5, 1),
    (0x3B1E4C15B5AC74AE, 0x1E1D960717786CEB, 510),
    (0xF1F221C2B136ECF4, 0x3AF31B3306A79C46, 511),  # the last word of the far tail
    (0xEA5E354D1E91DA77, 0x1E7B9E05CE7EAB2C, 512),  # the first outside
    (0xFCB64D08E8E64EF2, 0x22039DD9456EF10D, 513),
    (0xFD428B3C4DB9F944, 0x2C07E7A72C429FCC, 2**25 - 2),  # U = 2^24 - 1
    (0xD9C45B5C94CC7FF1, 0x14D9382673DB68EF, 2**32 - 2),  # the smallest radius
    (0x3A8426774DAAB0D0, 0x06EEB63EEF72BE6A, 2**32 - 1),
)
ANGLE_WORDS = (
    (0xBD5049C248C11B67, 0x0D31BEEE0D8CED5B, 0),
    (0xB89EFDEB6395693F, 0x1414D147B37905F9, 2**31 - 1),  # x = 1
    (0xC34C3611B1F04F58, 0x06316A4BFC64B672, 2**31),  # x = -1
    (0x22C077864F11548B, 0x1F956D91157B60DC, 2**32 - 1),
)
#: As above for double words.
RADIUS_DOUBLE_WORDS = (
    (0xCF670B86F49F5EE2, 0x1BE4E73016576712, 0),
    (0xA343B879B138D820, 0x1A0B836D76CA14B1, 1),
    (0xF909066F58C3246C, 0x00DB5A05D6A13111, 2**64 - 2),
    (0x4E57EAAD62930398, 0x0D29E9E82DA92C40, 2**64 - 1),
)
ANGLE_DOUBLE_WORDS = (
    (0xEF867F3E7DA71BC6, 0x1A41592062A5393A, 0),
    (0xA228E05CF3692610, 0x1BBF25247B40B6BA, 2**63 - 1),
    (0xD0F653DBC20BB181, 0x0DEC3FF7C7163FC9, 2**63),
    (0xA2C2580168ADEF5D, 0x16DA4A34FA7BE6B, 2**64 - 1),
)
PINS = {"f4": RADIUS_WORDS + ANGLE_WORDS, "f8": RADIUS_DOUBLE_WORDS + ANGLE_DOUBLE_WORDS}
#: (stream, element): word 0 or 1, the pair's low byte 0, its angle near 0: about ±7.44 sigma.
FARTHEST = ((0x67703CC29199ED3E, 0x0CA42F77DC7CA044), (0xC0BA298C6DF9C4A6, 0x0B00825097092D84))
#: Key (0, 0), stream 0: elements of the far tail (A < 512) that a scan from 0 comes across.
FAR_TAIL = (25899566, 42452456, 45323043, 62836384, 91226853, 91309896, 92447084, 109987660)

#: Intervals that need the clamp, or the one rounding, or subnormals.
INTERVALS = {
    "f4": (
        (0.0, 1.0),
        (-1.0, 0.0),
        (1.0, 1.0 + 2.0**-23),
        (1.0, 1.0 + 2.0**-22),
        (0.7, 0.7 + 2.0**-23),
        (0.3, 0.7),
        (0.7, 1.3),
        (-0.7, -0.3),
        (1e30, 1.000001e30),
        (-3.4e38, 3.4e38),
        (0.0, 2.0**-140),
        (-(2.0**-149), 2.0**-148),
        (1.0, 16777216.0),
    ),
    "f8": (
        (0.0, 1.0),
        (-1.0, 0.0),
        (1.0, 1.0 + 2.0**-52),
        (1.0, 1.0 + 2.0**-51),
        (0.3, 0.7),
        (-1.7e308, 1.7e308),
        (0.0, 2.0**-1060),
    ),
}


def fill_into(out, transform, first, params=None, *, key=KEY, stream=STREAM, threads=1):
    """Elements from first on."""
    code = int(out.itemsize == 8)
    params = PARAMS[transform] if params is None else params
    _core.fill(out, transform, code, params, wf.Key(*key), stream, first, None, threads)


def fill(n, transform, dtype, first, params=None, **options):
    """A new array of elements first, first + 1, ..., first + n - 1."""
    out = np.full(n, 77, dtype=dtype)
    fill_into(out, transform, first, params, **options)
    return out


def elements(first, n):
    """Indices first, ..., first + n - 1 below 2^64."""
    return np.uint64(first) + np.arange(n, dtype=np.uint64)


def assert_same_bits(result, expected):
    """Equality that tells zeros apart."""
    assert result.dtype == expected.dtype
    bits = f"u{result.dtype.itemsize}"
    np.testing.assert_array_equal(result.view(bits), expected.view(bits))


def assert_within_bound(result, exact, bound):
    error = np.abs(result.astype(exact.dtype) - exact)
    worst = np.argmax(error - bound)
    assert (error <= bound).all(), (
        f"element {worst}: {result[worst]!r}, exact {exact[worst]!r}, "
        f"{float(error[worst] / bound[worst]):.3f} of the bound"
    )


@functools.lru_cache(maxsize=512)
def expected(transform, dtype, run, params, stream):
    """The oracle's answer for a run (first, length), computed once for all instruction sets."""
    i = elements(*run)
    if transform == _core.WORDS:
        return oracle.words(KEY, stream, i)
    if transform == _core.UNIFORM:
        return oracle.uniform(KEY, stream, i, *params, dtype)
    return oracle.normal_exact(KEY, stream, i, *params, dtype)


def check_against_oracle(result, transform, first, params=None, stream=STREAM):
    """Compare a fill from ``first`` under KEY with the oracle."""
    params = PARAMS[transform] if params is None else params
    answer = expected(transform, result.dtype.str, (first, len(result)), params, stream)
    if transform == _core.NORMAL:
        assert_within_bound(result, *answer)
    else:
        assert_same_bits(result, answer)


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "words"), [row[1:] for row in oracle.known_answers() if row[0] == 7]
)
def test_known_answer(isa, counter, key, words):
    """All rows of 7 rounds; blocks from 2^62 on hold no element and are asked for by number."""
    block, stream = counter
    if block < 2**62:
        result = fill(4, _core.WORDS, "u4", 4 * block, key=key, stream=stream).tolist()
    else:
        result = list(_core.generate_block(*key, *counter))
    assert result == words


# Whole runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transform", "dtype"), KERNELS)
def test_long_run(isa, transform, dtype):
    """2^20 elements (2^17 in double, where the oracle is slow)."""
    n = 2**17 if dtype == "f8" else 2**20
    for params in {PARAMS[transform], (0.0, 1.0)[: len(PARAMS[transform])]}:
        check_against_oracle(fill(n, transform, dtype, 0, params), transform, 0, params)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mean", "std"), [(0.0, 1e-3), (-3.0, 0.1), (1e6, 1.0), (0.1, 1e20), (0.7, 0.0)]
)
def test_normal_parameters(isa, dtype, mean, std):
    n = 2**10
    result = fill(n, _core.NORMAL, dtype, 0, (mean, std))
    check_against_oracle(result, _core.NORMAL, 0, (mean, std))
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
    """Every cut has the bits of one long run, and no byte around it is touched."""
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
    """Large enough for streaming stores and cuts between threads, off a cache line by a shift."""
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
    result = fill(2**18 + 7, _core.NORMAL, dtype, 3)
    _core.select_isa("scalar")
    assert_same_bits(result, fill(2**18 + 7, _core.NORMAL, dtype, 3))


# Chosen words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_words(isa, dtype):
    """Words that end the ranges of the radius, the angle and the uniform, among neighbours."""
    distance = oracle.PAIR[np.dtype(dtype)]
    for stream, i, word in PINS[dtype]:
        assert oracle.family_words(KEY, stream, [i], dtype)[0] == word
        for first in (i - distance - 3, i - 1, i):
            for n in (1, 2 * distance + 7):
                for transform, params in ((_core.UNIFORM, (0.0, 1.0)), (_core.NORMAL, (0.0, 1.0))):
                    result = fill(n, transform, dtype, first, params, stream=stream)
                    check_against_oracle(result, transform, first, params, stream)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_the_uniform(isa, dtype):
    """The greatest word would round to high and must not; the least word gives low."""
    one = np.dtype(dtype).type(1)
    bits = 32 if dtype == "f4" else 64
    ends = {2 ** (bits - 1) - 1: np.nextafter(one, 0 * one), 2 ** (bits - 1): -one}
    seen = set()
    for stream, i, word in PINS[dtype]:
        if word in ends:
            assert fill(1, _core.UNIFORM, dtype, i, (-1, 1), stream=stream)[0] == ends[word]
            seen.add(word)
    assert seen == set(ends)


def test_far_tail_reaches_past_seven_sigma(isa):
    """The two farthest elements that the float32 normal has, one on each side."""
    (stream, i), (other_stream, k) = FARTHEST
    assert oracle.words(KEY, stream, [i])[0] == 0
    assert oracle.words(KEY, other_stream, [k])[0] == 1
    high = fill(1, _core.NORMAL, "f4", i, (0.0, 1.0), stream=stream)
    low = fill(1, _core.NORMAL, "f4", k, (0.0, 1.0), stream=other_stream)
    check_against_oracle(high, _core.NORMAL, i, (0.0, 1.0), stream)
    check_against_oracle(low, _core.NORMAL, k, (0.0, 1.0), other_stream)
    assert 7.43 < high[0] < 7.46
    assert -7.46 < low[0] < -7.43


def test_far_tail_where_a_scan_meets_it(isa):
    """Both members of the pairs, through the public surface."""
    i = np.array([[k, k + 16] for k in FAR_TAIL])
    w = oracle.words((0, 0), 0, i[:, 0])
    assert (w < 512).all()
    assert (i & 16 == [0, 16]).all()
    exact, bound = oracle.normal_exact((0, 0), 0, i.ravel())
    result = [
        wf.normal(2**27, rng=wf.Key(0, 0), index=np.s_[k : k + 1], threads=1)[0] for k in i.ravel()
    ]
    assert_within_bound(np.array(result), exact, bound)
    # Without the branch the radius would be that of u = (U + 1/2)·2^-31: far outside the bound.
    r = np.hypot(*np.array(result, dtype=np.float64).reshape(-1, 2).T)
    plain = np.sqrt(-2 * np.log(((w >> 1) + 0.5) * 2.0**-31))
    assert (np.abs(r - plain) > 8 * 2.0**-21 * r).all()


# Uniform: clamps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_intervals(isa, dtype):
    n = 4096 if dtype == "f4" else 512
    for low, high in INTERVALS[dtype]:
        result = fill(n, _core.UNIFORM, dtype, 9, (low, high))
        check_against_oracle(result, _core.UNIFORM, 9, (low, high))
        t = np.dtype(dtype).type
        assert (result >= t(low)).all()
        assert (result < t(high)).all()
        wide = result.astype(np.float64)
        assert (wide >= low).all()
        assert (wide < high).all()


def test_intervals_do_clamp():
    """The narrow intervals above would give values outside without the clamp."""
    w = oracle.words(KEY, STREAM, elements(9, 4096)).view(np.int32)
    s = w.astype(np.float32) * np.float32(2.0**-31)
    for low, high in ((1.0, 1 + 2.0**-23), (1.0, 1 + 2.0**-22), (-(2.0**-149), 2.0**-148)):
        half, centre = np.float32(high / 2 - low / 2), np.float32(low / 2 + high / 2)
        y = oracle.fma32(s, half, centre)
        assert (y >= high).any() or (y < low).any()


@pytest.mark.parametrize(
    ("low", "high"), [(1 + 2.0**-30, 1 + 2.0**-29), (1.0, 1 + 2.0**-25), (0.0, 2.0**-151)]
)
def test_interval_without_a_value_is_refused_before_writing(low, high):
    with pytest.raises(ValueError, match="no float32"):
        oracle.uniform_limits(low, high, "f4")
    out = np.full(8, 77, dtype=np.float32)
    with pytest.raises(ValueError, match="no float32"):
        wf.uniform(out=out, low=low, high=high, rng=0)
    assert (out == 77).all()


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
    """Two keys running, so that the advance of the generator is part of the test."""
    mine, theirs = kind(5), kind(5)
    for _ in range(2):
        assert wf.key(theirs) == wf.Key(*oracle.derive_key(mine))
