"""What several threads gain, beside another installation: sizes, pauses, crowds, other libraries.

The installation of this interpreter ("after") and the one of --against ("before") run in processes
of their own and take turns. Everything is measured twice: with nothing else on the machine, and
with a busy loop beside for each processor. Times are medians; fills are normals of float32.

- *sizes*: fills of 2^14 to 2^26 elements that follow each other at once, on one thread and all.
- *paced*: the same with pauses of 2 ms, in which the workers fall asleep.
- *torch*: torch is imported first, and 300 fills of 1 to 10 MB alternate with products of matrices.
- *libraries*: fills, products of torch, k-means of scikit-learn and a loop of numba take turns.
- *crowd*: 8 threads that each fill 1 MB again and again, beside one thread that fills as much.
- *idle*: processor time used in the second that begins one second after a fill.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from ..report import results
from . import machine

WORKER = Path(__file__).parent.parent / "workers/thread_worker.py"
PARTS = ("sizes", "paced", "torch", "libraries", "crowd", "idle")
#: Those that need libraries that the package does not need.
OPTIONAL = {"libraries": ("torch", "sklearn", "numba")}
PACE_SECONDS = 0.002
SAMPLE_SECONDS = 0.02
BUSY_LOOP = "while True: pass"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--against", metavar="PYTHON", help="the interpreter of the installation to compare with"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--smallest", type=int, default=14, metavar="LOG2", help="(14)")
    parser.add_argument("--largest", type=int, default=26, metavar="LOG2", help="(26)")
    parser.add_argument("--repeats", type=int, default=9, metavar="N", help="turns of each (9)")
    parser.add_argument("--only", choices=("quiet", "busy"), help="only one load")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")


class Worker:
    """A process of an interpreter that measures the weightinit_fast installed there."""

    def __init__(self, python: str, *arguments: str) -> None:
        self._python = python
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [os.path.abspath(python), "-I", str(WORKER), *arguments],
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts: dict[str, Any] = self._answer()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes the input of the process, which ends it
        self._folder.cleanup()

    def __call__(self, name: str, *arguments: Any) -> list[float]:
        """Return what the function of the worker returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        answer: list[float] = self._answer()
        return answer

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._python} ended without an answer")
        return json.loads(line)


@contextmanager
def load(busy: bool) -> Iterator[None]:
    """Run a busy loop for each processor beside, or nothing."""
    count = (os.cpu_count() or 1) if busy else 0
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


Sides = list[Worker]
Rows = list[dict[str, Any]]


def by_size(sides: Sides, sizes: range, repeats: int, pause: float) -> Rows:
    """Return rows of the median seconds of a fill on one thread and on all, of each side."""
    rows = []
    for log2 in sizes:
        items = 1 << log2
        fill_seconds = items / 2e9
        count = max(3, min(50, int(SAMPLE_SECONDS / max(fill_seconds, pause))))
        samples: dict[tuple[int, int | None], list[float]] = {}
        for _ in range(repeats):
            for k, side in enumerate(sides):
                for threads in (1, None):
                    seconds = side("fills", items, threads, count, pause)
                    samples.setdefault((k, threads), []).append(median(seconds))
        rows.append(
            {
                "items": items,
                "one": [median(samples[k, 1]) for k in range(len(sides))],
                "all": [median(samples[k, None]) for k in range(len(sides))],
                "best_one": [min(samples[k, 1]) for k in range(len(sides))],
                "best_all": [min(samples[k, None]) for k in range(len(sides))],
            }
        )
        shown(rows[-1], len(sides) > 1)
    return rows


def shown(row: dict[str, Any], both: bool) -> None:
    """Print a row of by_size: microseconds, and the ratios that the goals name."""
    one, together = row["one"], row["all"]
    log2 = row["items"].bit_length() - 1
    better = min(one[-1], together[-1]) / together[-1]
    line = f"2^{log2:<3} one {one[-1] * 1e6:>9.1f}  all {together[-1] * 1e6:>9.1f}"
    line += f"  better of both/all {better:>5.2f}"
    if both:
        best = row["best_all"]
        line += (
            f"  before {together[0] * 1e6:>9.1f}  before/after {together[0] / together[-1]:>5.2f}"
        )
        line += f" (best {best[0] / best[-1]:>5.2f})"
    print(line, flush=True)


def by_torch(sides: Sides, repeats: int) -> Rows:
    """Return rows of seconds beside torch, and print them."""
    rows = []
    for k, side in enumerate(sides):
        for threads in (None, 1):
            samples = [side("with_torch", 300, threads, 256) for _ in range(max(1, repeats // 3))]
            values = [median(column) for column in zip(*samples, strict=True)]
            rows.append({"side": k - len(sides), "threads": threads, "seconds": values})
    for row in rows:
        both_fills, both_products, fills, products = row["seconds"]
        name = "after " if row["side"] == -1 else "before"
        print(
            f"{name} threads {row['threads'] or 'all'!s:>4}: alternating {both_fills:.3f} + "
            f"{both_products:.3f} s, alone {fills:.3f} + {products:.3f} s, "
            f"ratio {(both_fills + both_products) / (fills + products):.2f}",
            flush=True,
        )
    return rows


def by_libraries(sides: Sides, repeats: int) -> Rows:
    """Return rows of seconds of four libraries that take turns, and print them."""
    rows = []
    for k, side in enumerate(sides):
        samples = [side("with_libraries", 40, None) for _ in range(max(1, repeats // 3))]
        ratios = [sum(sample[:4]) / sum(sample[4:]) for sample in samples]
        seconds = [median(column) for column in zip(*samples, strict=True)]
        rows.append({"side": k - len(sides), "seconds": seconds, "ratios": ratios})
        in_turn, alone = (
            " + ".join(f"{value:.3f}" for value in part) for part in (seconds[:4], seconds[4:])
        )
        name = "after " if k == len(sides) - 1 else "before"
        print(f"{name}: fills + torch + scikit-learn + numba in turn {in_turn} s,")
        print(f"        alone {alone} s, ratio {median(ratios):.2f}", flush=True)
    return rows


def by_crowd(sides: Sides, repeats: int) -> Rows:
    """Return rows of the throughput of a crowd and of one thread, and print them."""
    rows = []
    for k, side in enumerate(sides):
        samples = [side("crowd", 60, 1, 8) for _ in range(repeats)]
        together, alone = (median(column) for column in zip(*samples, strict=True))
        name = "after " if k == len(sides) - 1 else "before"
        ratio = median(a / b for a, b in samples)
        print(f"{name}: 8 threads {together:.0f} fills/s, one {alone:.0f}, ratio {ratio:.2f}")
        rows.append({"side": k - len(sides), "together": together, "alone": alone, "ratio": ratio})
    return rows


def by_idleness(sides: Sides) -> Rows:
    """Return the processor time of idle processes, and print it."""
    rows = [{"side": k - len(sides), "seconds": s("idle", 1 << 24)[0]} for k, s in enumerate(sides)]
    print("  ".join(f"{1e6 * row['seconds']:.0f} us in a second" for row in rows))
    return rows


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    pythons = [args.against, sys.executable] if args.against else [sys.executable]
    facts = machine.describe()
    print(machine.heading(facts, {}))
    document: dict[str, Any] = {"machine": facts, "sides": pythons and [], "loads": {}}
    for busy in (False, True):
        name = "busy" if busy else "quiet"
        if args.only not in (None, name):
            continue
        found: dict[str, Rows] = {}
        for part in args.parts:
            missing = [module for module in OPTIONAL.get(part, ()) if find_spec(module) is None]
            if missing:
                print(f"\n{name}, {part}: not measured without {', '.join(missing)}", flush=True)
                continue
            arguments = ("torch",) if part == "torch" else ()
            sides = [Worker(python, *arguments) for python in pythons]
            print(f"\n{name}, {part}", flush=True)
            with load(busy):
                if part in ("sizes", "paced"):
                    pause = PACE_SECONDS if part == "paced" else 0.0
                    sizes = range(args.smallest, args.largest + 1, 1 if pause else 2)
                    found[part] = by_size(sides, sizes, args.repeats, pause)
                elif part == "torch":
                    found[part] = by_torch(sides, args.repeats)
                elif part == "libraries":
                    found[part] = by_libraries(sides, args.repeats)
                elif part == "crowd":
                    found[part] = by_crowd(sides, args.repeats)
                elif not busy:
                    found[part] = by_idleness(sides)
            document["sides"] = [side.facts for side in sides]
            for side in sides:
                side.__exit__()
        document["loads"][name] = found
    if args.json:
        results.save(args.json, document)
    return 0
