"""Signals, forks and threads in the middle of an orthogonal matrix.

Timers and clocks count the processor time of the process, so that signals come in the middle of a
matrix, and handlers are not interrupted by the next signal, however busy the machine is.
"""

import os
import signal
import threading
import time

import numpy as np
import pytest
from support import internals
from support.isolated import forks, isolated

import weightinit_fast as wi

pytestmark = pytest.mark.process
SIDE = 1500


def interrupted(isa, threads):
    """Interrupt a matrix; it must end soon, and leave the array as it was."""
    internals.core.select_isa(isa)
    out = np.zeros((SIDE, SIDE), "f4")
    delays = []
    signal.signal(signal.SIGPROF, signal.default_int_handler)
    for wait in (0.02, 0.05, 0.1):
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, wait)
        with pytest.raises(KeyboardInterrupt):
            wi.orthogonal(out=out, rng=0, threads=threads)
        delays.append(time.process_time() - begin - wait)
        assert not out.any()
    print(f"{isa}, {threads} threads: {max(delays) * 1e3:.0f} ms after the signal")
    # It takes 100 ms of each thread at most on an idle machine; tests may share theirs.
    assert min(delays) < 0.5


@forks
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa_name", ["scalar"])
def test_ctrl_c(isa_name, threads):
    isolated(interrupted, isa_name, threads)


@forks
@pytest.mark.parametrize("threads", [1, 2])
def test_handlers_run_while_a_column_is_made(threads):
    """A column is read and written in few long steps, in which the system makes memory too."""

    def ticking():
        shares, times = [], []
        signal.signal(signal.SIGPROF, lambda *_: times.append(time.process_time()))
        for _ in range(3):
            times[:] = [time.process_time()]
            signal.setitimer(signal.ITIMER_PROF, 0.005, 0.005)
            wi.orthogonal((20_000_000, 1), rng=0, threads=threads)
            signal.setitimer(signal.ITIMER_PROF, 0)
            whole = time.process_time() - times[0]
            shares.append(max(np.diff(times)) / whole)
        assert min(shares) < 0.25, shares

    isolated(ticking)


@forks
@pytest.mark.parametrize("shape", [(400, 400), (12, 120, 120)])
def test_handlers_that_return(shape):
    """They may make matrices too, and change no bit."""

    def often():
        internals.core.select_isa("scalar")
        own = {"layout": "BOI"} if len(shape) == 3 else {}
        expected, small = wi.orthogonal(shape, rng=0, **own), wi.orthogonal((40, 40), rng=1)
        made = []
        signal.signal(signal.SIGPROF, lambda *_: made.append(wi.orthogonal((40, 40), rng=1)))
        for threads in (1, 2, 3):
            made.clear()
            signal.setitimer(signal.ITIMER_PROF, 0.01, 0.03)
            got = wi.orthogonal(shape, rng=0, threads=threads, **own)
            signal.setitimer(signal.ITIMER_PROF, 0)
            assert np.array_equal(got, expected)
            assert made
            assert all(np.array_equal(one, small) for one in made)

    isolated(often)


@forks
@pytest.mark.slow
@pytest.mark.parametrize("shape", [(300, 300), (12, 120, 120)])
def test_a_fork_in_the_middle(shape):
    """A signal handler forks; parent and children return into the matrix, and all make it.

    Most forks hit a step whose chunks, run twice, would spoil the matrix.
    """

    def forking():
        internals.core.select_isa("scalar")
        own = {"layout": "BOI"} if len(shape) == 3 else {}
        expected = wi.orthogonal(shape, rng=0, **own)
        parent, children, within = os.getpid(), [], []

        def handler(*_):
            # A signal within os.fork() must not fork too: its hooks, such as that of
            # concurrent.futures, hold locks.
            if os.getpid() != parent or within or len(children) == 4:
                return
            within.append(True)
            child = os.fork()
            if child:
                children.append(child)
            within.clear()

        signal.signal(signal.SIGPROF, handler)
        for threads in (2, 3):
            children.clear()
            signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
            got = wi.orthogonal(shape, rng=0, threads=threads, **own)
            signal.setitimer(signal.ITIMER_PROF, 0)
            right = np.array_equal(got, expected)
            if os.getpid() != parent:
                os._exit(0 if right else 3)
            assert right
            assert children
            for child in children:
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    isolated(forking)


def test_many_callers_at_once():
    expected = [wi.orthogonal((150, 150), rng=k) for k in range(8)]
    wrong = []

    def call(k):
        for _ in range(5):
            if not np.array_equal(wi.orthogonal((150, 150), rng=k, threads=3), expected[k]):
                wrong.append(k)

    callers = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
