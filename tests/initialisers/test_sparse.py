"""Sparse: which elements of a column are zeros, ties between equal words, parts and threads."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import oracle, oracle_structured
from support.draws import KEY, RNG, STREAM
from support.memory import FIXED, LAYOUT_KEY
from support.structured import NAMES, SAME, check_narrow, sides, some_dtypes, whole_and_parts
from support.surface import same_bits

import weightinit_fast as wf

pytestmark = pytest.mark.usefixtures("eager")
DTYPES = ("f4", "f8")

# Sparse ------------------------------------------------------------------------------------------


def sparse(shape, sparsity, std, dtype, key=RNG, stream=STREAM):
    """Return the normals of the package under the mask of the oracle."""
    values = wf.normal(shape, std=std, dtype=dtype, rng=key, stream=stream)
    zeros = oracle_structured.sparse_zeros((key.low, key.high), stream, shape, sparsity)
    return np.where(zeros, values.dtype.type(0), values).astype(values.dtype)


def warned(sparsity, rows):
    """Expect a warning if all elements of a column are zeros."""
    if int(np.ceil(sparsity * rows)) == rows:
        return pytest.warns(UserWarning, match="all weights are zero")
    return contextlib.nullcontext()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sparsity", [0, 0.1, 0.25, 1 / 3, 0.5, 0.999, 1])
@pytest.mark.parametrize("shape", [(1, 1), (10, 7), (7, 10), (300, 41), (2, 3000)])
def test_sparse(dtype, sparsity, shape):
    with warned(sparsity, shape[0]):
        w = wf.sparse(shape, sparsity=sparsity, std=0.3, dtype=dtype, **SAME)
    assert same_bits(w, sparse(shape, sparsity, 0.3, dtype))
    assert ((w == 0).sum(axis=0) == int(np.ceil(sparsity * shape[0]))).all()


def test_sparse_defaults_and_counts():
    """torch counts ceil(sparsity·rows) in float64: 0.1·10 is 1, but 0.07·100 is above 7."""
    w = wf.sparse((10, 50), sparsity=0.1, **SAME)
    assert same_bits(w, sparse((10, 50), 0.1, 0.01, "f4"))
    assert ((w == 0).sum(axis=0) == 1).all()
    w = wf.sparse((100, 50), sparsity=0.07, **SAME)
    assert ((w == 0).sum(axis=0) == 8).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_empty_sparse(shape):
    assert wf.sparse(shape, sparsity=0.5, rng=0).shape == shape


def test_sparse_ties_go_to_the_first_rows():
    """Words repeat in a column this long; the last zero and the first other row have one word."""
    rows = 2**18
    words = oracle.words(KEY, STREAM, np.arange(rows, dtype=np.uint64) + np.uint64(2**63))
    order = np.argsort(words, kind="stable")
    repeats = np.flatnonzero(words[order][1:] == words[order][:-1])
    assert len(repeats) > 1
    for rank in repeats[:3]:
        first, second = order[rank], order[rank + 1]
        assert first < second
        sparsity = (rank + 1) / rows  # exact
        w = wf.sparse((rows, 1), sparsity=sparsity, **SAME)
        assert w[first, 0] == 0 != w[second, 0]
        assert np.flatnonzero(w == 0).tolist() == sorted(order[: rank + 1].tolist())
        index = np.s_[second : second + 1]
        assert wf.sparse((rows, 1), sparsity=sparsity, index=index, **SAME)[0, 0] == w[second, 0]


@pytest.mark.filterwarnings("ignore:sparsity:UserWarning")
@FIXED
@given(st.data(), st.tuples(sides, sides), some_dtypes, st.sampled_from([0, 0.3, 0.5, 1]))
def test_parts_of_sparse(data, shape, dtype, sparsity):
    expected = sparse(shape, sparsity, 2.0, dtype, LAYOUT_KEY, "layout")
    whole_and_parts(data, wf.sparse, expected, dtype, sparsity=sparsity, std=2.0)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_sparse(isa, name):
    expected = sparse((60, 21), 0.4, 1.0, "f4")
    check_narrow(wf.sparse, (60, 21), name, expected, sparsity=0.4, std=1.0)


def test_threads_do_not_change_sparse(isa):
    expected = wf.sparse((3000, 120), sparsity=0.7, threads=1, **SAME)
    assert same_bits(expected, sparse((3000, 120), 0.7, 0.01, "f4"))
    for threads in (2, 3, 7):
        got = wf.sparse((3000, 120), sparsity=0.7, threads=threads, **SAME)
        assert same_bits(got, expected)


# Layouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sparsity", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(10, 7), (7, 10), (41, 300), (3000, 12)])
def test_every_unit_has_the_same_number_of_zeros(dtype, sparsity, shape):
    """Zeros are counted along the inputs of each output, by the oracle's rule for columns."""
    own = {"sparsity": sparsity, "std": 0.3, "dtype": dtype, **SAME}
    with warned(sparsity, shape[1]):
        w = wf.sparse(shape, layout="OI", **own)
    assert ((w == 0).sum(axis=1) == int(np.ceil(sparsity * shape[1]))).all()
    zeros = oracle_structured.sparse_zeros((RNG.low, RNG.high), STREAM, shape, sparsity, axis=1)
    values = wf.normal(shape, std=0.3, dtype=dtype, **SAME)
    assert same_bits(w, np.where(zeros, values.dtype.type(0), values).astype(values.dtype))
    with warned(sparsity, shape[0]):
        assert same_bits(wf.sparse(shape, layout="IO", **own), wf.sparse(shape, **own))


@pytest.mark.filterwarnings("ignore:sparsity:UserWarning")
@FIXED
@given(st.data(), st.tuples(sides, sides), some_dtypes, st.sampled_from([0, 0.3, 0.5, 1]))
def test_parts_of_sparse_rows(data, shape, dtype, sparsity):
    own = {"sparsity": sparsity, "std": 2.0, "layout": "OI"}
    expected = wf.sparse(shape, dtype=dtype, rng=LAYOUT_KEY, stream="layout", **own)
    whole_and_parts(data, wf.sparse, expected, dtype, **own)


@pytest.mark.parametrize("layout", [None, "OI", "IO"])
def test_steps_beyond_64_bits(layout):
    """Such a step selects one element, as in NumPy."""
    w = wf.sparse((6, 5), sparsity=0.5, layout=layout, **SAME)
    for index in (
        np.s_[:, :: 2**70],
        np.s_[:: 2**70],
        np.s_[:: -(2**70), 3:4],
        np.s_[2::99, ::-99],
    ):
        got = wf.sparse((6, 5), sparsity=0.5, layout=layout, index=index, **SAME)
        assert same_bits(got, np.ascontiguousarray(w[index]))
    for function in (wf.normal, wf.identity, wf.he_uniform):
        whole = function((6, 5), **SAME)
        got = function((6, 5), index=np.s_[:, :: 2**70], **SAME)
        assert same_bits(got, np.ascontiguousarray(whole[:, :1]))


def test_a_weight_of_zeros_alone_warns():
    for own, shape in (({}, (3, 50)), ({"layout": "OI"}, (50, 3)), ({"layout": "IO"}, (3, 50))):
        with pytest.warns(UserWarning, match="all weights are zero") as caught:
            w = wf.sparse(shape, sparsity=0.9, rng=0, **own)
        assert not w.any()
        assert caught[0].filename == __file__
        assert wf.sparse(shape[::-1], sparsity=0.9, rng=0, **own).any()


def test_units_of_the_default_layout_may_have_no_input():
    """torch's rule counts by input, as the documentation says."""
    w = wf.sparse((64, 8), sparsity=0.9, rng=0)
    assert ((w == 0).sum(axis=0) == 58).all()
    assert (w == 0).all(axis=1).any()
    assert not (wf.sparse((64, 8), sparsity=0.8, layout="OI", rng=0) == 0).all(axis=1).any()
