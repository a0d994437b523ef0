"""A slow, readable oracle of the stream contract, version 1: words, uniform and normal.

It was written from the contract alone (docs/stream-contract.md), and shares no code with the
package. A key is a pair ``(low, high)`` of 64-bit integers, a stream is an ``int`` or a ``str``,
and an element has an index ``i`` in the flattened global tensor. Every function takes any array of
indices, so that one reference serves whole tensors, slices and single elements.

Each value that the contract fixes to the bit is formed in arithmetic that is exact here, or as a
quotient of Python integers, which CPython rounds correctly (to nearest even, subnormal results
included).
"""

import functools
import hashlib
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np

MASK32 = 2**32 - 1
MASK64 = 2**64 - 1
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 7
#: Distance between the two members of a Box-Muller pair, for each family.
PAIR = {np.dtype("f4"): 16, np.dtype("f8"): 8}


# Keys and streams --------------------------------------------------------------------------------


def derive_key(rng):
    """Return the key of any kind of ``rng``; a generator advances by four raw draws."""
    if isinstance(rng, (bool, np.bool_)):
        raise TypeError("a bool is not a seed")
    if isinstance(rng, np.random.RandomState):
        rng = rng._bit_generator
    if isinstance(rng, np.random.Generator):
        rng = rng.bit_generator
    if isinstance(rng, np.random.BitGenerator):
        w = [int(rng.random_raw()) & MASK32 for _ in range(4)]
    else:
        seeds = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
        w = [int(v) for v in seeds.generate_state(4, np.uint32)]
    return w[0] | w[1] << 32, w[2] | w[3] << 32


def stream_number(stream):
    """Return a stream as an integer below 2^64; a name stands for its 8-byte BLAKE2b digest."""
    if isinstance(stream, str):
        digest = hashlib.blake2b(stream.encode("utf-8"), digest_size=8).digest()
        return int.from_bytes(digest, "little")
    if not 0 <= stream < 2**64:
        raise ValueError(f"stream {stream} is outside [0, 2**64)")
    return int(stream)


# ARS4x32: AES rounds (FIPS 197) under a Weyl key schedule ---------------------------------------


def _gf_multiply(a, b):
    """Return the product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11B
        b >>= 1
    return product


def _sbox_entry(value):
    """Return the affine map (FIPS 197, 5.1.1) of the multiplicative inverse, value^254."""
    inverse = 1
    for _ in range(254):
        inverse = _gf_multiply(inverse, value)
    rotations = (inverse * 0x0101 >> (8 - r) & 0xFF for r in range(5))
    return functools.reduce(lambda a, b: a ^ b, rotations, 0x63)


SBOX = np.array([_sbox_entry(v) for v in range(256)], dtype=np.uint8)
DOUBLED = np.array([_gf_multiply(v, 2) for v in range(256)], dtype=np.uint8)
#: ShiftRows: byte 4c + r of the result comes from column c + r of the same row r.
SHIFT_ROWS = [4 * ((c + r) % 4) + r for c in range(4) for r in range(4)]


def _mix_columns(state):
    """Return MixColumns of an (n, 16) array of state bytes, column after column."""
    a = state.reshape(-1, 4, 4)
    b = np.roll(a, -1, axis=2)  # the next byte of the same column
    rest = np.roll(a, -2, axis=2) ^ np.roll(a, -3, axis=2)
    return (DOUBLED[a] ^ DOUBLED[b] ^ b ^ rest).reshape(-1, 16)  # 2a + 3b + c + d


def _round_key(key, r):
    """Return the bytes of round key ``r``, the least significant first."""
    halves = ((k + r * w) & MASK64 for k, w in zip(key, WEYL, strict=True))
    return np.frombuffer(b"".join(h.to_bytes(8, "little") for h in halves), dtype=np.uint8)


def ars4x32(key, stream, blocks, rounds=ROUNDS):
    """Return the four words of each block, in the shape ``(len(blocks), 4)``.

    The 128-bit counter of a block is the block number (low half) and the stream (high half).
    """
    blocks = np.atleast_1d(np.asarray(blocks, dtype=np.uint64))
    counter = np.empty((len(blocks), 2), dtype="<u8")
    counter[:, 0] = blocks
    counter[:, 1] = stream_number(stream)
    state = counter.view(np.uint8) ^ _round_key(key, 0)
    for r in range(1, rounds):
        state = _mix_columns(SBOX[state.take(SHIFT_ROWS, axis=1)]) ^ _round_key(key, r)
    state = SBOX[state.take(SHIFT_ROWS, axis=1)] ^ _round_key(key, rounds)
    return state.view("<u4").astype(np.uint32)


def known_answers():
    """Return rows of the known-answer file: (rounds, counter, key, words), in (low, high) pairs."""
    path = Path(__file__).parents[1] / "data" / "ars4x32_kat.txt"
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("ars4x32"):
            _, rounds, *fields = line.split()
            w = [int(field, 16) for field in fields]
            counter, key = ((w[k] | w[k + 1] << 32, w[k + 2] | w[k + 3] << 32) for k in (0, 4))
            rows.append((int(rounds), counter, key, w[8:]))
    return rows


def words(key, stream, n):
    """Return words W[n] of any array of word numbers below 2^64."""
    n = np.atleast_1d(np.asarray(n, dtype=np.uint64))
    blocks, inverse = np.unique(n >> np.uint64(2), return_inverse=True)
    return ars4x32(key, stream, blocks)[inverse, (n & np.uint64(3)).astype(np.intp)]


def double_words(key, stream, n):
    """Return double words D[n] = W[2n] | W[2n+1] << 32 of any numbers below 2^64."""
    n = np.atleast_1d(np.asarray(n, dtype=np.uint64))
    blocks, inverse = np.unique(n >> np.uint64(1), return_inverse=True)
    pairs = ars4x32(key, stream, blocks).astype("<u4").view("<u8")
    return pairs[inverse, (n & np.uint64(1)).astype(np.intp)].astype(np.uint64)


def family_words(key, stream, n, dtype):
    """Return W for float32, D for float64."""
    return (words if np.dtype(dtype) == np.float32 else double_words)(key, stream, n)


# Uniform: every bit is fixed ----------------------------------------------------------------------


def fma32(a, b, c):
    """Return RN32(a·b + c) of float32 arrays, rounded once.

    The product of two 24-bit significands is exact in binary64. TwoSum then gives the rounded sum
    and its exact error; where the error is not zero and the last bit of the sum is even, one step
    towards the error makes the sum *rounded to odd*. Rounding that to binary32 is the correct
    rounding of the exact value, since 53 >= 24 + 2 (Boldo & Melquiond 2008); a subnormal result
    keeps fewer bits still. No binary32 input can overflow or underflow these binary64 steps.
    """
    p = np.asarray(a, dtype=np.float32).astype(np.float64) * np.float64(b)
    c = np.float64(c)
    total = p + c
    virtual = total - p
    error = (p - (total - virtual)) + (c - virtual)
    even = np.atleast_1d(total).view(np.int64) & 1 == 0
    inexact = (error != 0) & even.reshape(total.shape)
    odd = np.where(inexact, np.nextafter(total, np.copysign(np.inf, error)), total)
    return odd.astype(np.float32)


def _dyadic(value):
    """Return a finite float as (numerator, denominator)."""
    return float(value).as_integer_ratio()


def fma64(a, b, c):
    """Return RN64(a·b + c) of an array ``a`` and scalars, by integers and one division."""
    (nb, db), (nc, dc) = _dyadic(b), _dyadic(c)
    out = np.empty(np.shape(a))
    for position, value in np.ndenumerate(a):
        na, da = _dyadic(value)
        out[position] = (na * nb * dc + nc * da * db) / (da * db * dc)
    return out


def uniform_limits(low, high, dtype):
    """Return the least and greatest ``dtype`` y with max(lo, RN(lo)) <= y < min(hi, RN(hi))."""
    scalar = np.dtype(dtype).type
    first, end = scalar(low), scalar(high)
    if Fraction(float(first)) < Fraction(float(low)):
        first = np.nextafter(first, scalar(np.inf))
    # RN(hi) is the value nearest to hi, so that the value below RN(hi) is below hi too.
    last = np.nextafter(end, scalar(-np.inf))
    if first > last:
        raise ValueError(f"no {np.dtype(dtype).name} lies in [{low}, {high})")
    return first, last


def uniform(key, stream, indices, low=0.0, high=1.0, dtype=np.float32):
    """Return elements of uniform[low, high), exact to the bit."""
    dtype = np.dtype(dtype)
    limits = uniform_limits(low, high, dtype)
    centre = dtype.type(np.float64(low) / 2 + np.float64(high) / 2)
    half = dtype.type(np.float64(high) / 2 - np.float64(low) / 2)
    w = family_words(key, stream, indices, dtype)
    if dtype == np.float32:
        s = w.view(np.int32).astype(np.float32) * np.float32(2.0**-31)
        y = fma32(s, half, centre)
    else:
        s = w.view(np.int64).astype(np.float64) * 2.0**-63
        y = fma64(s, half, centre)
    return np.clip(y, *limits)


# Normal: exact up to the transform, which is evaluated far more exactly than the bound ------------


def radius_argument(a, b, dtype):
    """Return the argument u of the logarithm, rounded as the contract says."""
    if np.dtype(dtype) == np.float32:
        upper = (a >> np.uint32(1)).astype(np.int32)
        # 24-bit c times 24-bit U plus 2^-32 has fewer than 53 bits: exact before the rounding.
        c = (1 - 2.0**-24) * 2.0**-31
        u = (c * upper.astype(np.float32).astype(np.float64) + 2.0**-32).astype(np.float32)
        tail = (256.0 * upper + (b & np.uint32(255)) + 0.5) * 2.0**-39
        return np.where(upper < 256, tail, u.astype(np.float64))
    upper = (a >> np.uint64(1)).astype(np.int64).astype(np.float64)
    # c·U + 2^-64 = ((2^53 - 1)·U + 2^52) / 2^116, by one correctly rounded division.
    return np.array([((2**53 - 1) * int(v) + 2**52) / 2**116 for v in upper], dtype=np.float64)


def _polar(u, x):
    """Return r = sqrt(-2 ln u) and cos and sin of (pi/2)·x, with at least ten bits to spare.

    binary64 is used for ``u`` of binary32 values (2^-52 against a bound of 2^-21). For ``u`` of
    binary64 values, long double is used where it has 64 bits or more (a few 2^-63 against 2^-50),
    and mpmath elsewhere. The bound is absolute in r, so that cancellation near x = ±1 does no harm.
    """
    if x.dtype == np.float32:
        x, half_pi = x.astype(np.float64), np.pi / 2
    elif np.finfo(np.longdouble).nmant >= 63:
        u, x = u.astype(np.longdouble), x.astype(np.longdouble)
        half_pi = np.longdouble("1.57079632679489661923132169163975144")
    else:
        return _polar_mp(u, x)
    return np.sqrt(-2 * np.log(u)), np.cos(half_pi * x), np.sin(half_pi * x)


def _polar_mp(u, x, bits=120):
    """Return the same as `_polar`, by mpmath, in object arrays."""
    mpmath.mp.prec = bits
    r = [mpmath.sqrt(-2 * mpmath.log(mpmath.mpf(float(v)))) for v in u]
    angle = [mpmath.pi / 2 * mpmath.mpf(float(v)) for v in x]
    cosine, sine = map(mpmath.cos, angle), map(mpmath.sin, angle)
    return tuple(np.array(list(part), dtype=object) for part in (r, cosine, sine))


def normal_exact(key, stream, indices, mean=0.0, std=1.0, dtype=np.float32, polar=_polar):
    """Return elements of the normal transform before the final rounding, and the bound.

    Returns
    -------
    exact, bound : ndarray
        float64 arrays for float32, long double (or mpmath object) arrays for float64.
    """
    dtype = np.dtype(dtype)
    single = dtype == np.float32
    i = np.atleast_1d(np.asarray(indices, dtype=np.uint64))
    distance = np.uint64(PAIR[dtype])
    first = i & ~distance
    a = family_words(key, stream, first, dtype)
    b = family_words(key, stream, first + distance, dtype)
    u = radius_argument(a, b, dtype)
    signed = b.view(np.int32 if single else np.int64)
    x = signed.astype(dtype) * dtype.type(2.0**-31 if single else 2.0**-63)
    r, cosine, sine = polar(u, x)
    z = np.where(a & a.dtype.type(1), -r, r) * np.where(i == first, cosine, sine)
    mean, std = float(dtype.type(mean)), float(dtype.type(std))
    exact = std * z + mean
    relative, absolute = (2.0**-21, 2.0**-23) if single else (2.0**-50, 2.0**-52)
    return exact, relative * abs(std) * r + absolute * np.maximum(abs(mean), np.abs(exact))
