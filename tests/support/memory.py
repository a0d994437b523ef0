"""Memory of any layout around an array, and strategies for shapes, indices and layouts.

The values that are expected there come from one thread's fill of the whole tensor in C order.
"""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import weightinit_fast as wi

UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
#: Settings with which Hypothesis tries the same examples in every run.
FIXED = settings(derandomize=True, database=None, max_examples=200, **UNTIMED)
LAYOUT_KEY = wi.Key(0x0123456789ABCDEF, 0xFEDCBA9876543210)
#: Functions whose element i does not depend on the shape.
DRAWS = (wi.uniform, wi.normal)
THREADS = (1, 2, 3, 7)


def reference(function, shape, dtype):
    """Return the whole tensor, which one thread draws in C order."""
    return function(shape, dtype=dtype, rng=LAYOUT_KEY, stream="layout", threads=1)


def assert_same(got, expected):
    """Assert that type, dtype, shape and bits are equal."""
    assert (type(got), got.dtype, got.shape) == (type(expected), expected.dtype, expected.shape)
    bits = f"u{expected.dtype.itemsize}"
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(bits), np.ascontiguousarray(expected).view(bits)
    )


#: Every value of a byte, once.
PATTERN = (np.arange(256) * 37 + 11).astype(np.uint8)


class Memory:
    """Bytes of a pattern, and a view of any strides, offset and byte order somewhere in them."""

    def __init__(self, shape, dtype, order=None, steps=None, gaps=1, offset=0):
        order = range(len(shape)) if order is None else order
        steps = (1,) * len(shape) if steps is None else steps
        dtype = np.dtype(dtype)
        strides, extent = [0] * len(shape), dtype.itemsize
        for axis in reversed(order):
            strides[axis] = extent * abs(steps[axis])
            extent = strides[axis] * max(1, shape[axis]) + (gaps - 1) * dtype.itemsize
        first = 64 + offset
        for axis, step in enumerate(steps):
            if step < 0:
                first += strides[axis] * max(0, shape[axis] - 1)
                strides[axis] *= -1
        self.raw = np.resize(PATTERN, extent + 192)
        self.view = np.ndarray(shape, dtype, self.raw, first, strides)

    def assert_filled(self, expected, function, **kwargs):
        """Fill the view; assert its values, and that no byte outside it has changed."""
        wanted, view = self.raw.copy(), self.view
        base = self.raw.__array_interface__["data"][0]
        first = view.__array_interface__["data"][0] - base
        np.ndarray(self.view.shape, self.view.dtype, wanted, first, self.view.strides)[...] = (
            expected
        )
        assert function(out=view, rng=LAYOUT_KEY, stream="layout", **kwargs) is view
        np.testing.assert_array_equal(self.raw, wanted)


# Strategies of Hypothesis ------------------------------------------------------------------------

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
long_shapes = st.tuples(st.integers(0, 70), st.integers(0, 150)).flatmap(st.permutations).map(tuple)
some_dtypes = st.sampled_from(["<f4", ">f4", "<f8", ">f8"])


@st.composite
def indexed(draw):
    """A shape and a basic index into it."""
    shape = draw(st.one_of(shapes, long_shapes))
    index = draw(
        hnp.basic_indices(shape, min_dims=0, max_dims=7, allow_newaxis=True, allow_ellipsis=True)
    )
    return shape, index


@st.composite
def placed(draw, of):
    """Memory with room for an array of this shape and dtype."""
    shape, dtype = of
    n = len(shape)
    return Memory(
        shape,
        dtype,
        draw(st.permutations(range(n))),
        draw(st.tuples(*[st.sampled_from([1, 1, 2, 3, 7, -1, -2])] * n)),
        draw(st.sampled_from([1, 1, 2, 5])),
        draw(st.integers(0, 15)),
    )
