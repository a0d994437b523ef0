"""Limits of a machine and of patience: signals amid ten gigabytes, no memory, no threads, leaks."""

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import modules_of
from isolated import forks, half_written, isolated, note
from test_runtime import LARGE, openmp_only, run

import weightinit_fast as wi
from weightinit_fast import _core

BENCH = Path(__file__).resolve().parent.parent / "bench"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def proc(file, name):
    """A number of kB from a file of /proc, as bytes."""
    with open(f"/proc/{file}", encoding="ascii") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


# Signals amid a huge buffer ----------------------------------------------------------------------

#: Touched is what the fill reaches before it ends: 1 GB, and more on a busy machine.
BYTES, TOUCHED = 10 * 10**9, 3 << 30
SIGNALS = {
    "Ctrl-C": (signal.SIGINT, KeyboardInterrupt),
    "a handler that raises": (signal.SIGALRM, LookupError),
}


def huge(dtype="f4"):
    """Ten gigabytes of untouched pages, or what of them the machine can promise."""
    with modules_of(BENCH.parent, ["bench.measure.machine"]) as modules:
        available = modules["bench.measure.machine"].free_bytes()
    if available < TOUCHED:
        pytest.skip(f"{available >> 20} MiB of memory are available, {TOUCHED >> 20} are needed")
    size = BYTES
    while True:
        try:
            return np.zeros(size // np.dtype(dtype).itemsize, dtype)
        except MemoryError:
            size //= 2


def written(out, stream, piece=1 << 22):
    """How many elements are written; each of the others must be as it was."""
    count = 0
    for begin in range(0, out.size, piece):
        part = out[begin : begin + piece]
        if not part.any():
            continue
        index = np.s_[begin : begin + part.size]
        right = wi.normal(out.size, rng=0, stream=stream, index=index)
        same = part == right
        assert (same | (part == 0)).all(), f"a wrong value in {index}"
        count += np.count_nonzero(same)
    return count


def interrupt(threads, how):
    """Interrupt a fill; print the time from signal to exception, and the share written."""
    out, sent = huge(), []
    number, error = SIGNALS[how]

    def send():
        while not out[out.size // 20]:  # the fill is not there yet
            time.sleep(0.01)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), number)

    def handler(*_):
        raise LookupError("enough")

    begin = np.zeros(1 << 20, "f4")
    wi.normal(out=begin, rng=0, threads=threads)  # the workers are there
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, handler)
    threading.Thread(target=send, daemon=True).start()
    with pytest.raises(error):
        wi.normal(out=out, rng=0, stream="huge", threads=threads)
    delay = time.perf_counter() - sent[0]
    count = written(out, "huge")
    print(f"{how}, {threads} threads: {delay * 1e3:.1f} ms after the signal, ", end="")
    print(f"{count} of {out.size} elements written")
    assert 0 < count < out.size // 2
    again = wi.normal(1 << 20, rng=0, threads=threads)
    assert (again == wi.normal(1 << 20, rng=0, threads=1)).all(), "the next fill is wrong"
    part = out[: 1 << 22]
    wi.normal(out=part, rng=0, stream="huge", threads=threads)
    assert written(part, "huge") == part.size


@linux_only
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("threads", [1, 2])
def test_signals_amid_ten_gigabytes(threads, how):
    """An exception long before the end; each element is written, and right, or untouched."""
    isolated(interrupt, threads, how)


@forks
def test_a_handler_that_returns():
    """The fill goes on, and no element is lost, however often."""

    def often():
        _core.select_isa("scalar")
        inside, out = [], np.empty(1 << 25, "f4")
        expected = wi.normal(out.size, rng=0, threads=1)
        signal.signal(signal.SIGALRM, lambda *_: inside.append(half_written(out)))
        for threads in (1, 2, 3):
            for _ in range(20):
                inside.clear()
                out.fill(0)
                signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
                wi.normal(out=out, rng=0, threads=threads)
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert np.array_equal(out, expected)
                if any(inside):
                    break
            assert any(inside), f"no signal within a fill on {threads} threads"

    isolated(often)


# No memory, no threads ---------------------------------------------------------------------------

LIMIT = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
if resource.getrlimit(resource.RLIMIT_STACK)[0] != 8 << 20:  # a thread's, in a program just begun
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, hard))
    os.execv(sys.executable, sys.orig_argv)
import numpy as np
import weightinit_fast as wi
def status(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))
def limit(more):
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + more, resource.RLIM_INFINITY))
wi.normal(10, rng=0), wi.orthogonal((3, 3), rng=0), wi.sparse((9, 9), sparsity=0.5, rng=0)
"""


@linux_only
def test_memory_that_is_not_there():
    """MemoryError each time, with nothing drawn and nothing lost; small calls go on."""
    script = """
    limit(64 << 20)
    rng, small = np.random.default_rng(3), wi.normal(1000, rng=5).tobytes()
    state, before = rng.bit_generator.state, status("VmSize")
    calls = [
        lambda: wi.normal((1 << 14, 1 << 14), rng=rng),
        lambda: wi.he_uniform((1 << 14, 1 << 14), rng=rng, dtype="f8"),
        lambda: wi.ones((1 << 14, 1 << 14)),
        lambda: wi.normal((1 << 15, 1 << 14), rng=rng, index=np.s_[::2]),
        lambda: wi.sparse((1 << 25, 1), sparsity=0.5, rng=rng, index=np.s_[:1]),
        lambda: wi.orthogonal((1 << 13, 1 << 13), rng=rng),
    ]
    for call in calls * 50:
        try:
            call()
        except MemoryError:
            assert rng.bit_generator.state == state, "the Generator advanced"
        else:
            raise SystemExit("there was memory")
        assert wi.normal(1000, rng=5).tobytes() == small
    print(status("VmSize") - before)
    """
    lost = int(run(script, prelude=LIMIT, OPENBLAS_NUM_THREADS="1"))
    assert lost < 4 << 20  # Python's own arenas take 1 MiB each


NO_THREADS = """
from hashlib import blake2b
expected = blake2b(wi.normal(1 << 22, rng=0, threads=1)).digest()
out = np.zeros(1 << 22, "f4")
def fill():
    wi.normal(out=out, rng=0, threads=8)
    assert blake2b(out).digest() == expected
    return len(os.listdir("/proc/self/task"))
before = fill() if {first} else 1
limit({room} << 20)
print(before, fill(), fill())
"""


@linux_only
@openmp_only
@pytest.mark.parametrize(
    ("first", "room", "most"),
    [(False, 4, 1), (False, 20, 3), (True, 4, 8)],
    ids=["no room", "room for some", "already there"],
)
def test_threads_that_cannot_be_made(first, room, most):
    """Stacks take 8 MiB each. GCC's runtime would end the process: fills do with fewer."""
    script = NO_THREADS.format(first=first, room=room)
    before, *during = map(int, run(script, prelude=LIMIT, OPENBLAS_NUM_THREADS="1").split())
    assert before == (8 if first else 1)
    assert max(during) <= most, during
    assert first or room < 8 or during[1] > 1, "none where there was room"


@linux_only
@openmp_only
def test_a_fill_within_a_fill_makes_no_threads():
    """A signal handler's: the record of the threads that there are stays true."""
    script = """
    import signal
    big, calls = np.empty(1 << 24, "f4"), []
    def handler(*_):
        if big[0] and not big[-1]:  # in the fill
            calls.append(wi.normal(1 << 22, rng=0, threads=8))
    signal.signal(signal.SIGALRM, handler)
    while not calls:
        big.fill(0)
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        wi.normal(out=big, rng=0, threads=2)
        signal.setitimer(signal.ITIMER_REAL, 0)
    limit(4 << 20)
    again = wi.normal(out=big[: 1 << 22], rng=0, threads=8)
    limit(1 << 30)
    print(len(os.listdir("/proc/self/task")), (again == calls[0]).all())
    """
    options = {"OPENBLAS_NUM_THREADS": "1", "WEIGHTINIT_FAST_ISA": "scalar"}
    assert run(script, prelude=LIMIT, **options) == "2 True"


# Leaks -------------------------------------------------------------------------------------------

OUT, SQUARE = np.zeros(16, "f4"), np.zeros((4, 4), "f4")
KEY, RNG = wi.Key(1, 2), np.random.default_rng(1)
LEGACY, SEED = np.random.RandomState(1), np.random.SeedSequence(1)
READONLY = np.zeros(4, "f4")
READONLY.flags.writeable = False
NAMED = "a name of some length"

GOOD = {
    "int": lambda: wi.normal(16, rng=5),
    "Key": lambda: wi.uniform(16, rng=KEY),
    "Generator": lambda: wi.normal(out=OUT, rng=RNG),
    "bit generator": lambda: wi.normal(out=OUT, rng=RNG.bit_generator),
    "RandomState": lambda: wi.normal(out=OUT, rng=LEGACY),
    "SeedSequence": lambda: wi.normal(out=OUT, rng=SEED),
    "None": lambda: wi.normal(out=OUT),
    "name": lambda: wi.normal(16, rng=KEY, stream=NAMED),
    "index": lambda: wi.normal((40, 40), rng=KEY, index=np.s_[3:9:2, ::-5]),
    "strides": lambda: wi.normal(out=SQUARE.T[::-1], rng=KEY),
    "memoryview": lambda: wi.normal(out=memoryview(OUT), rng=KEY),
    "byte order": lambda: wi.normal(4, dtype=">f8", rng=KEY),
    "bfloat16": lambda: wi.truncated_normal(4, dtype="bfloat16", rng=KEY),
    "fans": lambda: wi.he_normal((4, 4), rng=RNG, layout="IO"),
    "zeros": lambda: wi.zeros(4),
    "sparse": lambda: wi.sparse(out=SQUARE, sparsity=0.5, rng=RNG),
    "orthogonal": lambda: wi.orthogonal(out=SQUARE, rng=RNG),
    "dirac": lambda: wi.dirac((2, 2, 3)),
    "key": lambda: wi.key(RNG),
    "threads": lambda: wi.normal(LARGE, rng=KEY, threads=2),
}
#: Called less often, for what they take.
SLOW = {"threads": 400}
BAD = {
    "negative shape": lambda: wi.normal((3, -1)),
    "shape of text": lambda: wi.normal((3, "x")),
    "huge shape": lambda: wi.normal((1 << 62, 1 << 62), rng=RNG),
    "no memory": lambda: wi.normal(1 << 58, rng=RNG),
    "rng of text": lambda: wi.normal(4, rng="x"),
    "negative seed": lambda: wi.normal(4, rng=[1, -1]),
    "rng of nothing": lambda: wi.normal(4, rng=wi.Key.__new__(wi.Key)),
    "stream": lambda: wi.normal(4, rng=RNG, stream=-1),
    "stream name": lambda: wi.normal(4, rng=RNG, stream="\ud800"),
    "threads": lambda: wi.normal(4, rng=RNG, threads=0),
    "index": lambda: wi.normal((4, 4), rng=RNG, index=np.s_[0, 0, 0]),
    "params": lambda: wi.normal(out=OUT, rng=RNG, std=1e39),
    "no value inside": lambda: wi.uniform(4, low=1, high=1 + 1e-12),
    "out is read-only": lambda: wi.normal(out=READONLY, rng=RNG),
    "out of ints": lambda: wi.normal(out=np.zeros(3, int), rng=RNG),
    "out overlaps": lambda: wi.normal(out=np.broadcast_to(OUT, (2, 16)), rng=RNG),
    "out of text": lambda: wi.normal(out="text", rng=RNG),
    "out's shape": lambda: wi.normal(5, out=OUT, rng=RNG),
    "dtype": lambda: wi.normal(4, dtype="i4"),
    "gain": lambda: wi.orthogonal(out=SQUARE, gain=-1, rng=RNG),
}


def failing(call):
    def function():
        try:
            call()
        except (ValueError, TypeError, IndexError, MemoryError, AttributeError):
            return
        raise AssertionError("no exception")

    return function


def rss():
    """What status says of it is off by some 32 pages a processor, in newer kernels."""
    return proc("self/smaps_rollup", "Rss")


HELD = (OUT, SQUARE, KEY, RNG, RNG.bit_generator, LEGACY, SEED, READONLY, NAMED, None, wi.Key)


def flat(calls, times):
    """A hundred thousand calls in all leave no object, no reference and no memory behind."""
    gc.collect()
    gc.disable()
    np.seterr(all="ignore")
    for name, call in calls.items():
        n = SLOW.get(name, times)
        note(name)
        for _ in range(n // 2):  # Python keeps up to 2000 tuples of each length for the next ones
            call()
        blocks, memory = sys.getallocatedblocks(), [rss()]
        references = [sys.getrefcount(thing) for thing in HELD]
        for _ in range(2):
            for _ in range(n // 2):
                call()
            memory.append(rss())
        got = [sys.getrefcount(thing) for thing in HELD]
        assert max(b - a for a, b in zip(references, got, strict=True)) < n / 10, (name, got)
        assert sys.getallocatedblocks() - blocks < n / 10, name
        # What leaks grows each time; malloc keeps a freed array or returns it, as it likes.
        more = min(np.diff(memory))
        assert more < 256 << 10, f"{name}: {more} bytes more"


@linux_only
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", ["good", "bad"])
def test_a_hundred_thousand_calls_leave_nothing(kind):
    calls = GOOD if kind == "good" else {name: failing(call) for name, call in BAD.items()}
    begin = rss()
    isolated(flat, calls, 5500)
    print(f"{rss() - begin} bytes in the parent")
