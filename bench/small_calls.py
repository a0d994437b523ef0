"""What a call costs when there is little to fill: normal into out=, by size and kind of rng.

    python bench/small_calls.py [--repeats 15] [--json FILE]

Against numpy.random.Generator.standard_normal(out=, dtype=float32), which scales nothing. Where rng
is an int, NumPy's side is ``default_rng(int)`` made in the call, as ours derives its key there.
Batches of calls are interleaved in a shuffled order.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

SIZES = (16, 256, 4096)
BATCH_SECONDS = 0.02
Call = Callable[[], object]


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="batches (15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    return parser.parse_args()


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


def main() -> None:
    """Measure and report."""
    args = arguments()
    pairs = calls()
    order = [(name, side) for name in pairs for side in (0, 1)]
    counts = {}
    for name, side in order:
        call = pairs[name][side]
        batch(call, 20)
        counts[name, side] = max(10, int(BATCH_SECONDS / (batch(call, 50) / 50)))
    samples: dict[Any, list[float]] = {one: [] for one in order}
    shuffle = random.Random(0).shuffle
    for _ in range(args.repeats):
        shuffle(order)
        for name, side in order:
            seconds = batch(pairs[name][side], counts[name, side])
            samples[name, side].append(1e6 * seconds / counts[name, side])
    print(f"microseconds a call, float32, {args.repeats} batches; NumPy {np.__version__}")
    print(f"{'rng':10} {'size':>5}  {'ours':>8} {'best':>8}  {'numpy':>8} {'best':>8}  ours/numpy")
    rows = []
    for kind, size in pairs:
        ours, theirs = (samples[(kind, size), side] for side in (0, 1))
        ratio, best_ratio = median(ours) / median(theirs), min(ours) / min(theirs)
        print(
            f"{kind:10} {size:>5}  {median(ours):>8.2f} {min(ours):>8.2f}  "
            f"{median(theirs):>8.2f} {min(theirs):>8.2f}  {ratio:>5.2f} {best_ratio:>5.2f}"
        )
        rows.append({"rng": kind, "size": size, "ours_us": ours, "numpy_us": theirs})
    if args.json:
        document = {"weightinit_fast": wi.info(), "numpy": np.__version__, "rows": rows}
        args.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
