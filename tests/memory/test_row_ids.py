"""Rows by id: `rows=ids` gives the elements that NumPy's indexing takes from the whole tensor.

The expected rows are taken from the whole tensor where it is small. The oracle says which elements
belong to rows that are far out in the stream.
"""

import array
import collections
import signal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import oracle, oracle_rows
from support import internals
from support.dlpack import Exporter
from support.draws import KEY, RNG, STREAM, assert_same_bits, assert_within_bound
from support.internals import TASK, core
from support.isolated import forks, isolated
from support.memory import DRAWS, FIXED, LAYOUT_KEY, THREADS, assert_same, placed, reference
from support.memory import shapes as any_shapes
from support.refusals import FILLS, backing, refuse

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
STORAGE = dict(zip(core.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
#: Elements of a row: near a group and several groups, beyond the ring of short rows, and pages.
LENGTHS = (1, 2, 7, 16, 31, 32, 33, 64, 100, 128, 160, 161, 1061)
FEW_LENGTHS = (1, 33, 64, 331)
TABLE = 97  # rows of the whole tables

RANDOM = np.random.default_rng(0).integers(0, TABLE, 90)
#: Lists of ids: runs of 15, 16 and 17 ids, which are drawn as one long row or not, and repeats.
LISTS = {
    "random": RANDOM,
    "backwards": np.arange(TABLE - 1, -1, -1),
    "one": np.array([41]),
    "runs": np.r_[5, 0:15, 80, 80:96, 20:37, 20:37, 3, 3, 40:56],
}

# Any layout ---------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["streamed", "stored"])
def streamed(request):
    """Let stores bypass the caches from the first byte on, or never."""
    with internals.streamed_from(0 if request.param else 1 << 60):
        yield request.param


def table(name, length):
    """Return the bits of a whole table, which one thread draws."""
    out = np.empty((TABLE, length), STORAGE[name])
    wi.normal(out=out, dtype=name, rng=RNG, threads=1)
    return out


@pytest.mark.parametrize("name", core.DTYPES)
def test_every_set(isa, streamed, name):
    """Rows go into adjacent memory, between gaps, into every second element, and transposed."""
    for length in LENGTHS if name == "float32" else FEW_LENGTHS:
        whole = table(name, length)
        for ids in LISTS.values():
            n = len(ids)
            room = np.zeros((n, 2 * length + 3), whole.dtype)
            for out in (
                np.empty((n, length), whole.dtype),
                room[:, 1 : 1 + length],
                room[::-1, 2 : 2 + 2 * length : 2],
                np.empty((length, n), whole.dtype).T,
            ):
                wi.normal(whole.shape, rows=ids, out=out, dtype=name, rng=RNG, threads=1)
                assert_same_bits(np.ascontiguousarray(out), whole[ids])


@st.composite
def tables(draw):
    """A shape with rows, and ids of rows."""
    shape = draw(any_shapes.filter(len))
    ids = draw(st.lists(st.integers(0, max(0, shape[0] - 1)), max_size=40 if shape[0] else 0))
    if draw(st.booleans()):  # as a run
        ids = sorted({*ids, *range(shape[0])})
    return shape, ids


FEWER = settings(FIXED, max_examples=80)


@FEWER
@given(
    st.data(),
    tables(),
    st.sampled_from(DRAWS),
    st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2"]),
    st.sampled_from(THREADS),
)
def test_rows_in_any_layout(data, case, function, dtype, threads):
    shape, ids = case
    expected = reference(function, shape, dtype)[np.array(ids, np.int64)]
    options = {"rng": LAYOUT_KEY, "stream": "layout", "threads": threads}
    assert_same(function(shape, rows=ids, dtype=dtype, **options), expected)
    memory = data.draw(placed((expected.shape, dtype)))
    memory.assert_filled(expected, function, shape=shape, rows=ids, threads=threads)


long_runs = st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 40)), max_size=30)


@FEWER
@given(long_runs, st.integers(1, 70), st.sampled_from(("f4", "f8")), st.sampled_from(THREADS))
@example([(0, 40)] * 30, 33, "f4", 3)
def test_runs(runs, length, dtype, threads):
    """Ids that are runs here and there are taken apart into long rows and short ones."""
    ids = np.concatenate([np.arange(a, a + n) for a, n in runs] or [[]]).astype(np.int64)
    whole = reference(wi.normal, (2100, length), dtype)
    got = wi.normal(
        (1, length), rows=ids, dtype=dtype, rng=LAYOUT_KEY, stream="layout", threads=threads
    )
    assert_same(got, whole[ids])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("length", [TASK + 5, 3 * TASK])
def test_rows_that_are_cut_into_tasks(threads, length):
    """A row that is longer than a task is drawn by several, which end where groups end."""
    ids = [2, 0, 1, 1]
    whole = wi.normal((3, length), rng=RNG, dtype="f2", threads=1)
    got = wi.normal((3, length), rows=ids, rng=RNG, dtype="f2", threads=threads)
    assert_same_bits(got, whole[ids])


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_many_rows(threads):
    """Enough rows for many tasks and threads."""
    ids = np.random.default_rng(1).integers(0, 5000, 20_000)
    for length in (1, 33, 64):
        whole = wi.normal((5000, length), rng=RNG, threads=1)
        got = wi.normal((5000, length), rows=ids, rng=RNG, threads=threads)
        assert_same_bits(got, whole[ids])


def test_more_axes():
    """A row is all that lies behind the first axis, in an out of any order of its axes."""
    shape, ids = (50, 3, 4, 9), np.array([49, 0, 7, 7])
    whole = wi.uniform(shape, rng=RNG)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)):
        out = np.empty([(4, *shape[1:])[axis] for axis in order], "f4").transpose(np.argsort(order))
        assert wi.uniform(shape, rows=ids, out=out, rng=RNG) is out
        assert_same_bits(np.ascontiguousarray(out), whole[ids])


def test_dlpack():
    """Rows of a tensor of another library; its ids come from there too."""
    memory, wanted = np.zeros(60, "f4"), wi.normal((9, 6), rng=RNG)
    ids = np.array([8, 1, 1, 0, 5, 4, 2, 7])
    out = Exporter(memory.ctypes.data, (8, 6), (7, 1))
    wi.normal((9, 6), rows=ids, out=out, rng=RNG)
    assert_same_bits(memory[:56].reshape(8, 7)[:, :6].copy(), wanted[ids])


# Every initialiser --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", internals.initialisers())
def test_every_initialiser(name):
    """The rows are those of the whole tensor, or rows= is refused where there are none."""
    function = internals.initialisers()[name]
    own = {"constant": {"value": 0.1}, "sparse": {"sparsity": 0.5}}.get(name, {})
    shape = (8, 8, 3) if name in ("dirac", "delta_orthogonal") else (8, 8)
    options = {"rows": [7, 0, 3], "rng": RNG, "stream": "rows"}
    init = wi.initializer(function, **own)
    if name in ("identity", "dirac", "sparse", "orthogonal", "delta_orthogonal"):
        text = f"{name}() has no argument 'rows': rows= is for initialisers that draw every element"
        out = backing(24).reshape(3, 8)
        refuse(TypeError, text, function, shape, out=out, guard=out, **own, **options)
        refuse(TypeError, text, init, shape, out=out, guard=out, **options)
        return
    wanted = function(shape, rng=RNG, stream="rows", **own)[options["rows"]]
    assert_same_bits(function(shape, **own, **options), wanted)
    assert_same_bits(init(shape, **options), wanted)


def test_the_fans_are_those_of_the_shape():
    """The length of the first axis counts in the fans, though it limits no id."""
    rows = [3, 900]
    narrow = wi.xavier_uniform((100, 50), rows=rows, rng=RNG)
    wide = wi.xavier_uniform((1000, 50), rows=rows, rng=RNG)
    np.testing.assert_allclose(narrow / wide, np.sqrt(1050 / 150), rtol=1e-6)


def test_a_generator_advances_once():
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    assert_same_bits(wi.normal((5, 4), rows=[4, 2], rng=rng), wi.normal((5, 4), rng=other)[[4, 2]])
    assert rng.bit_generator.state == other.bit_generator.state


# Far out in the stream ----------------------------------------------------------------------------

SHAPES = [(5,), (5, 1), (5, 2), (2, 3), (7, 33), (1, 64), (3, 4, 25), (1, TASK + 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "family"), [("f4", "single"), ("f8", "double")])
def test_the_last_rows(isa, shape, dtype, family):
    """Rows up to the last of the stream, and rows whose numbers need more than 32 bits."""
    last = oracle_rows.last_id(shape, family)
    size = int(np.prod(shape[1:]))
    few = [last, 2**31, last - 1, last // 3, last, min(last, 2**33 + 5)]
    if size > 1000:  # the oracle takes long
        few = few[:1]
    elements = np.array(oracle_rows.row_elements(shape, few, family), np.uint64).reshape(-1)
    options = {"rows": few, "dtype": dtype, "rng": RNG, "stream": STREAM}
    sample = np.unique(np.r_[: min(600, elements.size), -1]) if size > 1000 else slice(None)
    got = wi.uniform(shape, low=-0.3, high=0.7, **options)
    assert got.shape == (len(few), *shape[1:])
    expected = oracle.uniform(KEY, STREAM, elements[sample], -0.3, 0.7, dtype)
    assert_same_bits(got.reshape(-1)[sample], expected)
    exact, bound = oracle.normal_exact(KEY, STREAM, elements[sample], 0.5, 2.0, dtype)
    got = wi.normal(shape, mean=0.5, std=2.0, **options)
    assert_within_bound(got.reshape(-1)[sample], exact, bound)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "family"), [("f4", "single"), ("f8", "double")])
def test_beyond_the_last_row(shape, dtype, family):
    last = oracle_rows.last_id(shape, family)
    if last == 2**63 - 1:
        text = f"rows[1] is {2**63}: the last id is 2**63 - 1"
    else:
        text = (
            f"rows[1] is {last + 1}, which is beyond the end of the stream: the last id is {last}"
        )
    refuse(ValueError, text, wi.normal, shape, rows=[last, last + 1], dtype=dtype)
    with pytest.raises(ValueError, match=r"stream|no id"):
        oracle_rows.row_elements(shape, [last, last + 1], family)


@pytest.mark.parametrize("name", core.DTYPES)
def test_far_rows_of_every_type(isa, name):
    """Far rows are those that `index=` draws from a tensor that is as long."""
    first, length = 2**40 + 3, 33
    ids = [first + 5, first, first + 1]
    out = np.empty((3, length), STORAGE[name])
    wi.normal((1, length), rows=ids, out=out, dtype=name, rng=RNG)
    part = np.empty((6, length), STORAGE[name])
    index = np.s_[first : first + 6]
    wi.normal((2**41, length), index=index, out=part, dtype=name, rng=RNG)
    assert_same_bits(out, part[[5, 0, 1]])


# Kinds of lists -----------------------------------------------------------------------------------


class Array:
    """An object that NumPy can read as an array."""

    def __init__(self, ids):
        self.ids = ids

    def __array__(self, dtype=None, copy=None):
        return np.array(self.ids, dtype)


class Ids(collections.UserList):
    """A sequence of a class of its own."""


KINDS = {
    "list": list,
    "tuple": tuple,
    "numpy ints": lambda ids: [np.int16(ids[0]), *map(np.uint64, ids[1:])],
    "range": lambda ids: range(8, -1, -4),
    "deque": collections.deque,
    "sequence": Ids,
    "int64": lambda ids: np.array(ids, np.int64),
    "int8": lambda ids: np.array(ids, np.int8),
    "uint32": lambda ids: np.array(ids, np.uint32),
    "uint64": lambda ids: np.array(ids, np.uint64),
    "big-endian": lambda ids: np.array(ids, ">i8"),
    "strided": lambda ids: np.array([ids, ids]).T[:, 0],
    "backwards": lambda ids: np.array(ids[::-1])[::-1],
    "unaligned": lambda ids: np.frombuffer(b"." + np.array(ids).tobytes(), np.uint8)[1:].view("i8"),
    "array.array": lambda ids: array.array("q", ids),
    "memoryview": lambda ids: memoryview(array.array("i", ids)),
    "__array__": Array,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_lists(kind):
    ids = [8, 4, 0]
    rows = KINDS[kind](ids)
    assert_same_bits(wi.normal((9, 5), rows=rows, rng=RNG), wi.normal((9, 5), rng=RNG)[ids])


@pytest.mark.parametrize("rows", [[], (), range(0), np.array([], np.int64), range(5, 5)])
@pytest.mark.parametrize("shape", [(9, 5), (0, 5), (9, 0, 3), (9,)])
def test_no_rows(rows, shape):
    for function in (wi.normal, wi.zeros):
        got = function(shape, rows=rows, rng=RNG)
        assert (got.shape, got.dtype) == ((0, *shape[1:]), np.float32)
        out = np.empty((0, *shape[1:]), "f8")
        assert function(shape, rows=rows, out=out, rng=RNG) is out


def test_rows_without_elements():
    assert wi.normal((3, 0, 5), rows=[2**63 - 1, 0], rng=RNG).shape == (2, 0, 5)
    refuse(ValueError, "rows[1] is -1: the ids", wi.normal, (3, 0), rows=[0, -1])


def test_a_range_that_no_array_holds():
    got = wi.normal((9, 2), rows=range(2**63 - 1, 0, -(2**62)), rng=RNG)
    assert_same_bits(got, wi.normal((9, 2), rows=[2**63 - 1, 2**62 - 1], rng=RNG))
    assert_same_bits(
        wi.normal((9, 2), rows=range(5, 6, 2**70), rng=RNG), wi.normal((9, 2), rng=RNG)[5:6]
    )
    text = f"rows[1] is {2**63}: the last id is 2**63 - 1"
    refuse(ValueError, text, wi.normal, (9, 2), rows=range(0, 2**63 + 1, 2**63))


def test_the_ids_are_copied():
    """What changes the ids after they have been read changes no row."""
    ids = np.array([5, 1, 3])

    class Bits(np.random.PCG64):
        def random_raw(self, *args):
            ids[:] = -1
            return super().random_raw(*args)

    got = wi.normal((9, 4), rows=ids, rng=Bits(5))
    assert (ids == -1).all()
    assert_same_bits(got, wi.normal((9, 4), rng=np.random.PCG64(5))[[5, 1, 3]])


# Refusals -----------------------------------------------------------------------------------------

LONG_LIST = [*range(5000), -7, 3]
REFUSED = [
    ([0, -1], ValueError, "rows[1] is -1: the ids of rows count from 0"),
    (
        np.array([0, 1, -(2**63)]),
        ValueError,
        f"rows[2] is {-(2**63)}: the ids of rows count from 0",
    ),
    ([0, -(2**63) - 1], ValueError, f"rows[1] is {-(2**63) - 1}: the ids of rows count from 0"),
    (LONG_LIST, ValueError, "rows[5000] is -7: the ids"),
    (np.array(LONG_LIST), ValueError, "rows[5000] is -7: the ids"),
    (range(3, -3, -1), ValueError, "rows[4] is -1: the ids"),
    ([2**63], ValueError, f"rows[0] is {2**63}: the last id is 2**63 - 1"),
    ([0, 10**400], ValueError, "rows[1] is an int of 1329 bits: the last id is 2**63 - 1"),
    (np.array([0, 2**64 - 1], np.uint64), ValueError, f"rows[1] is {2**64 - 1}: the last id"),
    (
        [0, 2**62],
        ValueError,
        f"rows[1] is {2**62}, which is beyond the end of the stream: the last ",
    ),
    ([1.0], TypeError, "rows[0] must be an integer, not 1.0"),
    ([0, True], TypeError, "rows[1] must be an integer, not the bool True"),
    ([0, np.True_], TypeError, "rows[1] must be an integer, not the bool True"),
    ([0, "1"], TypeError, "rows[1] must be an integer, not '1'"),
    ([0, None], TypeError, "rows[1] must be an integer, not None"),
    ([[0, 1]], TypeError, "rows[0] must be an integer, not [0, 1]"),
    (np.array([1.0, 2.0]), TypeError, "rows must have an integer dtype, not float64"),
    (
        np.array([True, False]),
        TypeError,
        "rows must have an integer dtype, not bool: numpy.flatnon",
    ),
    (np.array([1, 2], object), TypeError, "rows must have an integer dtype, not object"),
    (np.array([1, 2], "m8[s]"), TypeError, "rows must have an integer dtype, not timedelta64[s]"),
    (np.array(3), ValueError, "rows must have one axis, not the shape ()"),
    (np.array([[1, 2]]), ValueError, "rows must have one axis, not the shape (1, 2)"),
    (Array([[1], [2]]), ValueError, "rows must have one axis, not the shape (2, 1)"),
    (5, TypeError, "rows must be an array or a sequence of ints, not 5"),
    (True, TypeError, "rows must be an array or a sequence of ints, not True"),
    (np.int64(5), ValueError, "rows must have one axis, not the shape ()"),
    (slice(3), TypeError, "rows must be an array or a sequence of ints, not slice(None, 3, None)"),
    (..., TypeError, "rows must be an array or a sequence of ints, not Ellipsis"),
    ("12", TypeError, "rows must be an array or a sequence of ints, not '12'"),
    (b"12", TypeError, "rows must be an array or a sequence of ints, not b'12'"),
    ({1, 2}, TypeError, "rows must be an array or a sequence of ints, not {1, 2}"),
    ({1: 2}, TypeError, "rows must be an array or a sequence of ints, not {1: 2}"),
    (iter([1]), TypeError, "rows must be an array or a sequence of ints, not <list_iterator"),
]


@pytest.mark.parametrize(("rows", "error", "text"), REFUSED)
def test_refused(rows, error, text):
    count = len(rows) if isinstance(rows, (list, range)) or np.ndim(rows) == 1 else 2
    out = backing(count * 8).reshape(count, 8)
    for function in (*FILLS, wi.initializer("he_normal", fans=(7, 9))):
        refuse(error, text, function, (10, 8), rows=rows, out=out, guard=out)
    refuse(error, text, wi.normal, (10, 8), rows=rows)


def test_refused_beside_other_arguments():
    out = backing(16).reshape(2, 8)
    for index in (0, np.s_[:2], ...):
        options = {"index": index, "rows": [1, 2], "out": out, "guard": out}
        refuse(TypeError, "either index= or rows=, not both", wi.normal, (10, 8), **options)
        options = {"index": index, "rows": [1, 2]}
        refuse(TypeError, "either index= or rows=, not both", wi.normal, (10, 8), **options)
    text = "with out=, rows= needs shape=, the shape of the whole tensor"
    refuse(TypeError, text, wi.normal, rows=[1, 2], out=out, guard=out)
    refuse(TypeError, "pass shape or out=", wi.normal, rows=[1, 2])
    text = "rows= needs a shape with an axis of rows, not ()"
    refuse(ValueError, text, wi.normal, (), rows=[1, 2], out=out, guard=out)
    refuse(ValueError, text, wi.normal, (), rows=[])
    text = "out has shape (2, 8), but the selection of rows has shape (3, 8)"
    refuse(ValueError, text, wi.normal, (10, 8), rows=[1, 2, 3], out=out, guard=out)
    refuse(
        ValueError,
        "shape (2, 1099511627776, 4194304) has 2**63 elements or more",
        wi.normal,
        (1, 2**40, 2**22),
        rows=[1, 2],
    )
    refuse(TypeError, "rows= belongs to the call", wi.initializer, "normal", rows=[1], rng=None)


def test_refused_arrays_of_others():
    class Elsewhere:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

    text = "rows of type Elsewhere cannot be read as an array: can't convert cuda:0"
    refuse(TypeError, text, wi.normal, (9, 5), rows=Elsewhere())


# Interrupts ---------------------------------------------------------------------------------------


@forks
@pytest.mark.process
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c(threads):
    """A signal handler that raises ends the fill early; elements are right or untouched."""

    def interrupted():
        core.select_isa("scalar")
        ids = np.arange(1 << 18)[::-1]
        whole = wi.normal((ids.size, 33), rng=RNG, threads=1)

        class InterruptError(Exception):
            pass

        def handler(*_):
            raise InterruptError

        signal.signal(signal.SIGALRM, handler)
        for seconds in (0.005, 0.01, 0.02, 0.05, 0.1):
            out = np.full(whole.shape, 9, "f4")
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                wi.normal(whole.shape, rows=ids, out=out, rng=RNG, threads=threads)
            except InterruptError:
                written = out != 9
                assert (out == whole[ids])[written].all()
                if 0 < written.sum() < out.size:
                    return
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        pytest.fail("no fill was interrupted")

    isolated(interrupted)
