"""Fills where memory is short, and where threads cannot be made."""

import pytest
from support.interpreter import linux_only, run, threaded_only

pytestmark = pytest.mark.process

LIMIT = """
import mmap, os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
if resource.getrlimit(resource.RLIMIT_STACK)[0] != 8 << 20:  # size of thread stacks, read at start
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, hard))
    os.execv(sys.executable, sys.orig_argv)
import numpy as np
import weightinit_fast as wi
def status(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))
def limit(more):
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + more, resource.RLIM_INFINITY))
kept = []
def exhaust():
    # Leave no 64 KiB of addresses in one piece.
    limit(0)
    while True:
        try:
            kept.append(mmap.mmap(-1, 64 << 10))
        except OSError:
            return
wi.normal(10, rng=0), wi.orthogonal((3, 3), rng=0), wi.sparse((9, 9), sparsity=0.5, rng=0)
"""


@linux_only
def test_too_little_memory():
    """Each call raises MemoryError, draws nothing and leaks nothing, and small calls still work."""
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
    assert lost < 4 << 20  # an arena of Python takes 1 MiB


NO_THREADS = """
from hashlib import blake2b
expected = blake2b(wi.normal(1 << 22, rng=0, threads=1)).digest()
out = np.zeros(1 << 22, "f4")
def fill():
    wi.normal(out=out, rng=0, threads=16)
    assert blake2b(out).digest() == expected
    return len(os.listdir("/proc/self/task"))
before = fill() if {first} else 1
{then}
print(before, fill(), fill())
"""


@linux_only
@threaded_only
@pytest.mark.parametrize(
    ("first", "then", "least", "most"),
    [
        (False, "exhaust()", 1, 1),
        (False, "limit(2 << 20)", 2, 8),
        (True, "exhaust()", 16, 16),
    ],
    ids=["no room", "room for some", "already there"],
)
def test_threads_that_cannot_be_made(first, then, least, most):
    """The stack of a worker takes a little more than 256 KiB; fills take fewer threads."""
    script = NO_THREADS.format(first=first, then=then)
    before, *during = map(int, run(script, prelude=LIMIT, OPENBLAS_NUM_THREADS="1").split())
    assert before == (16 if first else 1)
    assert all(least <= count <= most for count in during), during


@linux_only
@threaded_only
def test_a_fill_within_a_fill_makes_no_threads():
    """A fill in a signal handler makes no threads, and the count of threads stays true."""
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
    exhaust()
    again = wi.normal(out=big[: 1 << 22], rng=0, threads=8)
    limit(1 << 30)
    print(len(os.listdir("/proc/self/task")), (again == calls[0]).all())
    """
    options = {"OPENBLAS_NUM_THREADS": "1", "WEIGHTINIT_FAST_ISA": "scalar"}
    assert run(script, prelude=LIMIT, **options) == "2 True"
