"""Objects that lie about themselves: keys, bit generators, and axes that leave the buffer.

Each case runs in a child process, since a wrong answer may end the process.
"""

import ctypes
import faulthandler
import itertools
import threading

import numpy as np
import pytest
from support.internals import core
from support.isolated import forks, isolated, note

import weightinit_fast as wi

pytestmark = [forks, pytest.mark.process]


class Calling:
    """An integer that calls a function when it is read."""

    def __init__(self, function):
        self.function = function

    def __index__(self):
        self.function()
        return 1


def unfinished():
    """Return a bit generator whose __init__ raised, so that its functions are null pointers."""
    bits = np.random.PCG64.__new__(np.random.PCG64)
    with pytest.raises(TypeError):
        bits.__init__("junk")
    return bits


class Pretending(type):
    """A class that compares equal to PCG64 without being it."""

    def __hash__(cls):
        return hash(np.random.PCG64)

    def __eq__(cls, other):
        return other is np.random.PCG64 or other is cls


class Pretender(metaclass=Pretending):
    """An object with the capsule of a bit generator that is gone."""

    def __init__(self):
        self.capsule, self.lock = np.random.PCG64(1).capsule, threading.Lock()


def changed_key(**words):
    key = wi.Key(1, 2)
    for name, value in words.items():
        object.__setattr__(key, name, value)
    return key


LIARS = {
    "unfinished": (unfinished, ValueError, "PCG64"),
    "Generator of an unfinished one": (
        lambda: np.random.Generator(unfinished()),
        ValueError,
        "PCG64",
    ),
    "uninitialised": (lambda: np.random.SFC64.__new__(np.random.SFC64), ValueError, "apsule"),
    "pretender": (Pretender, TypeError, "Pretender"),
    "key of text": (lambda: changed_key(low="x"), ValueError, "'x'"),
    "key too large": (lambda: changed_key(high=1 << 64), ValueError, str(1 << 64)),
    "key that calls": (lambda: changed_key(low=Calling(ctypes.string_at)), ValueError, "Calling"),
}


@pytest.mark.parametrize("name", LIARS)
def test_liars(name):
    make, error, text = LIARS[name]

    def call():
        faulthandler.disable()
        out = np.zeros(64, "f4")
        with pytest.raises(error, match=text):
            wi.normal(out=out, rng=make())
        assert not out.any()

    isolated(call)


AXES = [
    *([(n, 1, 4)] for n in (0, -1, 65, 2**62, 2**64, 10**30)),
    *([(2, 1, step)] for step in (256, -4, 2**62, -(2**63), 10**30)),
    *([(2, step, 4)] for step in (-1, 0, 2**64, 10**30)),
    [(64, 0, 4)],
    [(8, 8, 32), (9, 1, 4)],
    [(2, 1, 4)] * 65,
    [(2**33, 2**32, 0), (2**33, 1, 0)],
]


def test_axes_that_the_engine_must_not_trust():
    """No Python module of the package makes such axes, but the engine checks all of them."""

    def call():
        faulthandler.disable()
        out, rng = np.zeros(64, "f4"), np.random.default_rng(1)
        state = rng.bit_generator.state
        for axes, start in itertools.product(AXES, (0, -4, 253, 256, 2**40)):
            note((axes, start))
            with pytest.raises((ValueError, OverflowError)):
                core.fill(out, core.NORMAL, 0, (0.0, 1.0), rng, 0, 0, axes, 1, False, start)
            assert not out.any()
            assert rng.bit_generator.state == state

    isolated(call)
