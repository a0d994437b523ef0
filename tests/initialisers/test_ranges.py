"""Ranges of elements: equal to the same elements of the whole tensor, for every initialiser."""

import math

import numpy as np
import pytest
from support.internals import dtypes, ranges

import weightinit_fast as wi

KEY = wi.key(7)
SHAPES = {
    "normal(std=0.02)": (5, 7, 3),
    "he_uniform": (6, 33),
    "truncated_normal": (100,),
    "constant(value=0.3)": (4, 5),
    "zeros": (),
    "identity": (9, 7),
    "dirac(groups=2)": (4, 3, 3, 2),
    "sparse(sparsity=0.4)": (8, 6),
    "orthogonal": (6, 4),
    "delta_orthogonal": (4, 3, 3, 3),
}


def every_range(items, rng, count):
    """Yield all ranges of few elements, and of many elements a sample."""
    pairs = [(a, b) for a in range(items + 1) for b in range(a, items + 1)]
    if len(pairs) > count:
        pairs = [pairs[i] for i in rng.choice(len(pairs), count, replace=False)]
    return [*pairs, (0, items), (items, items)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("text", SHAPES)
def test_a_range_holds_the_same_elements_of_the_whole(text, dtype):
    init, shape = wi.initializer(text), SHAPES[text]
    whole = np.asarray(init(shape, dtype=dtype, rng=KEY, stream="w")).reshape(-1)
    for start, stop in every_range(math.prod(shape), np.random.default_rng(0), 150):
        out = np.full(stop - start, 77, dtype)
        ranges.fill_range(init, shape, dtypes.kind_named(dtype), out, start, KEY, "w")
        np.testing.assert_array_equal(out, whole[start:stop])


@pytest.mark.parametrize("text", SHAPES)
def test_what_needs_the_whole_says_so(text):
    wanted = text.split("(")[0] in ("sparse", "orthogonal", "delta_orthogonal")
    assert ranges.needs_whole(wi.initializer(text)) == wanted


def test_a_range_outside_the_tensor_is_refused():
    init = wi.initializer("normal")
    out = np.full(4, 77, np.float32)
    for start in (-1, 7):
        with pytest.raises(ValueError, match="do not lie in a tensor of shape"):
            ranges.fill_range(init, (2, 5), dtypes.kind_named("float32"), out, start, KEY, 0)
    with pytest.raises(ValueError, match="must be 1-D, C-contiguous"):
        ranges.fill_range(init, (2, 5), dtypes.kind_named("float64"), out, 0, KEY, 0)
    assert (out == 77).all()


def test_a_range_of_a_huge_tensor_takes_no_memory():
    init, shape = wi.initializer("he_normal"), (2**40, 1024)
    out = np.empty(100, np.float32)
    ranges.fill_range(init, shape, dtypes.kind_named("float32"), out, 2**49 + 1000, KEY, "w")
    first = init(shape, rng=KEY, stream="w", index=np.s_[2**39, 1000:])
    second = init(shape, rng=KEY, stream="w", index=np.s_[2**39 + 1, :76])
    np.testing.assert_array_equal(out, np.concatenate([first, second]))
