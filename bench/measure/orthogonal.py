"""Milliseconds of an orthogonal matrix in float32, beside torch, SciPy and NumPy.

The peers draw their own normals and factorise them by LAPACK: `torch.nn.init.orthogonal_` (MKL in
torch's own builds), `scipy.linalg.qr` in float32 and `numpy.linalg.qr`, which computes in float64;
SciPy and NumPy are told to make only the factor Q and correct its signs. Peers that are not
installed are left out, and so is NumPy above 2^24 elements, where it takes many seconds. A batch
is one call here, and a loop over matrices in the peers.

All cases of a size are interleaved, in a shuffled order, on one thread and on all. The times of
one thread are processor time, which other work on the machine disturbs less. The table has the
best and the median, and the ratio of our best to the peer's: below 1 is faster. It ends with the
2-norm of QᵀQ - 1 of our matrices.
"""

import argparse
import importlib.util
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..report import results
from . import machine

Run = Callable[[], Any]
#: (number of matrices, rows, columns)
SIZES = [(1, 100_000, 128), (1, 1024, 1024), (1, 64, 288), (64, 128, 128), (1, 4096, 4096)]
OURS, NUMPY_MOST = "weightinit_fast", 1 << 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="the sizes but the largest, 3 times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (7; quick: 3)")
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="(1 and all)")


def _ours(shape: tuple[int, int, int], threads: int) -> Run:
    out = np.zeros(shape, np.float32)
    draw = wi.initializer(wi.orthogonal, layout="BOI")
    return lambda: draw(out=out, rng=0, threads=threads)


def _torch(shape: tuple[int, int, int], threads: int) -> Run:
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional

    out = torch.zeros(shape)

    def run() -> None:
        torch.set_num_threads(threads)
        for matrix in out:
            torch.nn.init.orthogonal_(matrix)

    return run


def _lapack(shape: tuple[int, int, int], factor: Callable[[Any], tuple[Any, Any]]) -> Run:
    out = np.zeros(shape, np.float32)
    generator = np.random.default_rng(0)

    def run() -> None:
        for matrix in out:
            tall = matrix if shape[1] >= shape[2] else matrix.T
            q, r = factor(generator.standard_normal(tall.shape, np.float32))
            tall[...] = q * np.sign(np.diagonal(r))

    return run


def _scipy(shape: tuple[int, int, int], threads: int) -> Run:
    import scipy.linalg  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    return _limited(
        _lapack(shape, lambda a: scipy.linalg.qr(a, mode="economic", overwrite_a=True)), threads
    )


def _numpy(shape: tuple[int, int, int], threads: int) -> Run:
    return _limited(_lapack(shape, np.linalg.qr), threads)


def _limited(run: Run, threads: int) -> Run:
    """Limit the threads of the BLAS."""
    import threadpoolctl  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    def limited() -> None:
        with threadpoolctl.threadpool_limits(threads, "blas"):
            run()

    return limited


def peers(shape: tuple[int, int, int]) -> dict[str, Callable[[tuple[int, int, int], int], Run]]:
    """Return what is measured for a shape, by the name of the library."""
    found: dict[str, Callable[[tuple[int, int, int], int], Run]] = {OURS: _ours}
    if importlib.util.find_spec("torch"):
        found["torch"] = _torch
    if importlib.util.find_spec("threadpoolctl"):
        if importlib.util.find_spec("scipy"):
            found["SciPy"] = _scipy
        if np.prod(shape) < NUMPY_MOST:
            found["NumPy"] = _numpy
    return found


def deviation(matrix: Any) -> float:
    """Return the 2-norm of QᵀQ - 1, for the smaller side, by steps of the power method."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    error = -np.eye(tall.shape[1])
    for begin in range(0, len(tall), 1 << 14):
        rows = tall[begin : begin + (1 << 14)].astype(np.float64)
        error += rows.T @ rows
    vector = np.random.default_rng(0).standard_normal(len(error))
    norm = 0.0
    for _ in range(50):
        vector = error @ vector
        norm = float(np.linalg.norm(vector))
        if norm == 0:
            return 0.0
        vector /= norm
    return norm


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    repeats = args.repeats or (3 if args.quick else 7)
    if repeats < 1:
        raise SystemExit("--repeats must be at least 1")
    started = time.perf_counter()
    facts = machine.describe()
    counts = args.threads or sorted({1, int(wi.info()["threads"])})
    rows: list[results.Row] = []
    print(machine.heading(facts, {}))
    print(f"ms a call, {repeats} repetitions: best, median, and our best by theirs\n")
    for size in SIZES[:-1] if args.quick else SIZES:
        for threads in counts:
            clock = time.process_time if threads == 1 else time.perf_counter
            runs = {name: make(size, threads) for name, make in peers(size).items()}
            samples: dict[str, list[float]] = {name: [] for name in runs}
            for turn in range(repeats + 1):  # the first turn is a warm-up
                for name in random.sample(list(runs), len(runs)):
                    begin = clock()
                    runs[name]()
                    if turn:
                        samples[name].append(clock() - begin)
            count, m, n = size
            what = f"{m} x {n}" if count == 1 else f"{count} of {m} x {n}"
            for name, seconds in samples.items():
                share = min(samples[OURS]) / min(seconds)
                cells = f"{1e3 * min(seconds):>10.2f}{1e3 * median(seconds):>10.2f}{share:>8.3f}"
                print(f"{what + ' ' + name:36}t{threads}{cells}", flush=True)
                rows.append(
                    {
                        "library": name,
                        "what": what,
                        "threads": threads,
                        "elements": count * m * n,
                        "seconds": seconds,
                    }
                )
        for dtype in ("float32", "float64"):
            made = wi.orthogonal(size[1:], rng=0, dtype=dtype)
            print(f"{'':36}{dtype}: deviation {deviation(made):.1e}", flush=True)
    if args.json:
        settings = {
            "quick": args.quick,
            "repeats": repeats,
            "threads": counts,
            "seconds": time.perf_counter() - started,
        }
        results.save(args.json, machine.document(facts, "orthogonal", settings, rows, {}))
    return 0
