"""How the tests judge tensors whose elements depend on their place: identity, dirac, sparse, QR."""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st
from oracles import oracle_types

from .draws import RNG, STREAM, storage
from .memory import LAYOUT_KEY, assert_same, placed

NAMES = tuple(oracle_types.TYPES)
SAME = {"rng": RNG, "stream": STREAM}
some_dtypes = st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"])
sides = st.integers(0, 9)


def patterns(function, shape, name, **own):
    """Return the bit patterns that a call in a narrow type gives."""
    out = np.full(shape, 77, storage(name))
    assert function(shape, out=out, dtype=name, **SAME, **own) is out
    return out.view(oracle_types.TYPES[name].bits)


def check_narrow(function, shape, name, expected, **own):
    """Assert that a call in a narrow type gives the rounded values of ``expected``."""
    wanted = oracle_types.encode(name, oracle_types.round_to(name, expected))
    assert patterns(function, shape, name, **own).tolist() == wanted.tolist()


def whole_and_parts(data, function, expected, dtype, **own):
    """Assert that a part of the tensor equals that part of ``expected``.

    The part is drawn as a new array, and into memory of any layout.
    """
    expected = expected.astype(dtype)
    options = {"allow_newaxis": True, "allow_ellipsis": True, "max_dims": 7}
    index = data.draw(hnp.basic_indices(expected.shape, **options))
    index = index if isinstance(index, tuple) else (index,)
    given_options = {"shape": expected.shape, "index": index} | own
    part = expected[index]
    got = function(dtype=dtype, rng=LAYOUT_KEY, stream="layout", **given_options)
    assert_same(got, part)
    memory = data.draw(placed((np.shape(part), dtype)))
    memory.assert_filled(part, function, **given_options)
    memory = data.draw(placed((expected.shape, dtype)))
    memory.assert_filled(expected, function, **own)
