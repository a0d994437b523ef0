"""The extension module proves that a fill stays inside the buffer and the stream, or refuses it.

The public functions never ask for such fills. If one of them ever did, nothing must be written
outside the buffer.
"""

import re

import numpy as np
import pytest
from support.internals import core

import weightinit_fast as wi

KEY = wi.Key(7, 8)
#: Fills of a buffer of (4, 6) float32: axes (n, step in the stream, step in bytes), the byte where
#: they start, and the first element.
REFUSED = {
    "beyond the end": ([(4, 6, 24), (7, 1, 4)], 0, 0),
    "one byte beyond the end": ([(4, 6, 24), (6, 1, 4)], 1, 0),
    "before the beginning": ([(4, 6, -24), (6, 1, 4)], 68, 0),
    "more elements than there are": ([(4, 6, 0), (7, 1, 4)], 0, 0),
    "a product beyond 64 bits": ([(2**40, 1, 0), (2**40, 1, 0)], 0, 0),
    "an axis of no element": ([(0, 1, 4)], 0, 0),
    "an axis of negative length": ([(-3, 1, 4)], 0, 0),
    "backwards through the stream": ([(4, -6, 24)], 0, 100),
    "one element twice": ([(6, 0, 4)], 0, 0),
    "one element twice on an outer axis": ([(4, 0, 24), (6, 1, 4)], 0, 0),
    "beyond the stream": ([(6, 1, 4)], 0, 2**64 - 5),
    "far beyond the stream": ([(4, 2**63, 24), (6, 1, 4)], 0, 0),
    "too many axes": ([(1, 1, 4)] * 65, 0, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_axes(name):
    axes, start, first = REFUSED[name]
    out = np.full((4, 6), 9.0, "f4")
    with pytest.raises(ValueError, match=r"axes|element"):
        core.fill(out, core.NORMAL, 0, (0.0, 1.0), KEY, 0, first, axes, 1, False, start)
    assert (out == 9).all()


def test_axes_that_just_fit():
    out = np.full((4, 6), 9.0, "f4")
    axes = [(4, 2**62, -24), (1, 0, 0), (6, 1, 4)]
    core.fill(out, core.WORDS, 0, (), KEY, 0, 2**62 - 6, axes, 1, False, 72)
    assert not (out == 9).any()
    end = np.full((4, 6), 9.0, "f4")
    core.fill(end, core.WORDS, 0, (), KEY, 0, 2**64 - 24, None, 2)
    assert end[3].tobytes() == out[0].tobytes()


# Rows by id --------------------------------------------------------------------------------------

ROWS = [(4, 6, 24), (6, 1, 4)]
#: (ids, axes, start, first, text)
REFUSED_IDS = {
    "negative": ([0, 1, -1, 2], ROWS, 0, 0, "rows[2] is -1"),
    "the least int64": ([-(2**63), 1, 1, 2], ROWS, 0, 0, f"rows[0] is {-(2**63)}"),
    "beyond the stream": (
        [0, 1, 2, (2**64 - 2) // 6],
        ROWS,
        0,
        0,
        "rows[3] is 3074457345618258602",
    ),
    "beyond the stream with its first element": ([0, 0, 2**60, 0], ROWS, 0, 2**64 - 12, "rows[2]"),
    "fewer than rows": ([0, 1, 2], ROWS, 0, 0, "3 ids for axes"),
    "more than rows": ([0, 1, 2, 3, 4], ROWS, 0, 0, "5 ids for axes"),
    "none": ([], ROWS, 0, 0, "0 ids for axes"),
    "without axes": ([0], None, 0, 0, "ids need axes"),
    "without an axis": ([0], [], 0, 0, "1 ids for axes"),
    "rows of no step": ([0], [(1, 0, 24), (6, 1, 4)], 0, 0, "1 ids for axes"),
    "beyond the buffer": ([0, 1, 2, 3], [(4, 6, 24), (6, 1, 5)], 0, 0, "reach beyond the buffer"),
    "of another width": (np.zeros(4, np.int32), ROWS, 0, 0, "ids must be"),
    "of two axes": (np.zeros((2, 2), np.int64), ROWS, 0, 0, "ids must be"),
}


@pytest.mark.parametrize("name", REFUSED_IDS)
def test_ids(name):
    ids, axes, start, first, text = REFUSED_IDS[name]
    ids = np.array(ids, np.int64) if isinstance(ids, list) else ids
    out = np.full((4, 6), 9.0, "f4")
    with pytest.raises(ValueError, match=re.escape(text)):
        core.fill(out, core.NORMAL, 0, (0.0, 1.0), KEY, 0, first, axes, 1, False, start, ids)
    assert (out == 9).all()


def test_ids_that_just_fit():
    last = 2**64 // 6 - 1
    ids, got = np.array([last, 0, last, 1]), np.zeros((4, 6), "f4")
    core.fill(got, core.WORDS, 0, (), KEY, 0, 4, ROWS, 1, False, 0, ids)
    end = np.zeros(6, "f4")
    core.fill(end, core.WORDS, 0, (), KEY, 0, 6 * last + 4, None, 1)
    assert got[0].tobytes() == got[2].tobytes() == end.tobytes()
