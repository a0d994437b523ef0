"""Odd values of every argument: they raise a clear exception, or give just what was asked for.

The usual mistakes are in test_refused_arguments.py. These are values that only malice or an
accident passes.
"""

import re
import threading
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from support.refusals import backing, refuse

import weightinit_fast as wi

FUNCTIONS = (wi.normal, wi.uniform, partial(wi.he_uniform, fans=(7, 9)), wi.truncated_normal)
FUNCTIONS += (wi.zeros,)
RANDOM = (*FUNCTIONS[:-1], lambda *args, **kw: wi.sparse(*args, sparsity=0.5, **kw))
RANDOM += (wi.orthogonal,)
HUGE = 10**5000  # str() refuses to print it


class Raising:
    """An object that answers every question with an exception."""

    def __index__(self):
        raise ZeroDivisionError("index")

    __float__ = __iter__ = __len__ = __index__


def kind_of(value):
    """Name a case by its type, since a value may be too long to print, or show an address."""
    return type(value).__name__


# Shapes ------------------------------------------------------------------------------------------

LIKE_NUMPY = [
    *(np.int8(3), np.uint64(4), (np.int16(3), 4), [3, 4], np.array([3, 4]), range(3, 5), ()),
    *((0, 2**40), (2**31, 0, 2**31), (0,) * 64, (0, 2**62), (2**62, 0, 2), (1,) * 64),
    *(2**46, 2**58, 2**60, 2**61, 2**62, 2**63 - 1, (2**31, 2**30), (2**20, 2**20, 2**20)),
]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", LIKE_NUMPY, ids=str)
def test_shapes_are_taken_or_refused_as_by_numpy(shape, dtype):
    """The cases include shapes of 2**63 bytes and more, and empty ones with huge axes."""
    try:
        wanted = np.empty(shape, dtype).shape
    except (ValueError, MemoryError) as error:
        for function in FUNCTIONS:
            # The package may find an overflow before NumPy does.
            refuse((type(error), ValueError), None, function, shape, dtype=dtype)
    else:
        if np.prod(wanted, dtype=float) < 1e6:  # a machine may promise more memory than it has
            for function in FUNCTIONS:
                assert function(shape, dtype=dtype, rng=0).shape == wanted


@pytest.mark.parametrize(
    ("shape", "error", "text"),
    [
        *((v, TypeError, repr(v)) for v in (1.0, np.float32(2), Decimal(2), 2j, Fraction(2), {3})),
        *((v, TypeError, repr(v)) for v in (object, {"a": 3}, memoryview, np.float64("nan"))),
        *(((2, v), TypeError, repr(v)) for v in (np.float64(2), [], (1,), "2", b"2", {}, ..., 2j)),
        ((2,) * 100_000, ValueError, "100000"),
        ((-1,) * 3, ValueError, "-1"),
        (np.array([2.0, 3.0]), TypeError, "[2., 3.]"),
        (np.array([[2, 3]]), TypeError, "[2, 3]"),
        (np.array([True]), TypeError, "True"),
        ((3, 2**70), ValueError, str(2**70)),
        ((0, 2**63), ValueError, str(2**63)),
        *((v, ValueError, None) for v in (HUGE, -HUGE, (3, HUGE))),
        ((3, Raising()), ZeroDivisionError, "index"),
    ],
    ids=kind_of,
)
def test_shapes(shape, error, text):
    out = backing()
    for function in FUNCTIONS:
        refuse(error, text, function, shape)
        refuse(error, text, function, shape, out=out, guard=out)


# Index, stream, threads --------------------------------------------------------------------------

NO_INTEGERS = [1.0, float("nan"), 1j, Decimal(1), Fraction(1), "1", b"1", bytearray(b"1"), [], [1]]
NO_INTEGERS += [{}, {1}, (1,), object, np.float32(1), np.array([1, 2]), np.array(1.0), range(1)]
NO_INTEGERS += [memoryview(b"1"), np.True_, lambda: 1]


@pytest.mark.parametrize("value", NO_INTEGERS, ids=kind_of)
def test_values_that_are_no_integers(value):
    text = str(value) if isinstance(value, np.bool_) else repr(value)
    out = backing().reshape(6, 8)
    for function in FUNCTIONS:
        if not isinstance(value, np.ndarray | tuple):
            refuse(TypeError, repr(value), function, (7, 8), index=value, out=out, guard=out)
        refuse(TypeError, None, function, (7, 8), index=(slice(1, None), value))
        if not isinstance(value, tuple):
            refuse(TypeError, None, function, (7, 8), index=slice(value, None))
        refuse(TypeError, text, function, out=out, guard=out, threads=value)
        if function is not wi.zeros and not isinstance(value, str):
            refuse(TypeError, text, function, out=out, guard=out, stream=value)


@pytest.mark.parametrize("value", [HUGE, -HUGE, 2**64, -(2**64), Raising()], ids=kind_of)
def test_integers_out_of_range(value):
    errors = (ValueError, IndexError, ZeroDivisionError)
    out = backing().reshape(6, 8)
    for function in FUNCTIONS[:-1]:
        for name in ("stream", "threads"):
            refuse(errors, None, function, out=out, guard=out, **{name: value})
        refuse(errors, None, function, (7, 8), index=value, out=out, guard=out)


def test_integers_of_other_kinds():
    """Every type that has an integer's value is taken as an integer."""
    out = wi.normal((5, 6), rng=0, stream=3)
    for three in (np.int8(3), np.uint64(3), np.array(3), type("Int", (int,), {})(3)):
        np.testing.assert_array_equal(wi.normal((5, 6), rng=0, stream=three, threads=three), out)
        if not isinstance(three, np.ndarray):  # as an index, an array would mean something else
            got = wi.normal((5, 6), rng=0, stream=3, index=np.s_[three:, three])
            np.testing.assert_array_equal(got, out[3:, 3])


def test_names_that_are_no_text():
    out = backing()
    refuse(UnicodeEncodeError, "surrogates", wi.normal, out=out, guard=out, stream="a\ud800")
    assert wi.normal(3, rng=0, stream="x" * 10**7).shape == (3,)
    assert (wi.normal(3, rng=0, stream=np.str_("a")) == wi.normal(3, rng=0, stream="a")).all()


# What is drawn from ------------------------------------------------------------------------------


def bits(answer):
    """Return a bit generator whose random_raw returns, or raises, something else."""

    class Bits(np.random.PCG64):
        def random_raw(self, *_):
            if isinstance(answer, Exception):
                raise answer
            return answer

    return Bits(0)


class State(np.random.SeedSequence):
    def generate_state(self, *_):
        raise ZeroDivisionError("state")


class Foreign:
    """An object that NumPy takes for a bit generator, though it has no random_raw."""

    def __init__(self):
        self.held = np.random.PCG64(0)
        self.capsule, self.lock = self.held.capsule, self.held.lock


class Without(np.random.Generator):
    """A Generator whose bit generator is gone."""

    bit_generator = None


ANSWERS = (None, 7, [1, 2, 3, 4], np.zeros(3, "u8"), np.zeros(5, "u8"), np.zeros((4, 4), "u8"))
ANSWERS += (np.zeros(4), np.array(["a"] * 4), np.array([None] * 4))
RNGS = [
    *((v, TypeError, repr(v)) for v in (np.random.Generator, np.random.PCG64, object, print)),
    *((v, TypeError, repr(v)) for v in (1.5, 2j, Decimal(1), {1: 2}, {1}, "", b"", [None])),
    *(
        (v, TypeError, repr(v))
        for v in (np.float64(1), np.array([1.5]), [[1.5]], [1, object], (1j,))
    ),
    *((v, ValueError, repr(v)) for v in (["x"], -1, -(2**64), [2**64, -1])),
    ([[3], [-3]], (TypeError, ValueError), "rng"),  # nested seeds are refused as such
    *((bits(v), (TypeError, ValueError, AttributeError), None) for v in ANSWERS),
    (bits(ZeroDivisionError("raw")), ZeroDivisionError, "raw"),
    (np.random.Generator(bits(ZeroDivisionError("raw"))), ZeroDivisionError, "raw"),
    (np.random.RandomState(bits(ZeroDivisionError("raw"))), ZeroDivisionError, "raw"),
    (State(0), ZeroDivisionError, "state"),
    (Raising(), (TypeError, ZeroDivisionError), None),
    ([Raising()], (TypeError, ZeroDivisionError), None),
    (np.random.Generator(Foreign()), AttributeError, "random_raw"),
    (Without(np.random.PCG64(0)), AttributeError, "random_raw"),
    (np.random.Generator.__new__(np.random.Generator), AttributeError, "random_raw"),
    (np.random.RandomState.__new__(np.random.RandomState), AttributeError, "random_raw"),
    (np.random.SeedSequence.__new__(np.random.SeedSequence), TypeError, None),
    (wi.Key.__new__(wi.Key), AttributeError, "low"),
    (wi.Key, TypeError, "Key"),
]


@pytest.mark.parametrize(("rng", "error", "text"), RNGS, ids=kind_of)
def test_rngs(rng, error, text):
    out = backing().reshape(6, 8)
    for function in RANDOM:
        for call in ({"out": out}, {"shape": (6, 8)}):
            with pytest.raises(error, match=text and re.escape(text)):
                function(**call, rng=rng)
        assert out.tobytes() == backing().tobytes(), "bytes were written"
    if not isinstance(rng, wi.Key):  # key() returns a Key unchanged
        with pytest.raises(error):
            wi.key(rng)


def test_rngs_of_other_kinds():
    """Seeds of any size, and bit generators in every wrapper that NumPy has."""
    for seed in (HUGE, [HUGE, 3], [], np.array([1, 2]), np.uint64(2**64 - 1)):
        words = np.random.SeedSequence(seed).generate_state(4).astype(object)
        assert wi.key(seed) == wi.Key(words[0] | words[1] << 32, words[2] | words[3] << 32)
    for kind in (np.random.MT19937, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64):
        wanted = wi.normal(9, rng=kind(3))
        for wrapper in (np.random.Generator, np.random.RandomState, type("G", (kind,), {})):
            rng = wrapper(3) if issubclass(wrapper, kind) else wrapper(kind(3))
            np.testing.assert_array_equal(wi.normal(9, rng=rng), wanted)


def test_a_lock_that_its_caller_holds():
    """Where a thread can take NumPy's lock twice, a call by the thread that holds it draws."""
    rng = np.random.default_rng(3)
    if type(rng.bit_generator.lock) is type(threading.Lock()):
        pytest.skip("this NumPy's bit generators have locks that block their holder")
    with rng.bit_generator.lock:
        assert wi.normal(9, rng=rng).shape == (9,)


# The zeros of a kernel ---------------------------------------------------------------------------


def test_delta_orthogonal_writes_after_the_rng_has_been_read():
    out = backing().reshape(4, 4, 3)
    refuse(TypeError, None, wi.delta_orthogonal, out=out, guard=out, rng=0.5)
