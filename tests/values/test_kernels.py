"""Kernels that the parameters choose make the same values as the kernels that they replace.

Large uniforms that use single words clamp these words instead of their results. Truncated
normals whose bounds are near the median take a shorter quantile function. bfloat16 is rounded by an
instruction that flushes subnormals. Only the speed may show which kernel was chosen. The
quantile near the median is an exception, since the values depend on it; it is compared with
the contract's bound here.
"""

import numpy as np
import pytest
from oracles import oracle_types
from support import internals
from support.draws import (
    ANGLE_WORDS,
    RNG,
    STREAM,
    assert_bits,
    check_truncated,
    draw,
    narrow_intervals,
    single,
    truncated,
)
from support.internals import CLAMPED_WORDS_FROM

import weightinit_fast as wf

NAMES = tuple(oracle_types.TYPES)
FLOAT32_INTERVALS = (
    *((-1.0, 1.0), (0.0, 1.0), (-0.05, 0.05), (0.3, 0.7), (-0.1, 0.3), (1.0, 1.0 + 2.0**-22)),
    *((-1e-38, 1e-38), (-1e-45, 1e-40), (-3.4e38, 3.4e38), (1e-30, 1.0), (-2.0, -1.9999999)),
    *((float(np.nextafter(np.float32(-0.1), 0)), 0.1), (0.1, float(np.float32(0.7)))),
)


def pieces(function, n, **own):
    """Return the values of several calls, each too short for the kernel that clamps words."""
    step = CLAMPED_WORDS_FROM // 2
    return np.concatenate([function(first=at, n=step, **own) for at in range(0, n, step)])


def test_float32_uniforms_of_clamped_words(isa):
    """Test also runs around words whose fraction rounds to 1 or -1, or nearly so."""
    n = CLAMPED_WORDS_FROM
    for low, high in FLOAT32_INTERVALS:
        for stream, first in ((STREAM, 0), *((s, i - n // 2 - 3) for s, i, _ in ANGLE_WORDS)):

            def uniform(first, n, base=first, stream=stream, low=low, high=high):
                return single(wf.uniform, n, base + first, stream, low=low, high=high)

            whole = uniform(0, n)
            assert whole.tobytes() == pieces(uniform, n).tobytes(), (low, high, hex(stream))
            assert low <= whole.min()
            assert whole.max() < high


@pytest.mark.parametrize("name", NAMES)
def test_narrow_uniforms_of_clamped_words(isa, name):
    n = 4 * CLAMPED_WORDS_FROM
    for low, high in (*narrow_intervals(name), (-0.1, 0.1), (-0.05, 0.25), (0.5, 0.75)):

        def uniform(first, n, low=low, high=high):
            return draw(wf.uniform, n, name, first, low=low, high=high)

        assert uniform(0, n).tobytes() == pieces(uniform, n).tobytes(), (low, high)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_uniforms_that_end_near_zero(isa, name):
    """A bound or its neighbour is a zero, and the sign of a zero is one of the bits."""
    tiny = float(oracle_types.TYPES[name].tiny)
    for bound in (1.0, 0.9, 0.7, 1.45):
        for other in (-7.7, -100.123, -1.0):
            for low, high in ((other * tiny, bound * tiny), (-bound * tiny, -other * tiny)):

                def uniform(first, n, low=low, high=high):
                    return draw(wf.uniform, n, name, first, low=low, high=high)

                whole = uniform(0, CLAMPED_WORDS_FROM)
                assert whole.tobytes() == pieces(uniform, CLAMPED_WORDS_FROM).tobytes(), (low, high)


SMALL = (1e-20, 1e-30, 1e-35, 1e-37, 1.2e-38, 1e-39, 1e-40)


def test_bfloat16_normals_that_may_be_subnormal(isa):
    cases = [(mean, std) for std in (*SMALL, 1e-6, 1e-7) for mean in (0.0, 1e-39, 1e-20, 1e-3)]
    for mean, std in cases:
        y = oracle_types.round_to("bfloat16", single(wf.normal, 2048, mean=mean, std=std))
        assert_bits("bfloat16", draw(wf.normal, 2048, "bfloat16", mean=mean, std=std), y)


def test_bfloat16_uniforms_that_may_be_subnormal(isa):
    for low, high in [(-x, x) for x in SMALL[:-1]] + [(-x, 1.0) for x in SMALL] + [(1e-39, 1e-38)]:
        y = oracle_types.round_to("bfloat16", single(wf.uniform, 2**15, low=low, high=high))
        y = np.clip(y, *oracle_types.uniform_limits("bfloat16", low, high))
        assert_bits("bfloat16", draw(wf.uniform, 2**15, "bfloat16", low=low, high=high), y)


def test_bfloat16_truncated_that_may_be_subnormal(isa):
    """The bounds are beyond all values drawn, so that the clamps of the types do not matter."""
    for std in (1.0, *SMALL):
        for own in ({"lower": -8.0, "upper": 8.0}, {"mean": 1e-39, "lower": -8.0, "upper": 8.0}):
            y = single(wf.truncated_normal, 2048, std=std, **own)
            y = oracle_types.round_to("bfloat16", y)
            assert_bits("bfloat16", draw(wf.truncated_normal, 2048, "bfloat16", std=std, **own), y)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_both_quantiles_where_they_meet(isa, dtype):
    """The quantile near the median is used for bounds up to 2.25."""
    n = 4096 if dtype == "f4" else 1024  # the oracle takes 0.3 ms for an element of float64
    for lower, upper in ((-2.25, 2.25), (-2.25, -2.0), (2.2, 2.25), (-2.0, 2.2500001), (-2.26, 2)):
        y = truncated(n, dtype, 11, lower=lower, upper=upper)
        check_truncated(y, 11, 0.0, 1.0, lower, upper)


def test_normals_of_the_largest_std(isa):
    """Pi / 2 times this std overflows; the results that do not overflow are as exact as others."""
    big = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore"):
        y = single(wf.normal, 4096, std=big).astype("f8") / 2.0**120
    unit = single(wf.normal, 4096, std=big / 2.0**120).astype("f8")
    inside = abs(unit) < big / 2.0**120
    assert inside.sum() > 2000
    assert (y[inside] == unit[inside]).all()
    assert np.isinf(y[~inside]).all()


def test_the_store_policy_changes_no_bit(isa):
    """The size from which on stores bypass the caches depends on the processor."""
    for dtype in ("f2", "f4", "f8"):
        with internals.streamed_from(0):
            streamed = single(wf.normal, 30_001, 3, dtype=dtype)
            out = np.empty(30_001, dtype)
            wf.normal(2**63 - 1, out=out, index=np.s_[3:30_004], rng=RNG, stream=STREAM)
        assert out.tobytes() == streamed.tobytes()
        assert out.tobytes() == single(wf.normal, 30_001, 3, dtype=dtype).tobytes()
