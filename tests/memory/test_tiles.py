"""Regions at the edges of the engine's plan: tiles, tasks, threads, and tables of 2**46 elements.

As in test_layout.py, the expected values are the C-order array that one thread draws, indexed by
NumPy itself.
"""

import numpy as np
import pytest
from oracles import oracle
from support.internals import TASK, TILE, TILE_RUN
from support.memory import DRAWS, LAYOUT_KEY, THREADS, Memory, assert_same, reference

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
DTYPES = ("f4", "f8")


# Tiles and tasks ---------------------------------------------------------------------------------


def check_part(shape, index, dtype, function=wi.normal, threads=(1,), **layout):
    """Fill a part of a tensor into memory of a layout, with each number of threads."""
    expected = reference(function, shape, dtype)[index]
    for number in threads:
        memory = Memory(expected.shape, dtype, **layout)
        memory.assert_filled(expected, function, shape=shape, index=index, threads=number)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("tiles", "more"), [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (3, 5)])
def test_fortran_parts_around_the_tile(tiles, more, dtype):
    """Rows lie along memory, columns along the stream; `wide` columns of these rows fill a tile."""
    itemsize = np.dtype(dtype).itemsize
    tile_rows = TILE_RUN // itemsize
    rows = tiles * tile_rows + more
    wide = TILE // itemsize // min(rows, tile_rows)
    for columns in (1, wide - 1, wide, wide + 1, 2 * wide + 3):
        shape = (rows + 2, columns + 5)
        check_part(shape, np.s_[1:-1, 3:-2], dtype, order=(1, 0))
        check_part(shape, np.s_[:0:-1, -3:1:-1], dtype, order=(1, 0), offset=3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 9])
def test_fortran_parts_of_many_rows(columns, dtype):
    """With fewer columns than a tile could hold, a tile has as many rows as fit."""
    tall = TILE // np.dtype(dtype).itemsize // columns
    for rows in (tall - 1, tall, tall + 1, 2 * tall + 7):
        check_part((rows, columns + 2), np.s_[:, 1:-1], dtype, order=(1, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", range(1, 41))
def test_column_steps(step, dtype):
    """Up to a step of 32, elements between are drawn and dropped; beyond, each is drawn singly."""
    per_tile = TILE // np.dtype(dtype).itemsize // step
    for rows, columns in ((1, 3 * per_tile + 2), (3, per_tile + 1), (40, per_tile // 32 + 2)):
        shape = (rows, columns * step + step // 2)
        check_part(shape, np.s_[:, step // 3 :: step], dtype)
        check_part(shape, np.s_[::-1, ::-step], dtype, order=(1, 0), offset=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0, 1, 31])
def test_rows_longer_than_a_task(offset, dtype):
    """Tasks end where groups of the stream end, which is at another column in each row."""
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
    """From 4 MiB on stores bypass the caches in whole lines, whatever the address."""
    rows = 2**20 // 1500 + 1
    for offset in (0, 1, 4, 16, 33, 60, 63):
        Memory((2**20 + 77,), dtype, offset=offset).assert_filled(
            reference(function, 2**20 + 77, dtype), function, threads=2
        )
        check_part((rows, 1507), np.s_[:, 5:-2], dtype, function, (2,), gaps=4, offset=offset)


# Threads -----------------------------------------------------------------------------------------

LARGE = 7 * 2**17 + 12_345  # four of the largest direct tasks, in float32
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
    expected = function(dtype=dtype, rng=LAYOUT_KEY, stream="layout", threads=1, **options)
    for threads in THREADS:
        memory = Memory(expected.shape, dtype, **layout)
        memory.assert_filled(expected, function, threads=threads, **options)


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_threads_do_not_change_new_arrays(dtype):
    expected = reference(wi.normal, LARGE, dtype)
    for n in (*THREADS, None):
        got = wi.normal(LARGE, dtype=dtype, rng=LAYOUT_KEY, stream="layout", threads=n)
        assert_same(got, expected)


# Huge tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", DRAWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_of_huge_tables_agree(function, dtype):
    """A table, a vector and a box of 2**46 elements have the same values."""
    options = {"dtype": dtype, "rng": LAYOUT_KEY, "stream": "huge", "threads": 2}
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
    got = wi.uniform(2**62, index=index, dtype=dtype, rng=LAYOUT_KEY, stream="huge")
    elements = np.arange(2**62 - 99, 2**62, 7, dtype=np.uint64)
    assert_same(
        got, oracle.uniform((LAYOUT_KEY.low, LAYOUT_KEY.high), "huge", elements, dtype=dtype)
    )
