"""Behaviour within a process: signals, forks, peak memory, import.

Whatever could hang, crash or leave a trace runs in an interpreter of its own.
"""

import os
import sys

import numpy as np
import pytest
from support.interpreter import linux_only, run

pytestmark = pytest.mark.process

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
#: Name -> (memory, more options). Each fill is seconds of work by table AES.
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
        print(error, len(calls) >= 3, right())  # a fourth signal may come before the timer ends
    """
    assert run(script, WEIGHTINIT_FAST_ISA="scalar") == "enough True True"


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
    assert run(FORKS[name]) == "True 0 0 True"


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
@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize(
    ("dtype", "shape", "view"),
    [("<f4", "-1", ""), ("<f4", "(2**14, 2**13)", ".T"), (">f4", "-1", "")],
)
def test_peak_memory_is_the_buffer(dtype, shape, view, threads):
    kib = int(run(PEAK.format(dtype=dtype, shape=shape, view=view, threads=threads)))
    print(f"{kib} KiB beyond the buffer")
    pages = 2 * max(32, 2 * (os.cpu_count() or 1))  # new kernels' counts may be off by these
    assert kib < 768 + 4 * pages  # 1024 on up to 16 processors


def test_import_brings_nothing_heavy_and_starts_nothing():
    """Apart from its own modules it imports only light ones of the standard library."""
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
