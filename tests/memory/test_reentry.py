"""Code of the caller that runs during a call and must not succeed in freeing the buffer.

Each case runs in a child process, which tries every way to free the buffer from inside the call.
The values must be right. If an attempt succeeds, new arrays show whether freed memory is written.
"""

import array
import contextlib
import faulthandler
import itertools
import mmap
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import internals
from support.internals import core
from support.interpreter import gil_only
from support.isolated import forks, half_written, isolated, note

import weightinit_fast as wi

pytestmark = [forks, pytest.mark.process]
N = 5000  # a fill of this many elements releases the GIL


class Sub(np.ndarray):
    """A subclass that claims to have no base."""

    base = None


def resize(owner):
    owner.resize(1, refcheck=False)


def of_array(view=lambda a: a):
    owner = np.zeros(4 * N, "f4")
    return view(owner), lambda: resize(owner)


def of_bytearray(view):
    owner = bytearray(16 * N)
    return view(owner), owner.clear


def of_numbers():
    owner = array.array("f", bytes(4 * N))
    return owner, owner.pop


def of_map():
    owner = mmap.mmap(-1, 4 * N)
    return np.ndarray(N, "f4", owner), owner.close


def of_memmap(tmp):
    out = np.memmap(tmp / "weights", "f4", "w+", shape=N)
    return out[::-1], out._mmap.close


#: name -> a function that returns an out= and what would free its memory.
OWNERS = {
    "array": lambda _: of_array(),
    "strided": lambda _: of_array(lambda a: a[::2]),
    "transposed": lambda _: of_array(lambda a: a.reshape(50, -1).T),
    "other byte order": lambda _: of_array(lambda a: a.view(">f4")),
    "subclass": lambda _: of_array(lambda a: a.view(Sub)),
    "view of a subclass": lambda _: of_array(lambda a: a.view(Sub)[1:].view(np.ndarray)),
    "memoryview": lambda _: of_array(memoryview),
    "ndarray on a bytearray": lambda _: of_bytearray(lambda b: np.ndarray(N, "f4", b)),
    "frombuffer": lambda _: of_bytearray(lambda b: np.frombuffer(b, "f4")),
    "cast": lambda _: of_bytearray(lambda b: memoryview(b).cast("f")),
    "numbers": lambda _: of_numbers(),
    "mmap": lambda _: of_map(),
    "memmap": of_memmap,
}


class Number:
    """An integer that calls a function when it is read."""

    def __init__(self, value, then):
        self.value, self.then = value, then

    def __index__(self):
        self.then()
        return self.value

    def __int__(self):
        return self.value


class Bits(np.random.PCG64):
    then = None

    def random_raw(self, *args):
        self.then()
        return super().random_raw(*args)


class Lookalike:
    """An object that claims to be a Generator, and calls a function when it is asked."""

    def __init__(self, then):
        self.then, self.bit_generator = then, np.random.PCG64(5)

    @property
    def __class__(self):
        self.then()
        return np.random.Generator


class Entropy(np.random.SeedSequence):
    then = None

    def generate_state(self, *args):
        self.then()
        return super().generate_state(*args)


class DType:
    def __init__(self, dtype, then):
        self.value, self.then = dtype, then

    @property
    def dtype(self):
        self.then()
        return self.value


def calling(kind, then, *args):
    thing = kind(*args)
    thing.then = then
    return thing


#: name -> a function of (out, then) that returns arguments which call `then` when they are read.
ARGUMENTS = {
    "bit generator": lambda out, then: {"rng": calling(Bits, then, 5)},
    "Generator": lambda out, then: {"rng": np.random.Generator(calling(Bits, then, 5))},
    "lookalike": lambda out, then: {"rng": Lookalike(then)},
    "seed sequence": lambda out, then: {"rng": calling(Entropy, then, 5)},
    "stream number": lambda out, then: {"stream": Number(6, then)},
    "threads": lambda out, then: {"threads": Number(2, then)},
    "shape": lambda out, then: {"shape": tuple(Number(n, then) for n in np.shape(out))},
    "index": lambda out, then: {"shape": (3, *np.shape(out)), "index": Number(1, then)},
    "slice": lambda out, then: {
        "shape": (5 + len(out), *np.shape(out)[1:]),
        "index": slice(Number(5, then), None),
    },
    "rows": lambda out, then: {
        "shape": (3, *np.shape(out)[1:]),
        "rows": [Number(2, then), *[1] * (len(out) - 1)],
    },
    "dtype": lambda out, then: {"dtype": DType(np.asarray(out).dtype, then)},
}
#: Arguments that have the same values and call nothing.
QUIET = {"index": {"index": 1}, "slice": {"index": slice(5, None)}, "stream number": {"stream": 6}}
QUIET |= {"seed sequence": {"rng": 5}}


def expected(name, arguments, out):
    """Return the same values, by arguments that call nothing."""
    options = {"shape": np.shape(out), "rng": 0} | arguments | QUIET.get(name, {})
    if name in ("bit generator", "Generator", "lookalike"):
        options["rng"] = np.random.PCG64(5)
    whole = options["shape"] if name in ("index", "slice", "rows") else np.shape(out)
    if name == "rows":
        options["rows"] = list(map(int, options["rows"]))
    options |= {"shape": tuple(map(int, whole)), "threads": 1}
    return wi.normal(**options | {"dtype": np.asarray(out).dtype})


def take_away(name, argument, tmp):
    """Call with one kind of argument and one kind of memory."""
    out, free = OWNERS[name](tmp)
    refused, others = [], []

    def then():
        try:
            free()
        except (ValueError, BufferError):
            refused.append(True)
        else:
            refused.append(False)
            others.extend(np.zeros(4 * N, "f4") for _ in range(9))

    arguments = ARGUMENTS[argument](out, then)
    assert wi.normal(out=out, **({"rng": 0} | arguments)) is out
    assert refused, "not called"
    assert not any(other.any() for other in others), "foreign memory was written"
    assert all(refused), "the memory could be freed"
    np.testing.assert_array_equal(np.asarray(out), expected(argument, arguments, out))


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_arguments_that_free_the_buffer(argument, tmp_path):
    def every():
        faulthandler.disable()
        for name in OWNERS:
            note(f"out: {name}")
            take_away(name, argument, tmp_path)

    isolated(every)


def test_a_signal_handler_that_frees_the_buffer():
    def interrupted():
        faulthandler.disable()
        out, refused = np.zeros(1 << 27, "f4"), []

        def handler(*_):
            try:
                out.resize(1, refcheck=False)
            except ValueError:
                refused.append(True)
            else:  # the signal came between two fills
                out.resize(1 << 27, refcheck=False)

        signal.signal(signal.SIGALRM, handler)
        for _ in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            wi.normal(out=out, rng=0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if refused:
                return
        pytest.fail("no signal came during a fill")

    isolated(interrupted)


@gil_only
def test_a_thread_that_frees_the_buffer():
    def beside():
        faulthandler.disable()
        out, done, refused = np.zeros(1 << 26, "f4"), threading.Event(), []

        def work():
            for size in itertools.cycle([1 << 25, 1 << 26]):
                if done.is_set():
                    return
                try:
                    out.resize(size, refcheck=False)
                except ValueError:
                    refused.append(True)

        with ThreadPoolExecutor(1) as pool:
            thread = pool.submit(work)
            for _ in range(200):
                if len(refused) < 100:
                    # If out shrinks after its shape has been read, the call refuses it.
                    with contextlib.suppress(ValueError):
                        wi.normal(out=out, rng=0)
            done.set()
            thread.result()
        assert len(refused) >= 100

    isolated(beside)


def test_a_handler_that_fills_the_same_buffer():
    """The outer fill goes on when the handler has returned from its own fill."""

    def nested():
        core.select_isa("scalar")
        out, calls = np.empty(1 << 24, "f4"), []
        inner = wi.normal(1 << 20, rng=3)

        def handler(*_):
            if half_written(out):
                calls.append(wi.normal(out=out[: 1 << 20], rng=3, threads=2))

        signal.signal(signal.SIGALRM, handler)
        for _ in range(50):
            if not calls:
                out.fill(0)
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                wi.normal(out=out, rng=0, threads=2)
                signal.setitimer(signal.ITIMER_REAL, 0)
        assert calls
        plain = wi.normal(1 << 24, rng=0, threads=1)
        begin, rest = np.s_[: 1 << 20], np.s_[1 << 20 :]
        assert ((out[begin] == inner) | (out[begin] == plain[begin])).all()
        assert np.array_equal(out[rest], plain[rest])
        wi.normal(out=out, rng=0, threads=2)
        assert np.array_equal(out, plain)

    isolated(nested)


def test_sparse_reads_threads_before_it_writes(monkeypatch):
    """threads= is read once, not for each block of columns, where an error would come too late."""
    asked = []

    class Threads:
        def __index__(self):
            asked.append(None)
            return 1

    counts = []
    for items in (1 << 20, 8):
        internals.limit_words_of_sparse(monkeypatch, items)
        asked.clear()
        wi.sparse((8, 64), sparsity=0.5, rng=0, threads=Threads())
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_resize_during_a_fill_is_refused():
    """This holds without a GIL too: the resize begins after the fill has begun."""

    def beside():
        faulthandler.disable()
        items, refused = 1 << 25, 0
        with ThreadPoolExecutor(1) as pool:
            for _ in range(20):
                out = np.zeros(items, "f4")
                fill = pool.submit(wi.normal, out=out, rng=0, threads=1)
                while out[0] == 0 and not fill.done():
                    pass
                try:
                    out.resize(items + 1, refcheck=False)
                except ValueError:
                    refused += 1
                else:  # one thread writes the last element last
                    assert out[items - 1] != 0
                fill.result()
        assert refused

    isolated(beside)
