"""Where values land: index, memory layout, tiles, threads.

Judged by the C-order array of one thread, cut by NumPy itself; memory around `out` is judged too.
"""

import array
import ctypes

import hypothesis.extra.numpy as hnp
import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
FIXED = settings(derandomize=True, database=None, max_examples=200, **UNTIMED)
KEY = wi.Key(0x0123456789ABCDEF, 0xFEDCBA9876543210)
DTYPES = ("f4", "f8")
DRAWS = (wi.uniform, wi.normal)
THREADS = (1, 2, 3, 7)
#: Of host/plan.h: elements of a direct task, bytes of a tile, rows that a tile has at least.
TASK, TILE, TILE_ROWS = 2**18, 2**15, 32


def reference(function, shape, dtype):
    """The whole tensor, in order, by one thread."""
    return function(shape, dtype=dtype, rng=KEY, stream="layout", threads=1)


def assert_same(got, expected):
    """Equal to the bit, of one dtype and one shape."""
    assert (type(got), got.dtype, got.shape) == (type(expected), expected.dtype, expected.shape)
    bits = f"u{expected.dtype.itemsize}"
    np.testing.assert_array_equal(
        np.ascontiguousarray(got).view(bits), np.ascontiguousarray(expected).view(bits)
    )


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
        self.raw = (np.arange(extent + 192) * 37 + 11).astype(np.uint8)
        self.view = np.ndarray(shape, dtype, self.raw, first, strides)

    def assert_filled(self, expected, function, **kwargs):
        """Fill the view; it, and nothing but it, must change."""
        wanted, view = self.raw.copy(), self.view
        base = self.raw.__array_interface__["data"][0]
        first = view.__array_interface__["data"][0] - base
        np.ndarray(self.view.shape, self.view.dtype, wanted, first, self.view.strides)[...] = (
            expected
        )
        assert function(out=view, rng=KEY, stream="layout", **kwargs) is view
        np.testing.assert_array_equal(self.raw, wanted)


# Properties --------------------------------------------------------------------------------------

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
    got = function(shape, index=index, dtype=dtype, rng=KEY, stream="layout", threads=threads)
    assert_same(got, expected)


@FIXED
@given(st.data(), shapes, st.sampled_from(DRAWS), some_dtypes)
def test_out_in_any_layout(data, shape, function, dtype):
    memory = data.draw(placed((shape, dtype)))
    memory.assert_filled(reference(function, shape, dtype), function)


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
    """A subclass that has opinions about indexing."""

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
    """An array whose elements lie 13 bytes apart."""
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
    "empty": lambda: memoryview(bytearray()).cast("f"),
}


def read(out):
    return np.ma.getdata(out.values if isinstance(out, OnlyDLPack) else out).view(np.ndarray)


@pytest.mark.parametrize("name", BUFFERS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
def test_buffers(name):
    out = BUFFERS[name]()
    values = np.asarray(out) if not isinstance(out, (OnlyDLPack, np.ndarray)) else read(out)
    assert wi.normal(out=out, rng=KEY, stream="layout") is out
    assert_same(values, reference(wi.normal, values.shape, values.dtype))
    assert wi.he_uniform(values.shape, out=out, rng=KEY, stream="layout") is out
    assert_same(values, reference(wi.he_uniform, values.shape, values.dtype))
    assert wi.xavier_normal(out=out, rng=KEY, stream="layout") is out
    assert_same(values, reference(wi.xavier_normal, values.shape, values.dtype))


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_memmap(tmp_path, dtype):
    path = tmp_path / "weights"
    path.write_bytes(b"\xa5" * 3000)
    out = np.memmap(path, dtype, "r+", offset=13, shape=(20, 15))
    assert wi.normal(out=out, rng=KEY, stream="layout") is out
    out.flush()
    expected = reference(wi.normal, (20, 15), dtype).tobytes()
    assert path.read_bytes() == b"\xa5" * 13 + expected + b"\xa5" * (2987 - len(expected))


@pytest.mark.parametrize("shape", [0, (0, 3), (4, 0, 2)])
def test_nothing_to_fill(shape):
    Memory(shape if isinstance(shape, tuple) else (shape,), "f8").assert_filled(
        np.empty(shape), wi.normal
    )


# Tiles and tasks ---------------------------------------------------------------------------------


def check_part(shape, index, dtype, function=wi.normal, threads=(1,), **layout):
    """Fill a part of a tensor into memory of that layout, with each number of threads."""
    expected = reference(function, shape, dtype)[index]
    for number in threads:
        memory = Memory(expected.shape, dtype, **layout)
        memory.assert_filled(expected, function, shape=shape, index=index, threads=number)


ROWS = (1, 2, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 3 * TILE_ROWS + 5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_fortran_parts_around_the_tile(rows, dtype):
    """Rows run along memory, columns along the stream: the widest tile that 32 rows leave."""
    wide = TILE // np.dtype(dtype).itemsize // min(rows, TILE_ROWS)
    for columns in (1, wide - 1, wide, wide + 1, 2 * wide + 3):
        shape = (rows + 2, columns + 5)
        check_part(shape, np.s_[1:-1, 3:-2], dtype, order=(1, 0))
        check_part(shape, np.s_[:0:-1, -3:1:-1], dtype, order=(1, 0), offset=3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 9])
def test_fortran_parts_of_many_rows(columns, dtype):
    """Fewer columns than a tile could hold: as many rows as fit instead."""
    tall = TILE // np.dtype(dtype).itemsize // columns
    for rows in (tall - 1, tall, tall + 1, 2 * tall + 7):
        check_part((rows, columns + 2), np.s_[:, 1:-1], dtype, order=(1, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", range(1, 41))
def test_column_steps(step, dtype):
    """Up to a step of 32 what lies between is drawn and dropped; beyond, each element alone."""
    per_tile = TILE // np.dtype(dtype).itemsize // step
    for rows, columns in ((1, 3 * per_tile + 2), (3, per_tile + 1), (40, per_tile // 32 + 2)):
        shape = (rows, columns * step + step // 2)
        check_part(shape, np.s_[:, step // 3 :: step], dtype)
        check_part(shape, np.s_[::-1, ::-step], dtype, order=(1, 0), offset=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0, 1, 31])
def test_rows_longer_than_a_task(offset, dtype):
    """Their tasks end where the stream's groups do, at another column in each row."""
    for columns in (TASK - 1, TASK, TASK + 1, 2 * TASK - 31, 2 * TASK + 33):
        shape = (3, columns + offset + 7)
        check_part(shape, np.s_[:, offset : offset + columns], dtype, threads=(3,), gaps=3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3, 31, 32, 100, 1023])
def test_rows_shorter_than_a_task(columns, dtype):
    for rows in (TASK // columns - 1, TASK // columns, TASK // columns + 1):
        check_part((rows, columns + 1), np.s_[:, 1:], dtype, threads=(1, 7), offset=2)
    check_part((9, 5, columns + 2), np.s_[::2, 1:, 1:-1], dtype, steps=(-1, 2, 1))


@pytest.mark.parametrize("order", [(5, 4, 3, 2, 1, 0), (2, 5, 0, 4, 1, 3), (1, 0, 3, 2, 5, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_six_axes_permuted(order, dtype):
    check_part((5, 4, 3, 7, 2, 6), np.s_[:], dtype, order=order, threads=(1, 2))
    index = np.s_[1:, ::-1, :, ::3, :, 4:0:-1]
    check_part((5, 4, 3, 7, 2, 6), index, dtype, order=order, steps=(1, -1, 1, 2, 1, -1), gaps=2)


def test_as_many_axes_as_numpy_has():
    check_part((2,) * 14 + (1,) * 50, np.s_[::-1], "f4", order=tuple(range(63, -1, -1)), offset=1)


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_buffers_at_any_address(function, dtype, streamed_from):
    """Past 4 MiB stores pass the caches: whole lines, whatever the address."""
    rows = 2**20 // 1500 + 1
    for offset in (0, 1, 4, 16, 33, 60, 63):
        Memory((2**20 + 77,), dtype, offset=offset).assert_filled(
            reference(function, 2**20 + 77, dtype), function, threads=2
        )
        check_part((rows, 1507), np.s_[:, 5:-2], dtype, function, (2,), gaps=4, offset=offset)


# Threads -----------------------------------------------------------------------------------------

LARGE = 7 * 2**17 + 12_345  # four tasks
SQUARE = (991, 1009)
LARGE_CASES = {
    "new": ((LARGE,), np.s_[:], {}),
    "misaligned": ((LARGE,), np.s_[:], {"offset": 5}),
    "Fortran": (SQUARE, np.s_[:], {"order": (1, 0)}),
    "reversed": (SQUARE, np.s_[::-1, ::-1], {"steps": (1, -1)}),
    "columns": ((1001, 1100), np.s_[:, 7:-50], {"gaps": 2}),
    "steps": ((3, LARGE), np.s_[:, ::3], {"order": (1, 0)}),
    "single elements": ((LARGE, 34), np.s_[:, 33], {}),
    "permuted": ((10, 11, 12, 13, 9, 8), np.s_[:], {"order": (3, 5, 0, 1, 4, 2)}),
}


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LARGE_CASES)
def test_threads_do_not_change_a_byte(name, dtype, function):
    shape, index, layout = LARGE_CASES[name]
    options = {"shape": shape, "index": index}
    expected = function(dtype=dtype, rng=KEY, stream="layout", threads=1, **options)
    for threads in THREADS:
        memory = Memory(expected.shape, dtype, **layout)
        memory.assert_filled(expected, function, threads=threads, **options)


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_threads_do_not_change_new_arrays(dtype):
    expected = reference(wi.normal, LARGE, dtype)
    for n in (*THREADS, None):
        got = wi.normal(LARGE, dtype=dtype, rng=KEY, stream="layout", threads=n)
        assert_same(got, expected)


# Huge tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_of_huge_tables_agree(function, dtype):
    """2**46 elements as a table, as a vector and as a box."""
    options = {"dtype": dtype, "rng": KEY, "stream": "huge", "threads": 2}
    row, count = 2**39 + 12_345, 700
    table = function((2**40, 64), index=np.s_[row : row + count], **options)
    start = row * 64
    flat = function(2**46, index=np.s_[start : start + 64 * count], **options)
    assert_same(table, flat.reshape(count, 64))
    box = function((2**20, 2**20, 64), index=(row >> 20, row % 2**20), **options)
    assert_same(box, table[0])
    got = function((2**40, 64), index=np.s_[row + count - 1 : row - 1 : -3, 60:3:-7], **options)
    assert_same(got, table[::-3, 60:3:-7])
    assert_same(function((2**40, 64), index=(row + 9, 5), **options), table[9, 5])
    tops = function((2**40, 64), index=np.s_[:: 2**36, ::-63], **options)
    for k in range(16):
        assert_same(function((2**40, 64), index=(k * 2**36, 0), **options), tops[k, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_tables_against_the_oracle(dtype):
    index = np.s_[2**62 - 99 : 2**62 : 7]
    got = wi.uniform(2**62, index=index, dtype=dtype, rng=KEY, stream="huge")
    elements = np.arange(2**62 - 99, 2**62, 7, dtype=np.uint64)
    assert_same(got, oracle.uniform((KEY.low, KEY.high), "huge", elements, dtype=dtype))
