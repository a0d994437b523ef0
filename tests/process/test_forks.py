"""Forks and crowds of threads in the middle of fills.

Whatever could hang runs in a child process. It is killed after a time limit, and the test fails.
"""

import functools
import hashlib
import itertools
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.interpreter import run
from support.isolated import forks, isolated, note

import weightinit_fast as wi

pytestmark = [pytest.mark.usefixtures("eager"), pytest.mark.process]
LARGE = 2**17 + 77  # three of the smallest direct tasks that threads share, in float32
THREADS = 3


@functools.cache
def expected(size=LARGE, dtype="f4", stream=0):
    return digest(wi.normal(size, dtype=dtype, rng=wi.Key(1, 2), stream=stream, threads=1))


def digest(values):
    return hashlib.blake2b(values).digest()


def check(size=LARGE, dtype="f4", stream=0, threads=THREADS):
    """Fill in parallel and compare."""
    got = wi.normal(size, dtype=dtype, rng=wi.Key(1, 2), stream=stream, threads=threads)
    assert digest(got) == expected(size, dtype, stream)


def tasks():
    """Return how many threads this process has; None where the system is not Linux."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else None


# Forks -------------------------------------------------------------------------------------------


def child():
    """Assert that a child begins with one thread, and that fills then have as many as asked for."""
    begin = tasks()
    check()
    check()
    if begin is not None:
        workers = THREADS - 1 if wi.info()["threads_wait_by"] else 0
        assert (begin, tasks()) == (1, 1 + workers), "not in parallel"


def fork_often(times):
    for k in range(times):
        note(f"fork {k}")
        isolated(child)
        check()  # the next fill of the parent


def busily(function, *args):
    """Call a function while two other threads do one parallel fill after another."""
    done = threading.Event()

    def work():
        while not done.is_set():
            check()

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(work) for _ in range(2)]
        try:
            function(*args)
        finally:
            done.set()
        for other in others:
            other.result()


def in_a_thread(function, *args):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(check).result()
        pool.submit(function, *args).result()


#: Name -> a function of the number of forks.
FORKS = {
    "after fills": lambda times: fork_often(2 * times),
    "during fills": lambda times: busily(fork_often, times),
    "by a thread that fills": lambda times: in_a_thread(fork_often, times),
    "by a busy thread among busy ones": lambda times: busily(in_a_thread, fork_often, times),
}


@forks
@pytest.mark.parametrize("name", FORKS)
def test_a_hundred_forks(name):
    expected()
    isolated(FORKS[name], 20)


@forks
@pytest.mark.slow
@pytest.mark.parametrize("name", FORKS)
def test_a_thousand_forks(name):
    expected()
    isolated(FORKS[name], 200, timeout=1800)


@forks
def test_forks_of_forks():
    def descend(depth):
        check()
        if depth:
            isolated(descend, depth - 1)
        check()

    expected()
    isolated(descend, 8)


@forks
def test_a_handler_that_forks_during_a_fill():
    """The child may fill on one thread, but must not return into the fill that was going on."""
    script = """
    codes = []
    def handler(*_):
        child = os.fork()
        if child == 0:
            os._exit(0 if right() else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    signal.signal(signal.SIGALRM, handler)
    big = np.zeros(2**23, "f4")
    while len(codes) < 2:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        wi.normal(out=big, rng=0, threads=3)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(set(codes), right(), hash(big.tobytes()) == hash(wi.normal(2**23, rng=0).tobytes()))
    """
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "{0} True True"


# Crowds ------------------------------------------------------------------------------------------

CROWD = 64


def work(k):
    """Fill arrays of various sizes and types."""
    size = (5, 100, 4097, 20_000, LARGE)[k % 5]
    dtype = ("f4", "f8", "f2")[k % 3]
    for _ in range(5):
        check(size, dtype, k, threads=1 + k % 4)
        rng = np.random.default_rng(k)
        a, b = wi.normal(size, dtype=dtype, rng=rng), wi.normal(size, dtype=dtype, rng=rng)
        key = np.random.default_rng(k)
        first, second = wi.key(key), wi.key(key)
        assert np.array_equal(a, wi.normal(size, dtype=dtype, rng=first, threads=1))
        assert np.array_equal(b, wi.normal(size, dtype=dtype, rng=second, threads=1))


def at_once(function):
    """Call function(k) from CROWD threads that begin together."""
    ready = threading.Barrier(CROWD)

    def begin(k):
        ready.wait()
        return function(k)

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(begin, range(CROWD)))


@forks
def test_a_crowd_of_threads():
    isolated(at_once, work)


class Slow(np.random.PCG64):
    """A subclass: draws from it go through Python, unlike draws from NumPy's own kinds."""


@forks
@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, Slow])
def test_a_crowd_that_shares_a_generator(kind):
    """The four draws of a key are never mixed: the keys are those of one thread, in some order."""

    def shared():
        former, times = sys.getswitchinterval(), 25
        sys.setswitchinterval(1e-6)
        rng = np.random.Generator(kind(7))
        keys = at_once(lambda _: [wi.key(rng) for _ in range(times)])
        rows = at_once(lambda _: [wi.normal(9, rng=rng).tobytes() for _ in range(times)])
        sys.setswitchinterval(former)
        one = np.random.Generator(kind(7))
        alone = [wi.key(one) for _ in range(2 * CROWD * times)]
        assert len(set(alone)) == len(alone)
        assert set(itertools.chain(*keys)) == set(alone[: CROWD * times])
        wanted = [wi.normal(9, rng=key).tobytes() for key in alone[CROWD * times :]]
        assert sorted(itertools.chain(*rows)) == sorted(wanted)

    isolated(shared)


def fill_elsewhere(stream):
    check(stream=stream)
    return os.getpid(), expected(stream=stream)


def fill_in_workers(method):
    check()
    with multiprocessing.get_context(method).Pool(3) as pool:
        results = pool.map(fill_elsewhere, range(6), chunksize=1)
    assert [got for _, got in results] == [expected(stream=k) for k in range(6)]
    assert os.getpid() not in {pid for pid, _ in results}
    check()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_of_multiprocessing(method):
    """The workers need no __main__, which an interpreter with -c does not have."""
    here = Path(__file__).parent
    script = f"""
    import sys
    sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]
    import test_forks
    test_forks.fill_in_workers({method!r})
    print("right")
    """
    assert run(script, prelude="") == "right"
