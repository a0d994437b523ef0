"""The extension module proves that a fill stays inside the buffer and the stream, or refuses it.

The public functions never ask for such fills. If one of them ever did, nothing must be written
outside the buffer.
"""

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
