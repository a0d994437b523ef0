"""Elements land where index= and the memory of out= say, and nowhere else.

The expected values are the C-order array that one thread draws, indexed by NumPy itself. The bytes
around `out` are compared as well.
"""

import array
import ctypes
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.memory import (
    DRAWS,
    FIXED,
    LAYOUT_KEY,
    THREADS,
    Memory,
    assert_same,
    indexed,
    placed,
    reference,
    shapes,
    some_dtypes,
)

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
DTYPES = ("f4", "f8")

# Properties --------------------------------------------------------------------------------------


@FIXED
@given(indexed(), st.sampled_from(DRAWS), some_dtypes, st.sampled_from(THREADS))
@example(((), ()), wi.normal, "<f4", 1)
@example(((), ...), wi.normal, "<f4", 1)
@example(((), None), wi.normal, "<f4", 1)
@example(((5,), 3), wi.normal, ">f4", 1)
@example(((5, 6), np.s_[..., 3, 2]), wi.normal, "<f4", 1)
@example(((5, 6), np.s_[np.int8(-1), np.uint8(2)]), wi.uniform, ">f8", 1)
@example(((5, 6), np.s_[-1:-99:-1, 99:0:-2]), wi.uniform, "<f8", 1)
@example(((5, 0, 3), np.s_[::-1, ..., 1]), wi.normal, "<f8", 1)
@example(((2,) * 7, np.s_[..., ::-1, 0, None, :]), wi.normal, "<f8", 1)
def test_index_equals_indexing(case, function, dtype, threads):
    shape, index = case
    expected = reference(function, shape, dtype)[(index,) if index is None else index]
    if index is None:
        index = (None,)  # index=None means no index
    got = function(
        shape, index=index, dtype=dtype, rng=LAYOUT_KEY, stream="layout", threads=threads
    )
    assert_same(got, expected)


@FIXED
@given(st.data(), shapes, st.sampled_from(DRAWS), some_dtypes)
def test_out_in_any_layout(data, shape, function, dtype):
    memory = data.draw(placed((shape, dtype)))
    needed = {"shape": shape} if shape == (0,) else {}  # an empty out may be a placeholder
    memory.assert_filled(reference(function, shape, dtype), function, **needed)


@FIXED
@given(st.data(), indexed(), st.sampled_from(DRAWS), some_dtypes, st.sampled_from(THREADS))
def test_indexed_out_in_any_layout(data, case, function, dtype, threads):
    shape, index = case
    index = index if isinstance(index, tuple) else (index,)
    expected = np.asarray(reference(function, shape, dtype)[index])
    memory = data.draw(placed((expected.shape, dtype)))
    memory.assert_filled(expected, function, shape=shape, index=index, threads=threads)


@FIXED
@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(DRAWS), st.sampled_from(DTYPES))
def test_prefix(m, n, function, dtype):
    short, long = sorted((m, n))
    assert_same(reference(function, short, dtype), reference(function, long, dtype)[:short])


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_table_that_grows_keeps_its_rows(function, dtype):
    table = reference(function, (40_000, 33), dtype)
    for rows in (1, 31, 32, 7943, 7944, 39_999):
        assert_same(reference(function, (rows, 33), dtype), table[:rows])
    assert_same(reference(function, (33, 40_000), dtype).reshape(table.shape), table)


# Kinds of buffers --------------------------------------------------------------------------------


class Sub(np.ndarray):
    """A subclass that refuses to be indexed."""

    def __getitem__(self, key):
        raise AssertionError("indexed")


class OnlyDLPack:
    """A tensor of another library."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


def field_of_records():
    """Return an array whose elements lie 13 bytes apart."""
    return np.zeros(40, [("skip", "S5"), ("value", "f4"), ("rest", "S4")])["value"]


BUFFERS = {
    "array.array": lambda: array.array("f", bytes(160)),
    "array of doubles": lambda: array.array("d", bytes(320)),
    "memoryview": lambda: memoryview(bytearray(160)).cast("f"),
    "2-D memoryview": lambda: memoryview(bytearray(160)).cast("f", (8, 5)),
    "strided memoryview": lambda: memoryview(np.zeros(80, "f8"))[::-2],
    "big-endian memoryview": lambda: memoryview(np.zeros(40, ">f4")),
    "ctypes": ctypes.c_float * 40,
    "subclass": lambda: np.zeros((8, 5), "f4").view(Sub),
    "transposed subclass": lambda: np.zeros((5, 8), "f4").T.view(Sub),
    "matrix": lambda: np.asmatrix(np.zeros((8, 5))),
    "masked": lambda: np.ma.masked_less(np.zeros((8, 5)), 1),
    "dlpack": lambda: OnlyDLPack(np.zeros((8, 5), "f4")),
    "strided dlpack": lambda: OnlyDLPack(np.zeros((10, 16), "f8").T[::2]),
    "record field": field_of_records,
    "imaginary part": lambda: np.zeros(40, "c16").imag,
    "empty": lambda: np.empty((3, 0), "f4"),
}


def read(out):
    return np.ma.getdata(out.values if isinstance(out, OnlyDLPack) else out).view(np.ndarray)


@pytest.mark.parametrize("name", BUFFERS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
def test_buffers(name):
    out = BUFFERS[name]()
    values = np.asarray(out) if not isinstance(out, (OnlyDLPack, np.ndarray)) else read(out)
    assert wi.normal(out=out, rng=LAYOUT_KEY, stream="layout") is out
    assert_same(values, reference(wi.normal, values.shape, values.dtype))
    he = partial(wi.he_uniform, fans=(7, 9))
    assert he(values.shape, out=out, rng=LAYOUT_KEY, stream="layout") is out
    assert_same(values, reference(he, values.shape, values.dtype))
    xavier = partial(wi.xavier_normal, fans=(7, 9))
    assert xavier(out=out, rng=LAYOUT_KEY, stream="layout") is out
    assert_same(values, reference(xavier, values.shape, values.dtype))


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_memmap(tmp_path, dtype):
    path = tmp_path / "weights"
    path.write_bytes(b"\xa5" * 3000)
    out = np.memmap(path, dtype, "r+", offset=13, shape=(20, 15))
    assert wi.normal(out=out, rng=LAYOUT_KEY, stream="layout") is out
    out.flush()
    expected = reference(wi.normal, (20, 15), dtype).tobytes()
    assert path.read_bytes() == b"\xa5" * 13 + expected + b"\xa5" * (2987 - len(expected))


@pytest.mark.parametrize("shape", [(0, 3), (4, 0, 2)])
def test_nothing_to_fill(shape):
    Memory(shape, "f8").assert_filled(np.empty(shape), wi.normal)


def test_an_empty_out_without_a_shape():
    """The shape (0,) may be that of a placeholder, whose tensor is somewhere else."""
    for out in (np.empty(0, "f4"), memoryview(bytearray()).cast("f"), np.empty(0, ">f8")):
        with pytest.raises(ValueError, match="pass shape="):
            wi.normal(out=out)
        assert wi.normal(0, out=out, rng=0) is out
