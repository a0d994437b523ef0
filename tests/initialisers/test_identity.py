"""Identity and dirac: the diagonal, whole and in parts, in memory of any layout."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import PCG64, default_rng
from oracles import oracle_structured, oracle_types
from support.memory import FIXED, Memory, assert_same
from support.structured import NAMES, check_narrow, sides, some_dtypes, whole_and_parts
from support.surface import same_bits

import weightinit_fast as wf

pytestmark = pytest.mark.usefixtures("eager")

# Identity ----------------------------------------------------------------------------------------


def test_eye_is_identity():
    assert wf.eye is wf.identity


@FIXED
@given(st.data(), st.tuples(sides, sides), some_dtypes, st.sampled_from([1, 0.25, 3.0, 0]))
def test_identity(data, shape, dtype, gain):
    expected = oracle_structured.identity(shape, gain)
    whole_and_parts(data, wf.identity, expected, dtype, gain=gain)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_identity(isa, name):
    f = oracle_types.TYPES[name]
    for gain in (1.0, 0.1, 1 + f.epsilon / 2 + 2.0**-40, f.largest):
        expected = oracle_structured.identity((9, 14), gain)
        check_narrow(wf.identity, (9, 14), name, expected, gain=gain)


def test_large_identity():
    for dtype in ("f2", "f4", "f8"):
        w = wf.identity((1500, 1700), dtype=dtype, gain=0.5)
        assert same_bits(w, oracle_structured.identity((1500, 1700), 0.5).astype(dtype))
        memory = Memory((700, 600), dtype, order=(1, 0), gaps=3, offset=1)
        memory.assert_filled(np.eye(700, 600, dtype=dtype), wf.identity, threads=2)
    corner = wf.identity((2**31, 2**31), index=np.s_[-2:, -3:])
    assert corner.tolist() == [[0, 1, 0], [0, 0, 1]]


# Dirac -------------------------------------------------------------------------------------------

conv_shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@FIXED
@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.integers(0, 6), conv_shapes, some_dtypes)
def test_dirac(data, groups, per_group, into, kernel, dtype):
    expected = oracle_structured.dirac((groups * per_group, into, *kernel), groups)
    whole_and_parts(data, wf.dirac, expected, dtype, groups=groups)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        *(((3, 5, 4, 6), layout) for layout in ("HWIO", "HWOI", "IOHW", "OIHW", "OHWI", "IHWO")),
        *(((3, 4, 6), "HIO"), ((2, 3, 4, 5, 6), "DHWIO"), ((2, 3, 4, 5, 6), "ODHWI")),
    ],
)
def test_dirac_in_layouts(shape, layout):
    expected = oracle_structured.dirac(shape, 1, layout)
    assert same_bits(wf.dirac(shape, layout=layout), expected.astype("f4"))
    index = np.s_[::-1, 1:, ..., -1:0:-1]
    assert_same(wf.dirac(shape, layout=layout, index=index), expected[index].astype("f4"))
    if shape[layout.index("O")] % 2 == 0:
        expected = oracle_structured.dirac(shape, 2, layout)
        assert same_bits(wf.dirac(shape, layout=layout, groups=2), expected.astype("f4"))


def test_dirac_keeps_channels():
    """A convolution with the weight is the identity in each group."""
    w = wf.dirac((6, 3, 5), groups=2, dtype="f8")
    x = default_rng(0).normal(size=(6, 20))
    for g, channel in itertools.product(range(2), range(3)):
        kernel = w[3 * g + channel]
        y = sum(np.convolve(x[3 * g + k], kernel[k][::-1], mode="same") for k in range(3))
        np.testing.assert_array_equal(y, x[3 * g + channel])


@pytest.mark.parametrize("name", NAMES)
def test_narrow_dirac(isa, name):
    check_narrow(wf.dirac, (6, 4, 3, 5), name, oracle_structured.dirac((6, 4, 3, 5), 2), groups=2)


@pytest.mark.parametrize("name", ["identity", "dirac"])
def test_structure_leaves_a_generator_alone(name):
    shape = (4, 4) if name == "identity" else (4, 4, 3)
    rng = default_rng(3)
    getattr(wf, name)(shape, rng=rng)
    getattr(wf, name)(shape, rng=rng, index=np.s_[1:], out=np.empty((3, *shape[1:])))
    assert rng.bit_generator.state == PCG64(3).state
