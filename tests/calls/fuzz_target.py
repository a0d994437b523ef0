"""Any bytes stand for one call of a public function, which is compared with a plain call and NumPy.

A fuzzer chooses the bytes in tests/proof/fuzz.py. test_fuzz.py needs no fuzzer: it repeats the
inputs that a fuzzer found worth keeping.
"""

import array
import math
import mmap
import warnings

import numpy as np
from support import internals
from support.internals import core

import weightinit_fast as wi

REFUSALS = (ValueError, TypeError, MemoryError, IndexError, BufferError)
MOST_ITEMS = 1 << 15
DTYPES = (None, "f4", "f8", "f2", ">f4", ">f8", ">f2", *core.DTYPES[3:])
NUMBERS = (0, 1, 0.5, -1, 0.02, 2.5, -0.0, 1e-3, 1e-7, 1e-40, -3.25, 300.0)
ODD_NUMBERS = (math.nan, math.inf, -math.inf, 1e39, -1e300, "relu", "x", None, True, 10**400, 1j)
LETTERS = ("OI", "IO", "BOI", "HWIO", "OIHW", "OIH", "HIO", "GOI", "OHI", "OO", "O?", "")
MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg", "fan_on")
DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "untruncated_normal", "x")
#: Function -> its own parameters; a fuzzer's bytes choose by this order.
FUNCTIONS = {
    f: tuple(internals.own_parameters(f))
    for f in (
        *(wi.zeros, wi.ones, wi.constant, wi.uniform, wi.normal, wi.truncated_normal),
        *(wi.variance_scaling, wi.xavier_uniform, wi.xavier_normal, wi.he_uniform, wi.he_normal),
        *(wi.lecun_uniform, wi.lecun_normal, wi.fan_in_uniform, wi.identity, wi.dirac),
        *(wi.sparse, wi.orthogonal, wi.delta_orthogonal),
    )
}
#: Functions whose element i does not depend on the shape.
FLAT = (wi.zeros, wi.ones, wi.constant, wi.uniform, wi.normal, wi.truncated_normal)
WHOLE = (wi.orthogonal, wi.delta_orthogonal)  # they take no index
NO_ROWS = (*WHOLE, wi.identity, wi.dirac, wi.sparse)
NOT_DRAWN = (wi.zeros, wi.ones, wi.constant, wi.identity, wi.dirac)  # they do not read rng


class Finding(Exception):  # noqa: N818
    """Something that must not happen."""


class Input:
    """Bytes that are read one after the other, and zeros once there are no more."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def below(self, limit):
        size = 1 if limit <= 256 else 2
        value = int.from_bytes(self.data[self.at : self.at + size], "little")
        self.at += size
        return value % limit

    def choice(self, options):
        return options[self.below(len(options))]

    def rarely(self):
        return self.below(32) == 31


# Decoding ----------------------------------------------------------------------------------------


def take_number(source):
    if source.rarely():
        return source.choice(ODD_NUMBERS)
    if source.below(4):
        return source.choice(NUMBERS)
    return float(np.ldexp(1 + source.below(256) / 256, source.below(64) - 32))


def take_own(source, names):
    """Return some of a function's own parameters."""
    own = {}
    for name in names:
        if name not in ("value", "sparsity") and source.below(2):
            continue
        if name == "layout":
            own[name] = source.choice(LETTERS)
        elif name == "fans":
            own[name] = source.choice(((3, 4), (0, 5), (1 << 40, 7), (1, 2, 3), (2.0, 1), "OI", 3))
        elif name == "mode":
            own[name] = source.choice(MODES)
        elif name == "distribution":
            own[name] = source.choice(DISTRIBUTIONS)
        elif name == "transposed":
            own[name] = bool(source.below(2))
        elif name in ("groups", "column_axis"):
            own[name] = source.choice((1, 2, 3, 0, -1, 4, True, 1.0))
        elif name == "lower":
            own[name] = source.choice((-2, -math.inf, 0, -1.5, 3, -8, 5, 9, math.nan))
        elif name == "upper":
            own[name] = source.choice((2, math.inf, 2.25, -1, 4, 8, 0.5, -40, "2"))
        else:
            own[name] = take_number(source)
    return own


def take_shape(source):
    if source.rarely():
        return source.choice(
            (-1, (3, -4), 2.0, "3", 2**63, (2**40, 2**40), (1,) * 65, True, (2, 0.5))
        )
    sides, most = [], MOST_ITEMS
    for _ in range(source.below(6)):
        side = source.below(256)
        side = side % 9 if side < 240 else source.below(20_000)
        sides.append(min(side, most))
        most //= max(1, sides[-1])
    return tuple(sides)


def take_entry(source):
    kind = source.below(8)
    small = (None, *range(-12, 13), 1000, -1000, 2**70)
    if kind < 4:
        return slice(source.choice(small), source.choice(small), source.choice(small[:-2]))
    if kind < 6:
        return source.choice((int, np.int8, np.uint16))(source.below(7))
    if kind == 6:
        return source.choice((Ellipsis, None, -1, -3))
    return source.choice((Ellipsis, None, True, 1.5, [0, 1], np.True_, np.arange(2), "a", 2**70))


def take_index(source):
    if source.below(3) == 0:
        return None
    entries = tuple(take_entry(source) for _ in range(source.below(6)))
    return entries[0] if len(entries) == 1 else entries


def take_rows(source, length):
    """Return ids of rows, in some kind of list, and whether they are to be refused."""
    ids = [source.below(length) for _ in range(source.below(40))] if length else []
    kind = source.below(16)
    if kind < 3 and length:  # runs
        begin = source.below(length)
        ids += range(begin, min(length, begin + source.below(64)))
    if kind == 15:
        odd = (-1, 2**63, -(2**70), True, 1.5, "1", None, [0], 10**400, np.float32(1))
        ids.insert(source.below(len(ids) + 1), source.choice(odd))
        return ids, True
    if kind == 14:
        odd = (np.zeros((1, 2), np.int64), np.array(0), np.zeros(2), np.array([True]), "12", {1}, 0)
        return source.choice(odd), True
    if kind in (12, 13):
        return np.array(ids, source.choice(("i8", ">i8", "u8", "i4")))[::-1], False
    return tuple(ids) if kind == 11 else ids, False


def take_rng(source):
    """Return a function that makes the same rng each time, since it is needed twice."""
    seed = source.below(65536)
    return source.choice(
        (
            lambda: wi.Key(seed, 5),
            lambda: seed,
            lambda: seed << 70,
            lambda: np.random.default_rng(seed),
            lambda: np.random.Philox(seed),
            lambda: np.random.RandomState(seed),
            lambda: np.random.SeedSequence(seed),
            lambda: [seed, 3],
            lambda: np.random.Generator(np.random.MT19937(seed)),
            lambda: source.data and (-1, True, "seed", 1.5, [0.5], np.random)[seed % 6],
        )
    )


# Memory ------------------------------------------------------------------------------------------


class OnlyDLPack:
    """A tensor of another library."""

    def __init__(self, values):
        self.values = values
        self.__dlpack__, self.__dlpack_device__ = values.__dlpack__, values.__dlpack_device__


class Out:
    """Bytes with a pattern, and a view of any layout in them, given as some kind of buffer."""

    def __init__(self, source, shape, dtype):
        shape = tuple(shape)
        order = list(range(len(shape)))
        for axis in reversed(order[1:]):
            other = source.below(axis + 1) if source.below(2) else axis
            order[axis], order[other] = order[other], order[axis]
        strides, extent = [0] * len(shape), dtype.itemsize
        first = 8 + source.below(16)
        for axis in reversed(order):
            kind = source.below(16)
            strides[axis] = extent * (2 if kind == 1 else 1) + (dtype.itemsize if kind == 2 else 0)
            strides[axis] += source.below(20) if kind == 3 else 0
            extent = strides[axis] * max(1, shape[axis])
            if kind > 11:
                first += strides[axis] * max(0, shape[axis] - 1)
                strides[axis] *= -1
        size = extent + 64
        self.backing = mmap.mmap(-1, size) if source.below(8) == 7 else bytearray(size)
        self.raw = np.frombuffer(self.backing, np.uint8)
        self.raw[...] = np.arange(size) * 37 + 11
        self.place = (shape, dtype, first, strides)
        self.view = np.ndarray(shape, dtype, self.raw, first, strides)
        self.given = self._handed_over(source.below(16))
        self.before = self.raw.copy()

    def _handed_over(self, kind):  # noqa: PLR0911
        view = self.view
        if kind == 1:
            view.flags.writeable = False
        elif kind == 2:
            return np.broadcast_to(view, (2, *view.shape))
        elif kind == 3:
            return np.ndarray(*self.place[:2], self.raw, 0, [1] * view.ndim)
        elif kind == 4:
            return bytearray(view.nbytes)
        elif kind == 5:
            return array.array("d", bytes(view.nbytes // 8 * 8))
        elif kind == 6 and view.dtype.isnative:
            return OnlyDLPack(view)
        elif kind in (7, 8):
            try:
                return memoryview(view)
            except (ValueError, BufferError):  # there is no buffer format for the dtype
                return view
        return view

    def is_ours(self):
        return self.given is self.view or isinstance(self.given, (memoryview, OnlyDLPack))

    def check(self, expected):
        """Compare every byte; if `expected` is None, nothing may have been written."""
        wanted = self.before.copy()
        if expected is not None:
            shape, dtype, first, strides = self.place
            np.ndarray(shape, dtype, wanted, first, strides)[...] = expected
        if not np.array_equal(self.raw, wanted):
            raise Finding("bytes of out differ" if expected is not None else "refused, but written")


# One call ----------------------------------------------------------------------------------------


def attempt(function, *args, **kwargs):
    """Return (result, refusal); any other exception propagates."""
    try:
        return function(*args, **kwargs), None
    except OverflowError as error:  # no float holds the number
        if 10**400 not in kwargs.values():
            raise
        return None, error
    except REFUSALS as error:
        return None, error


def same(got, expected):
    """Return whether type, dtype, shape and bits are the same."""
    return (type(got), got.dtype, got.shape) == (
        type(expected),
        expected.dtype,
        expected.shape,
    ) and np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(expected).tobytes()


def state(rng):
    bits = getattr(rng, "bit_generator", rng)
    if isinstance(rng, np.random.RandomState):
        return repr(rng.get_state(legacy=False))
    return repr(bits.state) if isinstance(bits, np.random.BitGenerator) else None


def run(data):
    """Make the call that the bytes stand for; raise Finding, or any other forbidden exception."""
    source = Input(data)
    function = source.choice(tuple(FUNCTIONS))
    shape, dtype = take_shape(source), source.choice(DTYPES)
    own = take_own(source, FUNCTIONS[function])
    make_rng, index = take_rng(source), take_index(source)
    stream = source.choice((0, 1, 2**64 - 1, "name", "é", "")) if not source.rarely() else -1
    threads = source.choice((None, 1, 2, 3, 7)) if not source.rarely() else source.choice((0, True))
    common = {"stream": stream, "threads": threads, **own}
    with internals.eager(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "sparsity", UserWarning)
        judge(source, function, shape, dtype, make_rng, index, common)


def judge(source, function, shape, dtype, make_rng, index, common):
    rng = make_rng()
    before = state(rng)
    whole, refusal = attempt(function, shape, dtype=dtype, rng=rng, **common)
    advanced = state(rng)
    if refusal is not None and advanced != before:
        raise Finding(f"the generator advanced: {refusal!r}")
    if refusal is None and common["threads"] != 1:
        plain = function(shape, dtype=dtype, rng=make_rng(), **common | {"threads": 1})
        if not same(whole, plain):
            raise Finding("another result by one thread")
    if refusal is None and function in FLAT:
        flat = function(whole.size, dtype=dtype, rng=make_rng(), **common)
        if not same(whole, flat.reshape(whole.shape)):
            raise Finding("an element depends on the shape")
    expected, not_whole = whole, refusal
    if refusal is None and index is not None:
        part = index if index is not None else ()
        expected, refusal = attempt(lambda: whole[part])
        parts = index if isinstance(index, tuple) else (index,)
        strange = (bool, np.bool_, float, list, np.ndarray, str)
        cut = function in WHOLE and refusal is None and expected.size != whole.size
        if cut or any(isinstance(entry, strange) for entry in parts):
            refusal = refusal or TypeError("not a basic index, or a part of a matrix")
    rng = make_rng()
    got, error = attempt(function, shape, dtype=dtype, rng=rng, index=index, **common)
    if (error is None) != (refusal is None):
        raise Finding(f"{error!r} where a plain call has {refusal!r}")
    if error is None and not same(got, expected):
        raise Finding("index= differs from indexing")
    if state(rng) != (before if error else advanced):
        raise Finding("the generator is not where it must be")
    chosen = {"index": index}
    check_out(source, function, shape, dtype, make_rng, chosen, common, whole, expected, refusal)
    check_rows(source, function, shape, dtype, make_rng, common, whole, not_whole)


def check_rows(source, function, shape, dtype, make_rng, common, whole, refusal):
    """Ask for rows by id, in a new array and in some kind of memory."""
    length = whole.shape[0] if refusal is None and whole.ndim else 0
    rows, odd = take_rows(source, length)
    if odd or function in NO_ROWS or (refusal is None and not whole.ndim):
        refusal = refusal or TypeError("no rows")
    expected = whole[np.asarray(rows, np.int64)] if refusal is None else None
    rng = make_rng()
    before, chosen = state(rng), {"rows": rows}
    got, error = attempt(function, shape, dtype=dtype, rng=rng, **chosen, **common)
    if (error is None) != (refusal is None):
        raise Finding(f"{error!r} where rows= of a plain call has {refusal!r}")
    if error is None and not same(got, expected):
        raise Finding("rows= differs from indexing")
    if error is not None and state(rng) != before:
        raise Finding(f"the generator advanced: {error!r}")
    check_out(source, function, shape, dtype, make_rng, chosen, common, whole, expected, refusal)


def check_out(source, function, shape, dtype, make_rng, chosen, common, whole, expected, refusal):
    """Make the same call with some kind of memory as out=."""
    if refusal is not None:
        out = Out(source, (2, 3), np.dtype("f4"))
    else:
        out = Out(source, expected.shape, whole.dtype)
    rng = make_rng()
    before = state(rng)
    # Parameters that do not fit the type of a plain call may fit the type of out.
    if not source.below(2) and refusal is None:
        dtype = None
    got, error = attempt(function, shape, out=out.given, dtype=dtype, rng=rng, **chosen, **common)
    if error is None and refusal is not None:
        raise Finding(f"nothing refused with out=, where a plain call has {refusal!r}")
    if error is not None:
        if state(rng) != before:
            raise Finding(f"the generator advanced: {error!r}")
        out.check(None)
        if out.given is out.view and out.view.flags.writeable and refusal is None:
            raise Finding(f"a fine out refused: {error!r}")
        return
    if got is not out.given:
        raise Finding("another object returned than out")
    if out.is_ours():
        out.check(expected)
        return
    held = np.asarray(out.given)  # in any byte order, or the bits of a type that NumPy lacks
    wanted = np.asarray(expected, held.dtype if held.dtype.kind == "f" else None)
    if held.tobytes() != wanted.tobytes():
        raise Finding("elements of out differ")
