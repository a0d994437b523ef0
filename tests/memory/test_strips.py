"""Large arrays in Fortran order: columns leave as whole cache lines, and nothing else is written.

The columns of a tile wait in strips until they fill cache lines (src/engine/kernels/strips.h). Here
that happens at any size. The expected values are those of a C-order array that one thread draws.
"""

import numpy as np
import pytest
from support import internals
from support.internals import TILE_RUN, core

import weightinit_fast as wi

KEY = wi.Key(5, 6)
SIZES = dict(zip(core.DTYPES, (4, 8, 2, 2, 1, 1), strict=True))
STORAGE = dict(zip(core.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
SENTINEL = 0xA5
THREADS = (1, 2, 3, 4, 5)

pytestmark = pytest.mark.usefixtures("eager", "_streamed")


@pytest.fixture
def _streamed():
    with internals.streamed_from(0):
        yield


class Fortran:
    """An array in Fortran order that begins `lead` bytes past a cache line, between sentinels.

    Between the columns there are `gap` bytes. The rows or the columns may be reversed.
    """

    def __init__(self, rows, columns, name, lead=0, gap=0, rows_step=1, columns_step=1):
        size = SIZES[name]
        pitch = rows * size + gap
        self.raw = np.full(columns * pitch + 256, SENTINEL, np.uint8)
        begin = 64 + -self.raw.ctypes.data % 64 + lead
        strides = (size, pitch)
        whole = np.ndarray((rows, columns), STORAGE[name], self.raw, begin, strides)
        self.view = whole[::rows_step, ::columns_step]
        self.name = name

    def assert_filled(self, expected, draw, **options):
        wanted = self.raw.copy()
        offset = self.view.__array_interface__["data"][0] - self.raw.ctypes.data
        shape, strides = self.view.shape, self.view.strides
        np.ndarray(shape, self.view.dtype, wanted, offset, strides)[...] = expected
        draw(out=self.view, dtype=self.name, rng=KEY, **options)
        np.testing.assert_array_equal(self.raw, wanted)


def drawn(shape, name, draw=wi.normal):
    """Return an array in C order."""
    out = np.empty(shape, STORAGE[name])
    draw(out=out, dtype=name, rng=KEY, threads=1)
    return out


@pytest.mark.parametrize("columns", [2, 31, 32, 33, 64, 65, 96, 100])
@pytest.mark.parametrize("name", core.DTYPES)
def test_nothing_but_the_columns(streaming_isa, name, columns):
    """The columns begin anywhere in a line, all alike or each elsewhere."""
    least = TILE_RUN // SIZES[name]  # rows, from which on there are strips
    for rows in (least - 1, least, least + 1, 2 * least + 37):
        expected = drawn((rows, columns), name)
        for lead, gap in ((0, 0), (16, -rows * SIZES[name] % 64), (63, 1), (8, 8)):
            Fortran(rows, columns, name, lead, gap).assert_filled(expected, wi.normal, threads=1)


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17])
@pytest.mark.parametrize("columns", [1, 2, 1000])
def test_few_rows(rows, columns):
    expected = drawn((rows, columns), "float32")
    for lead in (0, 4, 16, 63):
        Fortran(rows, columns, "float32", lead).assert_filled(expected, wi.normal, threads=2)


@pytest.mark.parametrize("draw", [wi.uniform, wi.normal, wi.truncated_normal])
@pytest.mark.parametrize("name", core.DTYPES)
def test_parts_of_a_table(name, draw):
    """The rows of a part begin anywhere in a group of the stream."""
    table = drawn((700, 150), name, draw)
    for rows in (np.s_[:], np.s_[1::2]):
        for columns in (np.s_[32:96], np.s_[31:95], np.s_[5:38], np.s_[1:]):
            expected = table[rows, columns]
            memory = Fortran(*expected.shape, name, lead=16)
            memory.assert_filled(expected, draw, shape=table.shape, index=(rows, columns))


@pytest.mark.parametrize("name", core.DTYPES)
def test_a_task_that_ends_within_a_line_of_another(name):
    """A thread ends a column within a line, in which another thread goes on with the column."""
    rows, columns = 3 * 2**18 // SIZES[name] // 32 + 11, 35
    expected = drawn((rows, columns), name)
    for threads in THREADS:
        for lead in (1, 16, 48):
            Fortran(rows, columns, name, lead).assert_filled(expected, wi.normal, threads=threads)


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("threads", THREADS)
def test_reversed(threads, name):
    expected = drawn((601, 67), name)
    for rows_step in (1, -1):
        for columns_step in (1, -1):
            memory = Fortran(601, 67, name, 20, 4, rows_step, columns_step)
            memory.assert_filled(expected, wi.normal, threads=threads)


@pytest.mark.parametrize("columns", [33, 64])
@pytest.mark.parametrize("name", core.DTYPES)
def test_rows_by_id(name, columns):
    ids = np.random.default_rng(1).integers(0, 300, 2500)
    table = drawn((300, columns), name)
    memory = Fortran(len(ids), columns, name, lead=16)
    memory.assert_filled(table[ids], wi.normal, shape=table.shape, rows=ids, threads=3)


def test_more_axes():
    """The rows are neither the first axis nor the last but one."""
    whole = drawn((3, 5, 700, 33), "float32")
    for order in ((3, 0, 1, 2), (0, 3, 1, 2), (1, 3, 0, 2)):
        out = np.zeros([whole.shape[k] for k in order], "f4").transpose(np.argsort(order))
        wi.normal(out=out, rng=KEY, threads=2)
        np.testing.assert_array_equal(out, whole)
    whole = drawn((700, 3, 33), "float32")
    out = np.zeros((3, 33, 700), "f4").transpose(2, 0, 1)
    wi.normal(out=out, rng=KEY, threads=2)
    np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_an_orthogonal_matrix(dtype):
    """Its elements are read from the factor, and not drawn."""
    expected = wi.orthogonal((1500, 70), dtype=dtype, rng=KEY)
    out = np.zeros((70, 1500), dtype).T
    wi.orthogonal(out.shape, out=out, rng=KEY)
    np.testing.assert_array_equal(out, expected)
