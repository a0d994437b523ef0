"""Fill by the engine itself, with every kernel that draws, and compare with the oracle."""

import functools

import numpy as np
import pytest
from oracles import oracle

import weightinit_fast as wf

from .draws import KEY, STREAM, assert_same_bits, assert_within_bound, elements
from .internals import core

PARAMS = {core.WORDS: (), core.UNIFORM: (-0.7, 1.3), core.NORMAL: (0.25, 1.5)}
#: (transform, dtype) of every kernel that draws.
KERNELS = (
    pytest.param(core.WORDS, "u4", id="words"),
    pytest.param(core.UNIFORM, "f4", id="uniform_f32"),
    pytest.param(core.UNIFORM, "f8", id="uniform_f64"),
    pytest.param(core.NORMAL, "f4", id="normal_f32"),
    pytest.param(core.NORMAL, "f8", id="normal_f64"),
)
#: A stream has 2^64 words, which are 2^63 double words.
LENGTH = {"u4": 2**64, "f4": 2**64, "f8": 2**63}


def fill_into(out, transform, first, params=None, *, key=KEY, stream=STREAM, threads=1):
    """Fill a buffer with the elements from `first` on."""
    code = int(out.itemsize == 8)
    params = PARAMS[transform] if params is None else params
    core.fill(out, transform, code, params, wf.Key(*key), stream, first, None, threads)


def fill(n, transform, dtype, first, params=None, **options):
    """Return a new array of elements first, ..., first + n - 1."""
    out = np.full(n, 77, dtype=dtype)
    fill_into(out, transform, first, params, **options)
    return out


@functools.lru_cache(maxsize=512)
def expected(transform, dtype, run, params, stream):
    """Return the oracle's answer for a run (first, length), computed once for all sets."""
    i = elements(*run)
    if transform == core.WORDS:
        return oracle.words(KEY, stream, i)
    if transform == core.UNIFORM:
        return oracle.uniform(KEY, stream, i, *params, dtype)
    return oracle.normal_exact(KEY, stream, i, *params, dtype)


def check_against_oracle(result, transform, first, params=None, stream=STREAM):
    """Compare a fill from ``first`` under KEY with the oracle."""
    params = PARAMS[transform] if params is None else params
    answer = expected(transform, result.dtype.str, (first, len(result)), params, stream)
    if transform == core.NORMAL:
        assert_within_bound(result, *answer)
    else:
        assert_same_bits(result, answer)
