"""Signals during a fill of ten gigabytes leave elements right or untouched; handlers may return."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from support import BENCH, internals, modules_of
from support.interpreter import linux_only
from support.isolated import forks, half_written, isolated

import weightinit_fast as wi

pytestmark = pytest.mark.process

#: The fill reaches 1 GB before it is interrupted, and up to TOUCHED on a busy machine.
BYTES, TOUCHED = 10 * 10**9, 3 << 30
SIGNALS = {
    "Ctrl-C": (signal.SIGINT, KeyboardInterrupt),
    "a handler that raises": (signal.SIGALRM, LookupError),
}


def huge(dtype="f4"):
    """Return ten gigabytes of untouched pages, or as much as the machine can promise."""
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
    """Return how many elements are written, and assert that the others are untouched."""
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
    """Interrupt a fill; print how long it took to end, and how many elements are written."""
    out, sent = huge(), []
    number, error = SIGNALS[how]

    def send():
        while not out[out.size // 20]:  # until the fill reaches this element
            time.sleep(0.01)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), number)

    def handler(*_):
        raise LookupError("enough")

    begin = np.zeros(1 << 20, "f4")
    wi.normal(out=begin, rng=0, threads=threads)  # makes the workers
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
@pytest.mark.slow
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("threads", [1, 2])
def test_signals_amid_ten_gigabytes(threads, how):
    """The fill ends by an exception long before its end; elements are right or untouched."""
    isolated(interrupt, threads, how)


@forks
def test_a_handler_that_returns():
    """The fill goes on after each return of a handler, and no element is lost."""

    def often():
        internals.core.select_isa("scalar")
        inside, out = [], np.empty(1 << 23, "f4")
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
