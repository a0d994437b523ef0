"""What a call costs when there is little to fill: microseconds by size and kind of rng.

Without --against the command compares ``normal(out=)`` with numpy.random.Generator's
standard_normal(out=, dtype=float32), which scales nothing. Where rng is an int, NumPy's side makes
``default_rng(int)`` in the call, since our call derives its key there too.

With --against PYTHON it measures other calls, and compares this installation with that of another
interpreter, such as an installation of the former commit. Each installation runs in a process of
its own, and the two take turns. The table has nanoseconds of the best and of the median batch.

With --threads N it compares the calls that N threads make at the same time with those of one; see
small_call_threads.py.

Batches of calls are interleaved, in a shuffled order.
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..cases.ours import LIBRARY
from ..report import results
from . import installations, machine, small_call_threads

SIZES = (16, 256, 4096)
BATCH_SECONDS = 0.02
Call = Callable[[], object]
Samples = dict[tuple[str, int], tuple[list[float], list[float]]]  # ours and NumPy's, in seconds


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--against", metavar="PYTHON", help="the interpreter of the installation to compare with"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="N threads that call at the same time, beside one"
    )
    parser.add_argument("--quick", action="store_true", help="fewer batches")
    batches = "batches (15, quick: 9; with --against 60, quick: 20)"
    parser.add_argument("--repeats", type=int, metavar="N", help=batches)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")


def calls() -> dict[tuple[str, int], tuple[Call, Call]]:
    """Return (rng, size) -> (our call, NumPy's call)."""
    result: dict[tuple[str, int], tuple[Call, Call]] = {}
    for size in SIZES:
        result |= {(kind, size): pair for kind, pair in _pairs(np.empty(size, np.float32)).items()}
    return result


def _pairs(out: Any) -> dict[str, tuple[Call, Call]]:
    key, generator, kept = wi.key(0), np.random.default_rng(0), np.random.default_rng(0)
    normal, default_rng, single = wi.normal, np.random.default_rng, np.float32

    def reuse() -> object:
        return kept.standard_normal(out=out, dtype=single)

    return {
        "Key": (lambda: normal(out=out, rng=key), reuse),
        "Generator": (lambda: normal(out=out, rng=generator), reuse),
        "int": (
            lambda: normal(out=out, rng=0),
            lambda: default_rng(0).standard_normal(out=out, dtype=single),
        ),
    }


def batch(call: Call, count: int) -> float:
    """Return the seconds of that many calls."""
    started = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - started


def measure(pairs: dict[tuple[str, int], tuple[Call, Call]], repeats: int) -> Samples:
    """Return the seconds of a call by (rng, size), for both sides, from interleaved batches."""
    order = [(name, side) for name in pairs for side in (0, 1)]
    counts = {}
    for name, side in order:
        call = pairs[name][side]
        batch(call, 20)
        counts[name, side] = max(10, int(BATCH_SECONDS / (batch(call, 50) / 50)))
    samples: dict[tuple[str, int], tuple[list[float], list[float]]] = {
        name: ([], []) for name in pairs
    }
    shuffle = random.Random(0).shuffle
    for _ in range(repeats):
        shuffle(order)
        for name, side in order:
            seconds = batch(pairs[name][side], counts[name, side])
            samples[name][side].append(seconds / counts[name, side])
    return samples


def _row(rng: str, size: int, library: str, seconds: list[float]) -> results.Row:
    ours = library == LIBRARY
    way = f"{wi.info()['isa']} {rng}" if ours else rng
    return {
        "name": f"{library} {way} normal of {size} float32 t1",
        "library": library,
        "variant": rng,
        "what": f"normal of {size}",
        "dtype": "float32",
        "threads": 1,
        "bytes": 4 * size,
        "elements": size,
        "seconds": seconds,
    }


def rows(samples: Samples) -> list[results.Row]:
    """Return two rows for each pair, ours and NumPy's."""
    return [
        _row(rng, size, library, seconds)
        for (rng, size), sides in samples.items()
        for library, seconds in zip((LIBRARY, "numpy"), sides, strict=True)
    ]


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    if args.against:
        repeats = args.repeats or (20 if args.quick else 60)
        return installations.compare(args.against, repeats, args.json)
    repeats = args.repeats or (9 if args.quick else 15)
    if args.threads:
        return small_call_threads.compare(args.threads, repeats, args.json)
    facts = machine.describe()
    samples = measure(calls(), repeats)
    print(machine.heading(facts, {}))
    print(f"microseconds a call, float32, {repeats} batches; NumPy {np.__version__}")
    print(f"{'rng':10} {'size':>5}  {'ours':>8} {'best':>8}  {'numpy':>8} {'best':>8}  ours/numpy")
    for (rng, size), (ours, theirs) in samples.items():
        ratio, best_ratio = median(ours) / median(theirs), min(ours) / min(theirs)
        figures = [1e6 * of(side) for side in (ours, theirs) for of in (median, min)]
        print(
            f"{rng:10} {size:>5}  {figures[0]:>8.2f} {figures[1]:>8.2f}  "
            f"{figures[2]:>8.2f} {figures[3]:>8.2f}  {ratio:>5.2f} {best_ratio:>5.2f}"
        )
    if args.json:
        settings = {"quick": args.quick, "repeats": repeats}
        results.save(args.json, machine.document(facts, "small-calls", settings, rows(samples), {}))
    return 0
