"""Draw elements by their place in a stream, under one key; some of them have extreme words.

A draw is asked for by index, so that it may begin anywhere in the stream.
"""

import numpy as np
from oracles import oracle_truncated, oracle_types

import weightinit_fast as wf

KEY = (0x299F31D0A4093822, 0xEC4E6C89082EFA98)
STREAM = 0xB98D8FE6F970EB78
RNG = wf.Key(*KEY)
#: The greatest length of a tensor.
LONG = 2**63 - 1
#: Widths of the kernels' groups and vectors; NEAR_WIDTHS adds the numbers next to them.
WIDTHS = (1, 4, 8, 16, 32, 64, 128, 256)
NEAR_WIDTHS = sorted({max(0, w + d) for w in WIDTHS for d in (-1, 0, 1)})
#: Elements near which the block numbers cross 2^32, and elements about 2^62.
STARTS = (0, *(2**k - 77 for k in (32, 33, 34, 62)), 2**62 + 13)

# Chosen words ------------------------------------------------------------------------------------
# They were found by running the cipher backwards from the word that was wanted.

#: (stream, element, word): W[element] under KEY. A radius word gives a normal its distance from 0,
#: an angle word its share of that distance.
RADIUS_WORDS = (
    (0xB98D8FE6F970EB78, 0x1EEE5350AA10FEC4, 0),
    (0xAF02F12390802FD2, 0x2D87B456D45194E5, 1),
    (0x3B1E4C15B5AC74AE, 0x1E1D960717786CEB, 510),
    (0xF1F221C2B136ECF4, 0x3AF31B3306A79C46, 511),  # the last word of the far tail
    (0xEA5E354D1E91DA77, 0x1E7B9E05CE7EAB2C, 512),  # the first word outside it
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
#: The same for double words.
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


# Any dtype ---------------------------------------------------------------------------------------


def elements(first, n):
    """Return the indices first, ..., first + n - 1, which are below 2^64."""
    return np.uint64(first) + np.arange(n, dtype=np.uint64)


def assert_same_bits(result, expected):
    """Assert equality that tells a zero from a negative zero."""
    assert result.dtype == expected.dtype
    bits = f"u{result.dtype.itemsize}"
    np.testing.assert_array_equal(result.view(bits), expected.view(bits))


def assert_within_bound(result, exact, bound):
    """Assert that each element is as near to its exact value as the contract demands."""
    error = np.abs(result.astype(exact.dtype) - exact)
    worst = np.argmax(error - bound)
    assert (error <= bound).all(), (
        f"element {worst}: {result[worst]!r}, exact {exact[worst]!r}, "
        f"{float(error[worst] / bound[worst]):.3f} of the bound"
    )


def single(function, n, first=0, stream=STREAM, **own):
    """Return elements first, ..., first + n - 1 in float32, unless told otherwise."""
    index = np.s_[first : first + n]
    return function((LONG,), index=index, rng=RNG, stream=stream, threads=1, **own)


# Narrow types ------------------------------------------------------------------------------------


def storage(name):
    """Return the dtype of an array for out=: NumPy's own, or an integer of the same width."""
    return np.dtype(np.float16) if name == "float16" else oracle_types.TYPES[name].bits


def draw(function, n, name, first=0, stream=STREAM, threads=1, **own):
    """Return the bit patterns of elements first, ..., first + n - 1 in a narrow type."""
    out = np.full(n, 77, dtype=storage(name))
    index = np.s_[first : first + n]
    options = {"out": out, "dtype": name, "rng": RNG, "stream": stream, "threads": threads}
    assert function((LONG,), index=index, **options, **own) is out
    return out.view(oracle_types.TYPES[name].bits)


def assert_bits(name, got, expected):
    """Assert that patterns are those of the expected values; the message shows values."""
    bits = oracle_types.encode(name, expected)
    wrong = np.flatnonzero(got != bits)
    assert got.shape == bits.shape
    assert not len(wrong), (
        f"{len(wrong)} elements differ, the first is {wrong[0]}: "
        f"{oracle_types.decode(name, got[wrong[:1]])[0]!r}, not {expected[wrong[0]]!r}"
    )


def narrow_intervals(name):
    """Return intervals that need the clamp, a single rounding, subnormals or the type's ends."""
    f = oracle_types.TYPES[name]
    edge = 1 + f.epsilon / 2 + 2.0**-40  # rounds up, but down if it is first rounded to float32
    return (
        *((0.0, 1.0), (-1.0, 0.0), (-1.0, 1.0), (0.3, 0.7), (-0.7, 1.3)),
        *((1.0, 1 + f.epsilon), (1.0, 1 + 2 * f.epsilon), (1 - f.epsilon, edge), (edge, 2.0)),
        *((-f.largest, f.largest), (f.largest / 2, f.largest)),
        *((0.0, 8 * f.tiny), (-f.tiny, 2 * f.tiny), (-3 * f.tiny, 0.0)),
    )


# Truncated normals -------------------------------------------------------------------------------

#: Run -> the oracle's answer, which is computed once for all instruction sets.
_ANSWERS = {}


def truncated(n, dtype, first=0, *, stream=STREAM, threads=1, **own):
    """Return elements first, ..., first + n - 1 of a truncated normal."""
    index = np.s_[first : first + n]
    options = {"index": index, "rng": RNG, "stream": stream, "threads": threads}
    return wf.truncated_normal((LONG,), dtype=dtype, **options, **own)


def check_truncated(y, first, mean, std, lower, upper, stream=STREAM):
    """Assert that values are within the bound of the exact transform, and strictly inside."""
    run = (y.dtype.str, first, len(y), mean, std, lower, upper, stream)
    if run not in _ANSWERS:
        args = (KEY, stream, elements(first, len(y)), mean, std, lower, upper, y.dtype)
        _ANSWERS[run] = oracle_truncated.truncated_exact(*args)
    exact, bound = _ANSWERS[run]
    error = abs(y.astype("f8") - exact)
    worst = np.argmax(error - bound)
    assert (error <= bound).all(), (
        f"element {worst} of {run}: {y[worst]!r}, exact {float(exact[worst])!r}, "
        f"{float(error[worst] / bound[worst]):.3f} of the bound"
    )
    check_inside(y, mean, std, lower, upper)


def check_inside(y, mean, std, lower, upper):
    """Assert that values lie strictly between the bounds, in their type and in float64."""
    low, high = mean + std * lower, mean + std * upper
    wide = y.astype("f8")
    assert (low < wide).all()
    assert (wide < high).all()
    with np.errstate(over="ignore"):
        assert (y.dtype.type(low) < y).all()
        assert (y < y.dtype.type(high)).all()
