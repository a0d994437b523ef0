"""What an orthogonal matrix takes beyond its output: at most 1.2 times it, and 64 KiB a thread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import internals
from support.interpreter import linux_only, run

pytestmark = pytest.mark.process
KIB = 1024
#: Addresses that the system's malloc may take beyond what it was asked for.
MALLOC = 256 * KIB

PEAK = """
def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))
options = {{"rng": 0, "threads": {threads}, "layout": {layout!r}}}
wi.orthogonal((4, 300, 300), **options | {{"layout": "BOI"}})  # the threads exist
out = np.ones({shape}, {dtype!r})
before, peak = status("VmSize"), status("VmPeak")
wi.orthogonal(out=out, **options)
assert status("VmPeak") > peak, "the peak was reached before"
print(status("VmPeak") - before)
"""


def allowed(nbytes, threads):
    """Return how many bytes matrices of so many bytes may take."""
    return 1.2 * nbytes + 64 * KIB * threads


@linux_only
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("columns", [1, 2, 10, 33, 100, 128])
def test_peak(columns, threads):
    """The addresses of a fresh process, all of which count, whether they are touched or not."""
    shape = (64 * 1024 * 1024 // 4 // columns, columns)  # 64 MiB
    taken = int(run(PEAK.format(shape=shape, dtype="f4", layout="OI", threads=threads)))
    print(f"{taken / (64 * KIB * KIB):.3f} of the matrix")
    assert taken <= allowed(4 * shape[0] * columns, threads) + MALLOC


@linux_only
@pytest.mark.parametrize(
    ("shape", "dtype", "layout"),
    [
        *(((7, 800_000), "f8", "OI"), ((3300, 3300), "f4", "OI"), ((33, 500, 500), "f8", "BOI")),
        ((3, 1_500_000, 1), "f8", "BOI"),
    ],
)
def test_peak_of_others(shape, dtype, layout):
    taken = int(run(PEAK.format(shape=shape, dtype=dtype, layout=layout, threads=2)))
    nbytes = np.dtype(dtype).itemsize * np.prod(shape)
    assert taken <= allowed(nbytes, 2) + MALLOC


def scratch(dtype, rows, columns, matrices, threads):
    """Return what the engine asks for."""
    code = internals.core.DTYPES.index(np.dtype(dtype).name)
    return internals.core.orthogonal_scratch(code, rows, columns, matrices, threads)


@given(
    columns=st.integers(1, 2000) | st.integers(1, 70),
    more=st.integers(0, 70) | st.integers(0, 5_000_000),
    dtype=st.sampled_from(["f4", "f8"]),
    matrices=st.sampled_from([1, 1, 2, 3, 5, 64, 1000]),
    threads=st.integers(1, 70),
)
def test_what_the_engine_asks_for(columns, more, dtype, matrices, threads):
    rows = columns + more
    nbytes = np.dtype(dtype).itemsize * rows * columns * matrices
    assert scratch(dtype, rows, columns, matrices, threads) <= allowed(nbytes, threads)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_small_matrix(dtype):
    item = np.dtype(dtype).itemsize
    for columns in range(1, 300):
        for rows in (*range(columns, columns + 9), 511, 512, 513, 4096, 4097, 8193):
            if rows >= columns:
                taken = scratch(dtype, rows, columns, 1, 1)
                assert taken <= allowed(item * rows * columns, 1), (rows, columns)
