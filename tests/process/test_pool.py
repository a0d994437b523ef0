"""The threads that the package keeps: what they inherit, and what forks and signals do to them.

tests/proof/wakeups.py runs the code of the pool in every order of its steps.
"""

import ctypes
import itertools
import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from support import HANG_SECONDS, internals
from support.interpreter import PRELUDE, glibc_x86_only, linux_only, run, threaded_only
from support.isolated import forks, isolated, note

import weightinit_fast as wi

pytestmark = [pytest.mark.usefixtures("eager"), pytest.mark.process, threaded_only]
LARGE = 2**19 + 77

WORKERS = f"""{PRELUDE}
def workers(count=2):
    # A worker has its name when it runs for the first time.
    while len(names := named()) < count:
        time.sleep(0.001)
    return names
def named():
    names = dict()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{{task}}/comm") as file:
                name = file.read().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue  # this thread has ended since its directory was listed
        if name.startswith("wif_"):
            names[name] = task
    return names
def soon(found, wanted):
    # Return what is found once it is what is wanted; a busy machine may take a while.
    end = time.monotonic() + {HANG_SECONDS // 2}
    while (now := found()) != wanted and time.monotonic() < end:
        time.sleep(0.001)
    return now
"""

# What workers are -------------------------------------------------------------------------------


@linux_only
def test_workers_have_names():
    script = "assert right(); print(*sorted(workers()))"
    assert run(script, prelude=WORKERS) == "wif_worker_1 wif_worker_2"


@linux_only
def test_workers_leave_signals_to_others():
    """A worker gets only those signals that its own instructions raise.

    While it waits for a condition variable, it gets none.
    """
    script = """
    assert right(3)
    tasks = workers().values()
    def gets(task):
        with open(f"/proc/self/task/{task}/status") as file:
            blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
        free = {s for s in signal.valid_signals() if not blocked >> (s - 1) & 1}
        free -= {signal.SIGKILL, signal.SIGSTOP}
        return " ".join(sorted(signal.Signals(s).name for s in free if s < 32))
    print(soon(lambda: [gets(task) for task in tasks], [WANTED] * 2))
    """
    raised = "SIGABRT SIGBUS SIGFPE SIGILL SIGSEGV SIGSYS SIGTRAP"
    wanted = raised if wi.info()["threads_wait_by"] == "futex" else ""
    assert run(script, prelude=f"{WORKERS}WANTED = {wanted!r}\n") == f"{[wanted] * 2}"


@linux_only
def test_workers_have_the_processors_of_the_main_thread():
    """All but one: a worker keeps off the processor of the thread that it helped.

    A thread that runs on one processor alone may be the first that wants workers.
    """
    script = """
    def work():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return right()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()
    main = os.sched_getaffinity(0)
    wanted = [main - {min(main)} or main] * 2
    tasks = [int(task) for task in workers().values()]
    print(soon(lambda: [os.sched_getaffinity(task) for task in tasks], wanted) == wanted)
    """
    assert run(script, prelude=WORKERS) == "True"


@linux_only
def test_workers_need_little_of_their_stacks():
    """Pages of a stack exist once they have been touched.

    Fills of any layout touch less than WIF_FILL_STACK_BYTES, besides what the system itself keeps
    there for each thread.
    """
    fill, whole = internals.worker_stack()
    script = f"""
    for isa in core_module.ISAS_RUNNABLE:
        core_module.select_isa(isa)
        for dtype in ("f4", "f8", "f2"):
            whole = np.zeros((2**10, 2**10), dtype)
            views = (whole, whole.T, whole[:, 1:], whole[::-1, ::3], whole.T[1:, ::-1])
            for view in views:
                for f in (wi.normal, wi.uniform, wi.truncated_normal, wi.ones):
                    options = {{}} if f is wi.ones else {{"rng": 0}}
                    f(out=view, threads=3, **options)
        wi.normal((2**20, 70), rows=np.arange(2**12)[::-1] * 7, rng=0, threads=3)
    stacks, former = [], ""
    lines = open("/proc/self/smaps").read().splitlines()
    sizes = [k for k, line in enumerate(lines) if line.startswith("Size:")]
    for before, k in zip(sizes, sizes[1:]):
        guard = lines[before - 1].split()[1] == "---p"
        size = int(lines[k].split()[1]) << 10
        if guard and {whole} <= size <= {whole} + (64 << 10):
            rss = next(line for line in lines[k:] if line.startswith("Rss:"))
            stacks.append(int(rss.split()[1]) << 10)
    print(*stacks)
    """
    touched = list(map(int, run(script).split()))
    print(f"{touched} bytes of the stacks of workers are touched")
    assert len(touched) == 2
    assert 16 << 10 < max(touched) < fill + (24 << 10)


@linux_only
def test_an_idle_process_uses_no_time():
    """Workers sleep soon after a fill: there is a second in which none of them runs.

    On a busy machine a worker may wait for a while until it can look for work in vain and sleep.
    """
    script = """
    def used():
        times = {}
        for name, task in workers().items():
            with open(f"/proc/self/task/{task}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            with open(f"/proc/self/task/{task}/schedstat") as file:
                times[name] = fields[0], int(file.read().split()[0])
        return times
    def used_in_a_second():
        before = used()
        time.sleep(1)
        return before == used(), {state for state, _ in before.values()}
    assert right()
    print(len(used()), *soon(used_in_a_second, (True, {"S"})))
    """
    assert run(script, prelude=WORKERS) == "2 True {'S'}"


@glibc_x86_only
def test_the_library_stays_in_memory():
    """Whoever unloads it cannot take the code away that the workers run."""
    script = """
    import ctypes, _ctypes
    from weightinit_fast import _core
    assert right()
    library = ctypes.CDLL(_core.__file__)
    for _ in range(9):
        _ctypes.dlclose(library._handle)
    time.sleep(0.1)
    print(right(), _core.__file__ in open("/proc/self/maps").read())
    """
    assert run(script) == "True True"


# Forks -------------------------------------------------------------------------------------------


@forks
def test_a_child_that_returns_into_the_fill():
    """A signal handler forks within a fill; in the child too, the fill goes on and is right."""
    script = """
    big, codes, children = np.zeros(2**23, "f4"), [], []
    wanted = wi.normal(2**23, rng=0, threads=1).tobytes()
    def handler(*_):
        if not (big[0] and not big[-1]):
            return
        child = os.fork()
        if child == 0:
            children.append(os.getpid())
            assert right()  # on workers of its own, within the handler
        else:
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    signal.signal(signal.SIGALRM, handler)
    while len(codes) < 3:
        big.fill(0)
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        wi.normal(out=big, rng=0, threads=3)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if children:
            os._exit(0 if big.tobytes() == wanted and right() else 1)
        assert big.tobytes() == wanted
    print(codes, right())
    """
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "[0, 0, 0] True"


C_FORKS = """
import ctypes
libc = ctypes.PyDLL(None)
big = np.zeros(2**27, "f4")
# A fill of half a minute or more by table AES. It never returns to Python, where this thread could
# hold or want a lock of the interpreter while the other one forks; the end of the process ends it.
fill = lambda: wi.normal(33 * 2**27, out=big, index=np.s_[::33], rng=0, threads=3)
threading.Thread(target=fill, daemon=True).start()
while not big[0]:
    time.sleep(0.001)
out = np.zeros(LARGE, "f4")
codes = []
for _ in range(10):
    assert right()
    child = {fork}
    if child == 0:
        wi.normal(out=out, rng=0, threads=3)
        wi.normal(out=out, rng=0, threads=3)
        workers = len(os.listdir("/proc/self/task")) - 1
        os._exit(workers if out.tobytes() == expected else 99)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(set(codes), right(), not big[-1], flush=True)
os._exit(0)
"""


@linux_only
def test_forks_by_c():
    """The C library's fork calls the handlers of the pool, without any of Python's."""
    script = C_FORKS.format(fork="libc.fork()")
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "{2} True True"


@glibc_x86_only
def test_forks_by_a_system_call():
    """No handler is called: the child's fills are right, on one thread."""
    script = C_FORKS.format(fork="libc.syscall(57)")
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "{0} True True"


def fork_under_load(times):
    """Fork so often while three threads fill, and have each child fill."""
    expected, done = wi.normal(LARGE, rng=0, threads=1).tobytes(), threading.Event()
    small = expected[: 4 * 2**14]

    def work():
        while not done.is_set():
            assert wi.normal(LARGE, rng=0, threads=3).tobytes() == expected

    others = [threading.Thread(target=work) for _ in range(3)]
    for other in others:
        other.start()
    for k in range(times):
        note(f"fork {k}")
        child = os.fork()
        if child == 0:
            signal.alarm(HANG_SECONDS)  # a child that hangs is ended, and its code is not 0
            os._exit(wi.normal(2**14, rng=0, threads=3).tobytes() != small)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    for other in others:
        other.join()


#: 10,000 forks take 6 minutes on an idle machine of two processors, and 24 on a busy one.
MANY_FORKS = int(os.environ.get("WIF_TEST_FORKS", "1000"))


@forks
@pytest.mark.parametrize("times", [100, pytest.param(MANY_FORKS, marks=pytest.mark.slow)])
def test_forks_under_load(times):
    isolated(fork_under_load, times, timeout=1800)


# Many fills at once ------------------------------------------------------------------------------


class Enough(Exception):  # noqa: N818
    """What the handler raises."""


def fill_at_random(count, callers):
    """Fill arrays of random sizes from several threads; interrupt those of the main thread.

    A fill looks for signals every 20 ms. So those of the main thread are larger, and all are slow.
    """
    wanted = {k: wi.normal(2**22, rng=0, stream=k, threads=1) for k in range(3)}
    internals.core.select_isa("scalar")
    left, wrong, interrupted = itertools.count(), [], 0

    def one(rng, out):
        items, stream = int(2 ** rng.uniform(13, np.log2(out.size))), rng.randrange(3)
        out[:items] = 0
        try:
            wi.normal(out=out[:items], rng=0, stream=stream, threads=rng.randrange(2, 9))
        except Enough:
            same = (out[:items] == wanted[stream][:items]) | (out[:items] == 0)
            if not same.all():
                wrong.append((items, stream, "interrupted"))
            return 1
        if out[:items].tobytes() != wanted[stream][:items].tobytes():
            wrong.append((items, stream, "whole"))
        return 0

    def work(seed):
        rng, out = random.Random(seed), np.empty(2**19, "f4")
        while next(left) < count:
            one(rng, out)

    def handler(*_):
        if raising:
            raise Enough

    raising = False
    signal.signal(signal.SIGALRM, handler)
    others = [threading.Thread(target=work, args=(seed,)) for seed in range(callers)]
    for other in others:
        other.start()
    rng, out = random.Random(99), np.empty(2**22, "f4")
    while next(left) < count or any(other.is_alive() for other in others):
        raising = True
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 6e-2))
            interrupted += one(rng, out)
            raising = False
        except Enough:
            pass
        raising = False
        signal.setitimer(signal.ITIMER_REAL, 0)
    for other in others:
        other.join()
    assert not wrong, wrong
    assert interrupted
    print(f"{interrupted} fills were interrupted")


@linux_only
def test_a_thousand_fills_at_once():
    """Threads of fills of every size, and signals that end fills, change no value."""
    isolated(fill_at_random, 1000, 7)


@linux_only
def test_more_fills_than_the_pool_has_slots():
    """The fills that find no slot run on their own threads."""
    expected = wi.normal(LARGE, rng=0, threads=1).tobytes()
    ready, right = threading.Barrier(80), []

    def work():
        ready.wait()
        for _ in range(3):
            right.append(wi.normal(LARGE, rng=0, threads=2).tobytes() == expected)

    callers = [threading.Thread(target=work) for _ in range(80)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 240


def named_workers():
    """Return how many threads of this process have the name of a worker."""
    count = 0
    for task in os.listdir("/proc/self/task"):
        # The last caller's thread may end now: then its file is gone, or cannot be read.
        with suppress(FileNotFoundError, ProcessLookupError):
            count += Path(f"/proc/self/task/{task}/comm").read_text().startswith("wif_")
    return count


def fill_from_short_threads():
    """Fill from threads that end at once, whose names the system gives to those that follow."""
    expected, right = wi.normal(LARGE, rng=0, threads=1).tobytes(), []
    for _ in range(100):
        caller = threading.Thread(
            target=lambda: right.append(wi.normal(LARGE, rng=0, threads=3).tobytes() == expected)
        )
        caller.start()
        caller.join()
    assert right == [True] * 100
    if sys.platform == "linux":
        # A worker has its name when it runs for the first time, perhaps only now.
        end = time.monotonic() + HANG_SECONDS // 2
        while named_workers() < 2 and time.monotonic() < end:
            time.sleep(0.001)
        assert named_workers() == 2


@forks
def test_callers_that_end():
    """No worker belongs to a caller, and no slot is lost with one."""
    isolated(fill_from_short_threads)


def fill_by_most_threads():
    """Fill on as many threads as a call may ask for."""
    items, most = 2**26, internals.most_threads()
    expected = wi.normal(items, rng=0, dtype="f2", threads=1).tobytes()
    for _ in range(3):
        assert wi.normal(items, rng=0, dtype="f2", threads=most).tobytes() == expected
    if sys.platform == "linux":
        count = len(os.listdir("/proc/self/task"))
        print(f"{count} threads")
        assert 2 <= count <= most


@forks
def test_the_most_threads():
    """A thousand threads fill, or as many of them as the system gives."""
    isolated(fill_by_most_threads)


def test_the_name_by_which_threadpoolctl_finds_the_library():
    library = ctypes.CDLL(internals.core.__file__)
    name = ctypes.c_char_p(ctypes.addressof(ctypes.c_char.in_dll(library, "weightinit_fast_pool")))
    assert name.value == b"weightinit_fast"


@pytest.mark.skipif(sys.platform == "win32", reason="a thread's stack is set otherwise there")
def test_a_calling_thread_with_a_small_stack():
    """A caller needs no more stack than a worker (docs/promises.md)."""
    script = """
    former = threading.stack_size(256 << 10)
    results = []
    thread = threading.Thread(target=lambda: results.append(right()))
    thread.start()
    thread.join()
    print(results)
    """
    assert run(script) == "[True]"
