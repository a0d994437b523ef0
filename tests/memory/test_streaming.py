"""Stores that bypass the caches write lines and parts of lines at any address, and nothing else."""

import functools
import math

import numpy as np
import pytest
from support.internals import core

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("streamed_from")
KEY = wi.Key(3, 4)
#: Buffers, and rows, of at least this many bytes are written by stores that bypass the caches.
STREAMED, STREAMED_ROW = 4 << 20, 4096
SIZES = dict(zip(core.DTYPES, (4, 8, 2, 2, 1, 1), strict=True))
STORAGE = dict(zip(core.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
PIECE = 1 << 16
SENTINEL = 0xA5


@functools.cache
def expected(name, n, first=0):
    """Return elements first, first + 1, ..., drawn in pieces too small to bypass the caches."""
    out = np.empty(n, STORAGE[name])
    for k in range(0, n, PIECE):
        part = out[k : k + PIECE]
        index = np.s_[first + k : first + k + len(part)]
        wi.normal(2**40, out=part, dtype=name, rng=KEY, index=index, threads=1)
    return out.tobytes()


def placed(size, lead):
    """Return memory full of a sentinel, and where `size` bytes begin `lead` bytes past a line."""
    raw = np.full(size + 256, SENTINEL, np.uint8)
    begin = 64 + -raw.ctypes.data % 64 + lead
    return raw, begin


@pytest.mark.parametrize("lead", [0, 1, 16, 48])
@pytest.mark.parametrize("extra", [0, 31, 32, 96])
@pytest.mark.parametrize("name", core.DTYPES)
def test_nothing_but_the_buffer(streaming_isa, name, extra, lead):
    n = STREAMED // SIZES[name] + extra
    size = n * SIZES[name]
    raw, begin = placed(size, lead)
    out = raw[begin : begin + size].view(STORAGE[name])
    wi.normal(2**40, out=out, dtype=name, rng=KEY, index=np.s_[:n], threads=1)
    assert out.tobytes() == expected(name, STREAMED // SIZES[name] + 96)[:size]
    assert (raw[:begin] == SENTINEL).all()
    assert (raw[begin + size :] == SENTINEL).all()


@pytest.mark.parametrize("name", core.DTYPES)
@pytest.mark.parametrize("extra", [0, 1, 32])
def test_columns_of_a_wider_matrix(streaming_isa, name, extra):
    columns = STREAMED_ROW // SIZES[name] + extra
    rows = math.ceil(STREAMED / (columns * SIZES[name]))
    matrix = np.full((rows, 2 * columns * SIZES[name]), SENTINEL, np.uint8)
    memory = matrix.view(STORAGE[name])[:, 3 : 3 + columns]
    wi.normal((2**20, columns), out=memory, dtype=name, rng=KEY, index=np.s_[:rows], threads=1)
    assert memory.tobytes() == expected(name, rows * columns)
    memory.fill(0)
    assert ((matrix == SENTINEL).sum(axis=1) == columns * SIZES[name]).all()


@pytest.mark.parametrize("lead", [5, 16, 48])
@pytest.mark.parametrize("name", core.DTYPES)
def test_threads_that_meet_within_a_cache_line(streaming_isa, name, lead):
    """One thread's part ends and another one's begins within a cache line."""
    n, first = 3 * STREAMED // 2 // SIZES[name] + 11, 16
    size = n * SIZES[name]
    for _ in range(3):
        raw, begin = placed(size, lead)
        out = raw[begin : begin + size].view(STORAGE[name])
        index = np.s_[first : first + n]
        wi.normal(2**40, out=out, dtype=name, rng=KEY, index=index, threads=3)
        assert out.tobytes() == expected(name, n, first)
