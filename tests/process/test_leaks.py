"""A hundred thousand calls leave no object, no reference and no memory behind."""

import gc
import sys

import numpy as np
import pytest
from support.interpreter import LARGE, linux_only
from support.isolated import isolated, note

import weightinit_fast as wi

pytestmark = pytest.mark.process


def proc(file, name):
    """Return a number of kB from a file of /proc, in bytes."""
    with open(f"/proc/{file}", encoding="ascii") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


OUT, SQUARE = np.zeros(16, "f4"), np.zeros((4, 4), "f4")
KEY, RNG = wi.Key(1, 2), np.random.default_rng(1)
LEGACY, SEED = np.random.RandomState(1), np.random.SeedSequence(1)
READONLY, IDS = np.zeros(4, "f4"), np.array([8, 0, 0, 2])
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
    "rows": lambda: wi.normal((40, 40), rng=KEY, rows=[3, 5]),
    "rows of an array": lambda: wi.normal((9, 4), rows=IDS, rng=KEY, out=SQUARE),
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
#: Calls that take long, and how often they are made.
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
    "rows": lambda: wi.normal((4, 4), rng=RNG, rows=[0, -1]),
    "kind of rows": lambda: wi.normal((4, 4), rng=RNG, rows=[0, "x"]),
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
    """Return the resident memory; new kernels' status is off by some 32 pages a processor."""
    return proc("self/smaps_rollup", "Rss")


HELD = (OUT, SQUARE, KEY, RNG, RNG.bit_generator, LEGACY, SEED, READONLY, NAMED, None, wi.Key)


def flat(calls, times):
    """Assert that many calls leave no object, no reference and no memory behind."""
    gc.collect()
    gc.disable()
    np.seterr(all="ignore")
    for name, call in calls.items():
        n = SLOW.get(name, times)
        note(name)
        for _ in range(n // 2):  # Python keeps up to 2000 freed tuples of each length
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
        # A leak grows each time, whereas malloc may keep or return a freed array.
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
