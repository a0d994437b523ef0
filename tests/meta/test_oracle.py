"""The oracle itself: known answers, exact arithmetic by a second method, and cases by hand."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from oracles import oracle

pytestmark = pytest.mark.meta
KEY = (0x299F31D0A4093822, 0xEC4E6C89082EFA98)


def correctly_rounded_float32(value):
    """Return the nearest binary32 of a Fraction, by the exact distances of three neighbours."""
    guess = np.float32(float(value))
    neighbours = (np.nextafter(guess, np.float32(-np.inf)), guess)
    neighbours += (np.nextafter(guess, np.float32(np.inf)),)

    def distance(f):
        odd = int(np.float32(f).view(np.uint32)) & 1
        return abs(Fraction(float(f)) - value), odd

    return min(neighbours, key=distance)


def test_known_answers_are_all_there():
    assert [row[0] for row in oracle.known_answers()] == [7] * 18 + [5] * 4 + [10] * 4


@pytest.mark.parametrize("row", oracle.known_answers())
def test_ars_known_answer(row):
    rounds, counter, key, expected = row
    assert oracle.ars4x32(key, counter[1], [counter[0]], rounds)[0].tolist() == expected


def test_aes_tables_match_fips_197():
    assert oracle.SBOX[[0x00, 0x01, 0x53, 0xFF]].tolist() == [0x63, 0x7C, 0xED, 0x16]
    assert sorted(oracle.SBOX.tolist()) == list(range(256))
    column = np.zeros((1, 16), dtype=np.uint8)
    column[0, :4] = 0xDB, 0x13, 0x53, 0x45
    assert oracle._mix_columns(column)[0, :4].tolist() == [0x8E, 0x4D, 0xA1, 0xBC]


def test_words_of_any_order_and_place():
    n = np.array([5, 2**64 - 1, 0, 5, 2**34 + 3, 4], dtype=np.uint64)
    blocks = [oracle.ars4x32(KEY, 7, [int(k) // 4])[0] for k in n]
    assert oracle.words(KEY, 7, n).tolist() == [
        b[int(k) % 4] for b, k in zip(blocks, n, strict=True)
    ]


def test_double_words_are_two_words():
    w = oracle.words(KEY, 7, np.arange(40)).astype(object)
    expected = [w[2 * n] | w[2 * n + 1] << 32 for n in range(20)]
    assert oracle.double_words(KEY, 7, np.arange(20)).tolist() == expected
    top = oracle.ars4x32(KEY, 7, [2**63 - 1])[0].astype(object)
    assert oracle.double_words(KEY, 7, [2**64 - 1])[0] == top[2] | top[3] << 32


def test_key_of_seeds():
    w = np.random.SeedSequence(7).generate_state(4, np.uint32).tolist()
    expected = (w[0] + 2**32 * w[1], w[2] + 2**32 * w[3])
    assert oracle.derive_key(7) == oracle.derive_key(np.random.SeedSequence(7)) == expected
    assert oracle.derive_key([7, 8]) != expected
    assert oracle.derive_key(None) != oracle.derive_key(None)
    with pytest.raises(TypeError):
        oracle.derive_key(True)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.SFC64])
def test_key_of_generators_advances_them(bits):
    raw = [int(v) % 2**32 for v in bits(3).random_raw(8)]
    pairs = [(raw[k] + (raw[k + 1] << 32), raw[k + 2] + (raw[k + 3] << 32)) for k in (0, 4)]
    for rng in (bits(3), np.random.Generator(bits(3)), np.random.RandomState(bits(3))):
        assert [oracle.derive_key(rng), oracle.derive_key(rng)] == pairs


def test_stream_numbers():
    digest = hashlib.blake2b("größe".encode(), digest_size=8).digest()
    assert oracle.stream_number("größe") == sum(v << 8 * k for k, v in enumerate(digest))
    assert oracle.stream_number(2**64 - 1) == 2**64 - 1
    for outside in (-1, 2**64):
        with pytest.raises(ValueError, match=str(outside)):
            oracle.stream_number(outside)


def test_fma32_by_hand():
    """(1 - 2^-16)·2^-24·(1 + 2^-16) is 2^-56 below a tie, which a sum in binary64 loses."""
    a, b = np.float32([1 - 2.0**-16]), np.float32(2.0**-24 * (1 + 2.0**-16))
    c = np.float32(1 + 2.0**-23)
    twice_rounded = np.float32(float(a[0]) * float(b) + float(c))
    assert twice_rounded == 1 + 2.0**-22
    assert oracle.fma32(a, b, c).tolist() == [1 + 2.0**-23]
    # A tie is rounded to even, down and up.
    down = oracle.fma32(np.float32([1]), np.float32(2.0**-24), np.float32(1))
    up = oracle.fma32(np.float32([1]), np.float32(2.0**-24), c)
    assert (down.tolist(), up.tolist()) == ([1.0], [1 + 2.0**-22])


def test_fma64_by_hand():
    """(1 + 2^-30)·(1 + 2^-30) - 1 keeps the 2^-60 that a rounded product loses."""
    a = np.array([1 + 2.0**-30])
    assert oracle.fma64(a, a[0], -1.0)[0] == 2.0**-29 + 2.0**-60
    assert a[0] * a[0] - 1.0 == 2.0**-29
    assert oracle.fma64(np.array([-(2.0**-63)]), 2.0**-1000, 0.0)[0] == -(2.0**-1063)


@pytest.mark.parametrize(
    ("half", "centre"),
    [(0.5, 0.5), (1.0, 2.0**-24), (0.7, -0.3), (1e-20, 1.0), (2.0**-135, 2.0**-140), (3e38, 0)],
)
def test_fma32_equals_fractions(half, centre):
    half, centre = np.float32(half), np.float32(centre)
    w = oracle.words(KEY, 1, np.arange(500)).view(np.int32)
    s = w.astype(np.float32) * np.float32(2.0**-31)
    result = oracle.fma32(s, half, centre)
    for value, y in zip(s, result, strict=True):
        exact = Fraction(float(half)) * Fraction(float(value)) + Fraction(float(centre))
        assert y == correctly_rounded_float32(exact)


def test_uniform_limits():
    f = np.float32
    above, below = np.nextafter(f(0.7), f(1)), np.nextafter(f(0.7), f(0))
    assert float(f(0.7)) < 0.7
    assert float(f(0.3)) > 0.3
    assert oracle.uniform_limits(0.7, 1, "f4") == (above, 1 - 2.0**-24)
    assert oracle.uniform_limits(0.3, 0.7, "f4") == (f(0.3), below)
    assert oracle.uniform_limits(0.1, 0.3, "f4") == (f(0.1), np.nextafter(f(0.3), f(0)))
    assert oracle.uniform_limits(1, 1 + 2.0**-23, "f4") == (1, 1)
    assert oracle.uniform_limits(-1, 0, "f4") == (-1, -(2.0**-149))
    for low, high in ((1 + 2.0**-30, 1 + 2.0**-29), (1, 1 + 2.0**-25)):
        with pytest.raises(ValueError, match="no float32"):
            oracle.uniform_limits(low, high, "f4")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_uniform_is_in_range_and_centred(dtype):
    y = oracle.uniform(KEY, 0, np.arange(2**14), -2.0, 6.0, dtype)
    assert y.dtype == dtype
    assert y.min() >= -2
    assert y.max() < 6
    assert abs(y.mean() - 2) < 5 * 8 / np.sqrt(12 * 2**14)


def test_radius_argument_by_hand():
    a = np.array([0, 511, 512, 2**32 - 1], dtype=np.uint32)
    b = np.array([0, 0x1FF, 0, 0], dtype=np.uint32)
    tail = [2.0**-40, (2**16 - 0.5) * 2.0**-39]
    centre = np.float32(256 * 2.0**-31 + 2.0**-32 - 256 * 2.0**-55)
    assert oracle.radius_argument(a, b, "f4").tolist() == [*tail, centre, 1 - 2.0**-24]
    a = np.array([0, 1, 2**64 - 1], dtype=np.uint64)
    expected = [2.0**-64, 2.0**-64, 1 - 2.0**-53]
    assert oracle.radius_argument(a, a, "f8").tolist() == expected


def test_float32_radius_argument_is_exact_before_its_rounding():
    upper = oracle.words(KEY, 2, np.arange(3000)) | np.uint32(2**20)
    u = oracle.radius_argument(upper, upper, "f4")
    for word, value in zip(upper.tolist(), u, strict=True):
        rounded = int(np.float32(word >> 1))
        exact = Fraction((2**24 - 1) * rounded, 2**55) + Fraction(1, 2**32)
        assert value == correctly_rounded_float32(exact)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_normal_agrees_with_mpmath(dtype):
    """The fast evaluation differs from one in 120 bits by 2^-8 of the contract's bound at most."""
    i = np.arange(1024)
    args = (KEY, 3, i, 0.25, 1.5, dtype)
    y, bound = oracle.normal_exact(*args)
    precise, _ = oracle.normal_exact(*args, polar=oracle._polar_mp)
    for fast, slow, limit in zip(y, precise, bound, strict=True):
        high = float(fast)  # in two exact parts, since mpmath takes no long double
        error = slow - oracle.mpmath.mpf(high) - oracle.mpmath.mpf(float(fast - high))
        assert abs(error) < float(limit) / 256


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_normal_pairs_lie_on_one_circle(dtype):
    pair = oracle.PAIR[np.dtype(dtype)]
    y, _ = oracle.normal_exact(KEY, 4, np.arange(4 * pair), dtype=dtype)
    z = y.reshape(2, 2, pair)
    a = oracle.family_words(KEY, 4, np.arange(4 * pair), dtype).reshape(2, 2, pair)
    u = oracle.radius_argument(a[:, 0].ravel(), a[:, 1].ravel(), dtype).reshape(2, pair)
    assert np.allclose((z**2).sum(axis=1).astype(float), -2 * np.log(u), rtol=1e-12)
    assert np.array_equal(z[:, 0] < 0, a[:, 0] & 1 == 1)


def test_normal_of_a_slice_is_the_slice():
    whole, _ = oracle.normal_exact(KEY, "layer.0", np.arange(100))
    part, _ = oracle.normal_exact(KEY, "layer.0", [77, 13, 16])
    assert part.tolist() == whole[[77, 13, 16]].tolist()
