"""Milliseconds and memory of an orthogonal matrix in float32, beside torch, SciPy and NumPy.

The peers draw their own normals and factorise them by LAPACK: `torch.nn.init.orthogonal_` (MKL in
torch's own builds), `scipy.linalg.qr` in float32 and `numpy.linalg.qr`, which computes in float64;
SciPy and NumPy are told to make only the factor Q and correct its signs. Peers that are not
installed are left out. A batch is one call here, and a loop over matrices in the peers.

All libraries, each on one thread and on all, are interleaved in a shuffled order for each size.
The table has the best and the median of each, by the wall clock, so that other work on the machine
shows. Below it are our times by those of the peer's better setting, best by best and median by
median, where ours is the better setting too, and on one thread; below 1 is faster. Then there is
the peak memory beyond the matrices that a call on all threads takes, each in a process of its own
(Linux only), in MiB and in sizes of the matrices; and the 2-norm of QᵀQ - 1 of our matrices.
"""

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..report import results
from ..workers import orthogonal_worker
from ..workers.orthogonal_worker import LIBRARIES, OURS, Shape
from . import machine

SIZES: list[Shape] = [(1, 100_000, 128), (1, 1024, 1024), (1, 64, 576), (64, 128, 128)]
LARGE: Shape = (1, 4096, 4096)
#: Each case is measured at least so often, and more often until it has taken so many seconds.
LEAST, SECONDS = 3, 1.5
#: A first call of more seconds is no warm-up, but a sample: its first touch of memory is little.
SLOW = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="the sizes but the largest, 3 times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="repetitions at most (100; quick: 3)"
    )
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="(1 and all)")
    parser.add_argument("--only", nargs="+", metavar="LIBRARY", help=f"of {', '.join(LIBRARIES)}")


def libraries(only: list[str] | None) -> list[str]:
    """Return the names of the libraries that are installed, ours first."""
    names = [
        name
        for name, (modules, _) in LIBRARIES.items()
        if all(importlib.util.find_spec(module) for module in modules)
    ]
    return [name for name in names if name == OURS or not only or name in only]


def measure(
    size: Shape, names: list[str], counts: list[int], repeats: int
) -> dict[tuple[str, int], list[float]]:
    """Return the seconds of each library on each number of threads."""
    cases = [(name, threads) for name in names for threads in counts]
    runs = {(name, threads): LIBRARIES[name][1](size, threads) for name, threads in cases}
    samples: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    turn = 0
    while cases:
        for case in random.sample(cases, len(cases)):
            begin = time.perf_counter()
            runs[case]()
            seconds = time.perf_counter() - begin
            if turn or seconds > SLOW:
                samples[case].append(seconds)
        turn += 1
        cases = [
            case
            for case in cases
            if len(samples[case]) < min(LEAST, repeats)
            or (len(samples[case]) < repeats and sum(samples[case]) < SECONDS)
        ]
    return samples


def peak(name: str, size: Shape, threads: int) -> int | None:
    """Return the KiB that a fresh process took beyond the matrices; None: the system tells none."""
    command = [sys.executable, orthogonal_worker.__file__, name, *map(str, (*size, threads))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    # An editable install may print something before.
    return None if done.returncode else int(done.stdout.split()[-1])


def shown(size: Shape) -> str:
    """Return a size as text."""
    count, m, n = size
    return f"{m} x {n}" if count == 1 else f"{count} of {m} x {n}"


def compared(samples: dict[tuple[str, int], list[float]], counts: list[int]) -> list[str]:
    """Return our times by those of the better setting of each peer."""
    lines = []

    def least(of: Any, name: str, settings: list[int]) -> float:
        return float(min(of(samples[name, threads]) for threads in settings))

    for name in dict.fromkeys(name for name, _ in samples if name != OURS):
        cells = []
        for what, settings in (("ours at its better setting", counts), ("ours on one thread", [1])):
            if set(settings) <= set(counts):
                best, middle = (
                    least(of, OURS, settings) / least(of, name, counts) for of in (min, median)
                )
                cells.append(f"{what} {best:.3f} (best) {middle:.3f} (median)")
        lines.append(f"  by {name}: {'; '.join(cells)}")
    return lines


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
    repeats = args.repeats or (3 if args.quick else 100)
    if repeats < 1:
        raise SystemExit("--repeats must be at least 1")
    started = time.perf_counter()
    facts = machine.describe()
    counts = args.threads or sorted({1, int(wi.info()["threads"])})
    names = libraries(args.only)
    rows: list[results.Row] = []
    print(machine.heading(facts, {}))
    print("ms a call: best, median, repetitions\n")
    for size in SIZES if args.quick else [*SIZES, LARGE]:
        what = shown(size)
        samples = measure(size, names, counts, repeats)
        for (name, threads), seconds in samples.items():
            cells = f"{1e3 * min(seconds):>10.2f}{1e3 * median(seconds):>10.2f}{len(seconds):>6}"
            print(f"{what + ' ' + name:36}t{threads}{cells}", flush=True)
            rows.append(
                {
                    "library": name,
                    "what": what,
                    "threads": threads,
                    "elements": int(np.prod(size)),
                    "seconds": seconds,
                }
            )
        print(*compared(samples, counts), sep="\n", flush=True)
        nbytes = 4 * int(np.prod(size))
        for name in names:
            kib = peak(name, size, max(counts))
            if kib is None:
                continue
            cells = f"{kib / 1024:.1f} MiB, {1024 * kib / nbytes:.2f} of the matrices"
            print(f"  peak of {name}, t{max(counts)}: {cells}", flush=True)
            rows.append({"library": name, "what": what, "threads": max(counts), "peak_kib": kib})
        for dtype in ("float32", "float64"):
            made = wi.orthogonal(size[1:], rng=0, dtype=dtype)
            print(f"  {dtype}: deviation {deviation(made):.1e}", flush=True)
        print()
    if args.json:
        settings = {
            "quick": args.quick,
            "repeats": repeats,
            "threads": counts,
            "seconds": time.perf_counter() - started,
        }
        results.save(args.json, machine.document(facts, "orthogonal", settings, rows, {}))
    return 0
