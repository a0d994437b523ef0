"""Life in a process: signals, forks, threads, floating-point state, limits, memory, import.

What could hang, crash or leave a trace runs in an interpreter of its own.
"""

import os
import platform
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from isolated import half_written

import weightinit_fast as wi
from weightinit_fast import _core, _threads

pytestmark = pytest.mark.usefixtures("eager")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
glibc_x86_only = pytest.mark.skipif(
    (platform.machine(), platform.libc_ver()[0]) != ("x86_64", "glibc"), reason="glibc on x86-64"
)
openmp_only = pytest.mark.skipif(wi.info()["openmp"] is None, reason="a serial build")
LARGE = 2**19 + 77  # three tasks

PRELUDE = """
import os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import weightinit_fast as wi
from weightinit_fast import _threads
_threads.PARALLEL_ITEMS = 2**12  # as in the fixture `eager`
LARGE = 2**19 + 77
expected = wi.normal(LARGE, rng=0, threads=1).tobytes()
def right(threads=3):
    return wi.normal(LARGE, rng=0, threads=threads).tobytes() == expected
def fork_and_fill():
    child = os.fork()
    if child == 0:
        os._exit(0 if right() and right() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script, *, prelude=PRELUDE, timeout=60, **environment):
    """Run a script in a fresh interpreter; return what it printed last, on one line."""
    command = [sys.executable, "-W", "ignore", "-c", prelude + textwrap.dedent(script)]
    env = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0"} | environment
    options = {"capture_output": True, "text": True, "timeout": timeout}
    done = subprocess.run(command, env=env, check=False, **options)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()[-1]


# Signals -----------------------------------------------------------------------------------------

INTERRUPT = """
out = {memory}  # lazy: pages come as the fill reaches them
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sent = []
def send():
    while not out.item(0):  # the fill has not begun
        time.sleep(0.01)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=send, daemon=True).start()
try:
    wi.normal(out=out, rng=0, threads={threads}, {options})
except KeyboardInterrupt:
    delay = time.perf_counter() - sent[0]
else:
    sys.exit("the fill was not interrupted")
assert not out.reshape(-1)[-1000:].any(), "the fill went on to its end"
again = right(1) and right({threads})
print(delay, again)
"""
#: Memory, and more options: seconds of work each by table AES.
INTERRUPTED = {
    "contiguous": ("np.zeros(2**27, 'f4')", ""),
    "rows": ("np.zeros((2**19, 256), 'f4')[:, 1:]", ""),
    "strided": ("np.zeros(2**28, 'f4')[::2]", ""),
    "single elements": ("np.zeros(2**22, 'f4')", "shape=33 * 2**22, index=np.s_[::33]"),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", INTERRUPTED)
def test_interrupt(name, threads):
    memory, options = INTERRUPTED[name]
    script = INTERRUPT.format(memory=memory, options=options, threads=threads)
    delay, again = run(script, WEIGHTINIT_FAST_ISA="scalar").split()
    print(f"{name}, {threads} threads: KeyboardInterrupt after {float(delay) * 1e3:.0f} ms")
    assert again == "True"


def test_a_signal_handler_of_the_host_runs_and_may_raise():
    script = """
    calls = []
    def handler(number, frame):
        calls.append(number)
        if len(calls) == 3:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise LookupError("enough")
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        wi.normal(2**27, rng=0, threads=1)
    except LookupError as error:
        print(error, len(calls), right())
    """
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "enough 3 True"


# Forks -------------------------------------------------------------------------------------------

FORKS = {
    "fork": "print(right(), fork_and_fill(), fork_and_fill(), right())",
    "in a thread": """
        before = right()
        with ThreadPoolExecutor(1) as pool:
            results = [pool.submit(f).result() for f in (right, fork_and_fill, right)]
        print(before, results[1], 0, results[0] and results[2] and right())
    """,
    "while others fill": """
        running, before = True, right()
        def work():
            while running:
                assert right()
        with ThreadPoolExecutor(2) as pool:
            others = [pool.submit(work) for _ in range(2)]
            codes = {fork_and_fill() for _ in range(8)}
            running = False
            [other.result() for other in others]
        print(before, *codes, 0, right())
    """,
    "pool": """
        import multiprocessing
        before = right()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            results = pool.map(right, [1, 2, 3, 3, 2, 1], chunksize=1)
        print(before, 6 - sum(results), 0, right())
    """,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("name", FORKS)
def test_children_fill_in_parallel(name):
    assert run(FORKS[name], timeout=30) == "True 0 0 True"


# Threads -----------------------------------------------------------------------------------------


def test_fills_from_many_threads_at_once():
    def work(stream, threads=3):
        return wi.normal(LARGE, rng=0, stream=stream, threads=threads).tobytes()

    expected = [work(stream, 1) for stream in range(20)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(work, range(20))) == expected


def test_others_run_during_a_fill():
    """Another thread sees the buffer half written."""
    out, seen, done = np.zeros(2**23, "f4"), threading.Event(), threading.Event()

    def watch():
        while not (seen.is_set() or done.is_set()):
            if half_written(out):
                seen.set()

    former, thread = _core.isa(), threading.Thread(target=watch)
    _core.select_isa("scalar")
    thread.start()
    try:
        for _ in range(100):
            if not seen.is_set():
                out.fill(0)
                wi.normal(out=out, rng=0, threads=1)
    finally:
        done.set()
        thread.join()
        _core.select_isa(former)
    assert seen.is_set()


@linux_only
@openmp_only
def test_threads_are_as_many_as_asked_for():
    script = """
    def alive():
        return len(os.listdir("/proc/self/task"))
    counts = [alive()]
    for threads, n in ((1, LARGE), (2, LARGE), (3, LARGE), (7, 1000)):
        wi.normal(n, rng=0, threads=threads)
        counts.append(alive())
    print([n - counts[0] for n in counts])
    """
    assert run(script, OPENBLAS_NUM_THREADS="1") == "[0, 0, 1, 2, 2]"


INFO = "print(wi.info()['threads'])"


@openmp_only
def test_threads_by_openmp_environment():
    assert [run(INFO, OMP_NUM_THREADS=n) for n in ("1", "1,3")] == ["1", "1"]
    assert int(run(INFO, OMP_NUM_THREADS="1000")) <= (os.cpu_count() or 1)


@linux_only
def test_threads_by_affinity():
    script = """
    before = len(os.listdir("/proc/self/task"))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wi.normal(2**22, rng=0)
    print(wi.info()["threads"], len(os.listdir("/proc/self/task")) - before)
    """
    assert run(script, OMP_NUM_THREADS="2") == "1 0"


@openmp_only
def test_threads_by_threadpoolctl():
    before = wi.info()["threads"]
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert wi.info()["threads"] == 1
        wi.normal(LARGE, rng=0, threads=3)  # an explicit number must not leak
        assert wi.info()["threads"] == 1
    assert wi.info()["threads"] == before


MANY = _threads._MAX_THREADS


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, MANY),
        ("0::/\n", {"cpu.max": "250000 100000"}, 3),
        ("0::/\n", {"cpu.max": "1000 100000"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b\n", {"a/c/cpu.max": "100000 100000"}, MANY),
        ("0::/../x\n", {"cpu.max": "500000 100000"}, 5),
        ("0::/a\n", {"a/cpu.max": "nonsense"}, MANY),
        ("4:cpuacct,cpu:/d/e\n0::/\n", {"cpu/d/e": (-1, 100_000), "cpu/d": (150_000, 100_000)}, 2),
        ("4:cpu:/not/mounted/here\n", {"cpu": (700_000, 100_000)}, 7),
        ("3:cpuset:/d\n2:cpuacct:/d\n", {"cpu/d": (100_000, 100_000)}, MANY),
        ("4:cpu:/d\n0::/u\n", {"cpu/d": (500_000, 100_000), "u/cpu.max": "200000 100000"}, 2),
        ("", {}, MANY),
        (None, {"cpu.max": "100000 100000"}, MANY),
    ],
)
def test_cgroup_quota(tmp_path, own, files, expected):
    root = tmp_path / "cgroup"
    for name, content in files.items():
        if isinstance(content, tuple):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "cpu.cfs_quota_us").write_text(f"{content[0]}\n")
            (root / name / "cpu.cfs_period_us").write_text(f"{content[1]}\n")
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"{content}\n")
    if own is not None:
        (tmp_path / "own").write_text(own)
    assert _threads._cgroup_cpus(root, tmp_path / "own") == expected


# Memory and import -------------------------------------------------------------------------------

PEAK = """
def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
out = np.empty(2**27, {dtype!r}).reshape({shape})  # 512 MiB
out.fill(1)
before = status("VmHWM")
wi.normal(out=out{view}, rng=0, threads={threads})
print(status("VmHWM") - before)
"""


@linux_only
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("dtype", "shape", "view"),
    [("<f4", "-1", ""), ("<f4", "(2**14, 2**13)", ".T"), (">f4", "-1", "")],
)
def test_peak_memory_is_the_buffer(dtype, shape, view, threads):
    kib = int(run(PEAK.format(dtype=dtype, shape=shape, view=view, threads=threads)))
    print(f"{kib} KiB beyond the buffer")
    pages = 2 * max(32, 2 * (os.cpu_count() or 1))  # that newer kernels' counts may be off by
    assert kib < 768 + 4 * pages  # 1024 on up to 16 processors


def test_import_brings_nothing_heavy_and_starts_nothing():
    """Beyond NumPy: itself, and modules of the standard library that NumPy mostly has too."""
    script = """
    import sys, threading, numpy, numpy.random, numpy.typing
    before = set(sys.modules)
    numpy.random.seed(3)
    import weightinit_fast
    names = {name.split(".")[0] for name in set(sys.modules) - before}
    print(threading.active_count(), numpy.random.randint(2**31), *sorted(names))
    """
    threads, drawn, *brought = run(script, prelude="").split()
    assert (int(threads), int(drawn)) == (1, np.random.RandomState(3).randint(2**31))
    assert "weightinit_fast" in brought
    heavy = {"asyncio", "multiprocessing", "concurrent", "unittest", "email", "http", "xml", "json"}
    foreign = {name for name in brought if not name.startswith(("_", "cython", "weightinit_fast"))}
    assert not foreign & heavy
    assert foreign <= sys.stdlib_module_names
