"""Rows with gaps between them, of lengths near those of groups and cache lines.

The tests run with stores that bypass the caches, and with stores that do not. No byte between the
rows, before the first or after the last may change.
"""

import numpy as np
import pytest
from support import internals
from support.internals import core

import weightinit_fast as wi

KEY = wi.Key(5, 6)
SIZES = dict(zip(core.DTYPES, (4, 8, 2, 2, 1, 1), strict=True))
STORAGE = dict(zip(core.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
SENTINEL = 0xA5
#: Lengths of a row near those of one group of 16 or 32 elements and of several groups, and lengths
#: that are too long for the ring of short rows.
LENGTHS = (1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 127, 128, 160, 161, 255, 256, 1024, 1061)
ROWS = 41
WHOLE = {}


@pytest.fixture(params=[True, False], ids=["streamed", "stored"])
def streamed(request):
    """Let stores bypass the caches from the first byte on, or never."""
    with internals.streamed_from(0 if request.param else 1 << 60):
        yield request.param


def whole(name, n):
    """Return the first elements, drawn in one piece."""
    if name not in WHOLE or WHOLE[name].size < n:
        out = np.empty(n, STORAGE[name])
        wi.normal(out=out, dtype=name, rng=KEY, threads=1)
        WHOLE[name] = out
    return WHOLE[name][:n]


def rows_of(name, length, row_step, first):
    """Return the values of ROWS rows that begin row_step elements apart in the stream."""
    n = first + (ROWS - 1) * row_step + length
    elements = whole(name, max(n, 64_000))
    return np.stack([elements[first + k * row_step :][:length] for k in range(ROWS)])


def check(name, length, row_step, first, gap_bytes, lead):
    """Fill rows with `gap_bytes` between them, the first of them `lead` bytes past a line."""
    size = SIZES[name]
    step = length * size + gap_bytes
    raw = np.full(256 + ROWS * step + 256, SENTINEL, np.uint8)
    begin = 64 + -raw.ctypes.data % 64 + lead
    out = np.ndarray((ROWS, length), STORAGE[name], raw, begin, (step, size))
    axes = [(ROWS, row_step, step), (length, 1, size)]
    code = core.DTYPES.index(name)
    core.fill(out, core.NORMAL, code, (0.0, 1.0), KEY, 0, first, axes, 1)
    expected = rows_of(name, length, row_step, first)
    assert out.tobytes() == expected.tobytes(), (length, row_step, first, gap_bytes, lead)
    out.view(f"u{size}")[...] = int.from_bytes(bytes([SENTINEL] * size), "little")
    assert (raw == SENTINEL).all(), (length, row_step, first, gap_bytes, lead)


@pytest.mark.parametrize("name", core.DTYPES)
def test_rows_with_gaps(isa, streamed, name):
    size = SIZES[name]
    for length in LENGTHS:
        for gap in (size, 64, 128 - length * size % 64):
            if gap % size:
                continue
            for lead in (0, 16, 64 - size):
                check(name, length, length + 5, 3, gap, lead)
                check(name, length, length, 0, gap, lead)


@pytest.mark.parametrize("name", core.DTYPES)
def test_slices_into_adjacent_rows(isa, streamed, name):
    """Fill rows as `index=np.s_[:, a:b]` does."""
    for length in LENGTHS[:-2]:
        for first, row_step in ((0, 512), (32, 512), (7, 301), (64, 320)):
            for lead in (0, 16, 1):
                check(name, length, row_step, first, 0, lead)


@pytest.mark.parametrize("name", core.DTYPES)
def test_rows_upside_down(isa, streamed, name):
    """Each row lies before the previous one in memory."""
    size = SIZES[name]
    for length in (31, 32, 64, 160):
        step = length * size + 3 * size
        raw = np.full(128 + ROWS * step, SENTINEL, np.uint8)
        out = np.ndarray((ROWS, length), STORAGE[name], raw, 48, (step, size))[::-1]
        wi.normal((ROWS, length), out=out, dtype=name, rng=KEY, threads=1)
        assert out.tobytes() == rows_of(name, length, length, 0).tobytes()
        out.view(f"u{size}")[...] = int.from_bytes(bytes([SENTINEL] * size), "little")
        assert (raw == SENTINEL).all()
