"""Words at the ends of the ranges of a transform, and intervals at the ends of a dtype.

Each instruction set is compared with the oracle, as in test_contract.py.
"""

import numpy as np
import pytest
from oracles import oracle
from support.draws import KEY, PINS, STREAM, assert_within_bound, elements
from support.internals import core
from support.kernels import check_against_oracle, fill

import weightinit_fast as wf

DTYPES = ("f4", "f8")
#: (stream, element): the element's word is 0 or 1, the low byte of the pair's other word is 0 and
#: its angle is near 0. That gives about ±7.44 sigma.
FARTHEST = ((0x67703CC29199ED3E, 0x0CA42F77DC7CA044), (0xC0BA298C6DF9C4A6, 0x0B00825097092D84))
#: Elements of the far tail (A < 512) that a scan from element 0 of key (0, 0), stream 0 meets.
FAR_TAIL = (25899566, 42452456, 45323043, 62836384, 91226853, 91309896, 92447084, 109987660)


#: Intervals in which the clamp matters, or a second rounding would, or values are subnormal.
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


# Chosen words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_words(isa, dtype):
    """The words at the ends of the ranges of radius, angle and uniform, and their neighbours."""
    distance = oracle.PAIR[np.dtype(dtype)]
    for stream, i, word in PINS[dtype]:
        assert oracle.family_words(KEY, stream, [i], dtype)[0] == word
        for first in (i - distance - 3, i - 1, i):
            for n in (1, 2 * distance + 7):
                for transform, params in ((core.UNIFORM, (0.0, 1.0)), (core.NORMAL, (0.0, 1.0))):
                    result = fill(n, transform, dtype, first, params, stream=stream)
                    check_against_oracle(result, transform, first, params, stream)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ends_of_the_uniform(isa, dtype):
    """The greatest word, which would round to high, stays below it; the least word gives low."""
    one = np.dtype(dtype).type(1)
    bits = 32 if dtype == "f4" else 64
    ends = {2 ** (bits - 1) - 1: np.nextafter(one, 0 * one), 2 ** (bits - 1): -one}
    seen = set()
    for stream, i, word in PINS[dtype]:
        if word in ends:
            assert fill(1, core.UNIFORM, dtype, i, (-1, 1), stream=stream)[0] == ends[word]
            seen.add(word)
    assert seen == set(ends)


def test_far_tail_reaches_past_seven_sigma(isa):
    """Test the two farthest elements of the float32 normal, one on each side."""
    (stream, i), (other_stream, k) = FARTHEST
    assert oracle.words(KEY, stream, [i])[0] == 0
    assert oracle.words(KEY, other_stream, [k])[0] == 1
    high = fill(1, core.NORMAL, "f4", i, (0.0, 1.0), stream=stream)
    low = fill(1, core.NORMAL, "f4", k, (0.0, 1.0), stream=other_stream)
    check_against_oracle(high, core.NORMAL, i, (0.0, 1.0), stream)
    check_against_oracle(low, core.NORMAL, k, (0.0, 1.0), other_stream)
    assert 7.43 < high[0] < 7.46
    assert -7.46 < low[0] < -7.43


def test_far_tail_where_a_scan_meets_it(isa):
    """Test both members of the pairs, by the public function."""
    i = np.array([[k, k + 16] for k in FAR_TAIL])
    w = oracle.words((0, 0), 0, i[:, 0])
    assert (w < 512).all()
    assert (i & 16 == [0, 16]).all()
    exact, bound = oracle.normal_exact((0, 0), 0, i.ravel())
    result = [
        wf.normal(2**27, rng=wf.Key(0, 0), index=np.s_[k : k + 1], threads=1)[0] for k in i.ravel()
    ]
    assert_within_bound(np.array(result), exact, bound)
    # Without the branch for the far tail, the radius would be that of u = (U + 1/2)·2^-31, which is
    # far outside the bound.
    r = np.hypot(*np.array(result, dtype=np.float64).reshape(-1, 2).T)
    plain = np.sqrt(-2 * np.log(((w >> 1) + 0.5) * 2.0**-31))
    assert (np.abs(r - plain) > 8 * 2.0**-21 * r).all()


# Uniform: clamps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_intervals(isa, dtype):
    n = 4096 if dtype == "f4" else 512
    for low, high in INTERVALS[dtype]:
        result = fill(n, core.UNIFORM, dtype, 9, (low, high))
        check_against_oracle(result, core.UNIFORM, 9, (low, high))
        t = np.dtype(dtype).type
        assert (result >= t(low)).all()
        assert (result < t(high)).all()
        wide = result.astype(np.float64)
        assert (wide >= low).all()
        assert (wide < high).all()


def test_narrow_intervals_need_the_clamp():
    """Without the clamp the narrow intervals above would give values outside them."""
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
