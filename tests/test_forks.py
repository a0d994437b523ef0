"""Forks, crowds of threads, and ends of the process in the middle of a fill.

Whatever could hang runs in a child that is killed after a while, which fails the test.
"""

import functools
import hashlib
import itertools
import multiprocessing
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from isolated import forks, isolated, note
from test_runtime import openmp_only, run

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
LARGE = 2**17 + 77  # three tasks
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
    """Threads of this process, Python's or not; None where nothing tells."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else None


# Forks -------------------------------------------------------------------------------------------


def child():
    """It has one thread; its fills have as many as asked for, as if it had been started anew."""
    begin = tasks()
    check()
    check()
    if begin is not None:
        workers = THREADS - 1 if wi.info()["openmp"] else 0
        assert (begin, tasks()) == (1, 1 + workers), "not in parallel"


def fork_often(times):
    for k in range(times):
        note(f"fork {k}")
        isolated(child, timeout=30)
        check()  # the parent's next fill


def busily(function, *args):
    """Call while two other threads are in parallel fills, one after the other."""
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


HUNDREDS = {
    "after fills": lambda: fork_often(400),
    "during fills": lambda: busily(fork_often, 200),
    "by a thread that fills": lambda: in_a_thread(fork_often, 200),
    "by a busy thread among busy ones": lambda: busily(in_a_thread, fork_often, 200),
}


@forks
@pytest.mark.parametrize("name", HUNDREDS)
def test_a_thousand_forks(name):
    expected()
    isolated(HUNDREDS[name], timeout=100)


@forks
def test_forks_of_forks():
    def descend(depth):
        check()
        if depth:
            isolated(descend, depth - 1, timeout=30)
        check()

    expected()
    isolated(descend, 8)


@forks
def test_a_handler_that_forks_during_a_fill():
    """Its child may fill, on one thread, and must not return into the fill that it left."""
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
    """Fills of various sizes and types."""
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
    """Draws by Python, and so not as NumPy's own are drawn from."""


@forks
@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, Slow])
def test_a_crowd_that_shares_a_generator(kind):
    """Four draws at a time, never mixed: the keys are those that one thread gets, in some order."""

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
    """Of an interpreter whose __main__ they can do without."""
    script = f"""
    import sys
    sys.path.insert(0, {os.path.dirname(__file__)!r})
    import test_forks
    test_forks.fill_in_workers({method!r})
    print("right")
    """
    assert run(script, prelude="") == "right"


# Ends --------------------------------------------------------------------------------------------

BEGIN = """
import atexit, os, sys, threading, time
import numpy as np
import weightinit_fast as wi
from weightinit_fast import _threads
_threads.PARALLEL_ITEMS = 2**12
started = threading.Event()
def forever():
    big = np.zeros(2**27, "f4")
    started.set()
    while True:
        wi.normal(out=big, rng=0, threads=3)
def begin():
    threading.Thread(target=forever, daemon=True).start()
    started.wait()
    time.sleep(0.1)
"""
ENDS = {
    "main returns": "begin(); print('end')",
    "sys.exit": "begin(); print('end'); sys.exit(0)",
    "_exit": "begin(); print('end', flush=True); os._exit(0)",
    "fill at exit": """
        def last():
            print("end" if wi.normal(2**20, rng=0, threads=3).any() else "wrong")
            sys.exit(0)
        atexit.register(last)
        wi.normal(2**20, rng=0, threads=3)
    """,
    "thread and fill at exit": """
        atexit.register(lambda: print("end" if wi.normal(2**20, rng=0).any() else "wrong"))
        begin()
    """,
    "fill in __del__": """
        class Last:
            def __del__(self, fill=wi.normal, write=os.write):  # the module's names may be gone
                out = fill(2**20, rng=0, threads=3)
                write(1, b"end\\n" if out[0] and out[-1] else b"wrong\\n")
        last = Last()
        wi.normal(2**20, rng=0, threads=3)
    """,
    "fill in __del__ when modules are gone": """
        class Last:
            def __del__(self, fill=wi.normal, out=np.zeros(2**20, "f4"), write=os.write):
                try:
                    fill(out=out, rng=0, threads=3)
                finally:  # filled, or an exception that Python shows
                    write(1, b"end\\n")
        sys.last = Last()
        sys.last.itself = sys.last
    """,
}


@pytest.mark.parametrize("name", ENDS)
def test_the_process_ends_during_a_fill(name):
    assert run(ENDS[name], prelude=BEGIN, timeout=30) == "end"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="on_exit is glibc's")
@pytest.mark.parametrize("threads", [1, 3])
def test_the_process_outlives_the_interpreter(threads):
    """Fills of daemon threads go on for half a second, and find nothing to return to."""
    script = f"""
    import ctypes
    libc = ctypes.CDLL(None)
    libc.on_exit(libc.usleep, None)  # given the status, of which a parent sees the last byte: 0
    first, *_, last = sorted(os.sched_getaffinity(0)) * 2
    def work():
        os.sched_setaffinity(0, {{first}})
        out = np.zeros(2**22, "f4")
        wi.normal(33 * 2**22, out=out, index=np.s_[::33], rng=0, threads={threads})  # seconds
    for _ in range(16):  # on one processor: few get to look for signals while Python ends
        threading.Thread(target=work, daemon=True).start()
    os.sched_setaffinity(0, {{last}})
    time.sleep(0.2)
    print("end")
    sys.exit(512_000)
    """
    assert run(script, prelude=BEGIN, timeout=30, WEIGHTINIT_FAST_ISA="scalar") == "end"


SUBINTERPRETER = """
try:
    import _interpreters as sub
except ImportError:
    import _xxsubinterpreters as sub
{before}
code = "import weightinit_fast as wi; assert wi.normal(2**22, rng=0, threads=3).any()"
try:
    made = sub.create(isolated=False) if hasattr(sub, "RunFailedError") else sub.create("legacy")
    failed = sub.run_string(made, code)
    print("refused" if failed else "filled", failed)
except Exception as error:
    print("refused", error)
{after}
"""


@pytest.mark.parametrize("before", ["", "import weightinit_fast as wi; wi.normal(2**20, rng=0)"])
def test_subinterpreters(before):
    """As with NumPy, one interpreter of a process may import it. Its fills go on as ever."""
    after = "assert wi.normal(2**22, rng=0, threads=3).any()" if before else ""
    script = SUBINTERPRETER.format(before=before, after=after)
    assert run(script, prelude="").split()[0] == ("refused" if before else "filled")


@openmp_only
def test_a_child_that_is_not_python():
    """subprocess, from a thread, during fills: no handler of ours runs between fork and exec."""
    script = """
    import subprocess
    done = threading.Event()
    def work():
        while not done.is_set():
            assert right()
    thread = threading.Thread(target=work)
    thread.start()
    codes = {subprocess.run([sys.executable, "-c", ""]).returncode for _ in range(5)}
    done.set()
    thread.join()
    print(codes, right())
    """
    assert run(script) == "{0} True"
