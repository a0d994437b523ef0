"""Nanoseconds an element by size: 2^18 to 2^31 float32, resident, on 1, 2 and all threads.

Every size fills the beginning of one buffer. Small sizes are filled many times in a sample, so that
the sample lasts long enough to be timed, and so that what fits into the caches stays there. The
largest sizes are left out where they do not fit into three quarters of the free memory. All sizes
are interleaved, in a shuffled order.
"""

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import weightinit_fast as wi

from .. import internals
from ..cases import store_limit
from ..cases.case import KINDS, STDS, Buffer, Case, Run
from ..cases.ours import LIBRARY, fill
from ..report import results
from . import machine
from .timing import measure, resident

SMALLEST, LARGE, LARGEST = 18, 28, 31
QUICK = (18, 22, 26, 28)
SAMPLE, QUICK_SAMPLE = 26, 23  # a sample fills at least 2 to this power of elements


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="four sizes, 3 repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (7; quick: 3)")
    parser.add_argument(
        "--largest", type=int, default=LARGEST, metavar="POWER", help="sizes up to 2^POWER (31)"
    )
    parser.add_argument("--only", metavar="REGEX", help="only the cases whose name matches")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")


def powers(quick: bool, largest: int, free: int) -> list[int]:
    """Return the sizes, as powers of two, whose float32 elements fit into the free memory."""
    wanted = QUICK if quick else range(SMALLEST, largest + 1)
    return [power for power in wanted if power <= largest and 4 << power <= free * 3 // 4]


def cases(sizes: list[int], threads: list[int], sample: int, library: Any) -> list[Case]:
    """Return both fills of every size on each thread count, and the store limit of a large size."""
    isa = internals.isa()

    def binder(draw: Callable[..., object]) -> Callable[[Buffer], Run]:
        def bind(buffer: Buffer) -> Run:
            out = buffer.view("float32")
            return lambda: draw(out=out)

        return bind

    result = [
        Case(
            LIBRARY,
            f"{isa} 2^{power}",
            kind,
            "float32",
            count,
            1.0,
            binder(fill(kind, "float32", count)),
            std=STDS[kind],
            calls=max(1, 1 << sample >> power),
            nbytes=4 << power,
        )
        for kind in KINDS
        for power in sizes
        for count in threads
    ]
    if library is not None and LARGE in sizes:
        result += store_limit.cases(threads, library, 4 << LARGE)
    return result


def table(rows: list[results.Row]) -> str:
    """Return nanoseconds an element by size, and their ratio to those of 2^28 elements."""
    fills = [row for row in rows if row["library"] == LIBRARY]
    kinds = list(dict.fromkeys((row["what"], row["threads"]) for row in fills))
    by_name = {(row["what"], row["threads"], row["elements"]): row for row in fills}
    lines = ["elements " + "".join(f"{f'{what} t{count}':>18}" for what, count in kinds)]
    for elements in sorted({row["elements"] for row in fills}):
        cells = []
        for kind in kinds:
            row, large = (by_name.get((*kind, size)) for size in (elements, 1 << LARGE))
            cell = f"{1e9 * median(row['seconds']) / elements:.4f}" if row else "-"
            relative = f"{1 / results.ratio(row, large):.2f}" if row and large else "-"
            cells.append(f"{cell:>12}{relative:>6}")
        lines.append(f"2^{elements.bit_length() - 1:<7}" + "".join(cells))
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    repeats = args.repeats or (3 if args.quick else 7)
    if repeats < 1 or args.largest < SMALLEST:
        raise SystemExit(f"--repeats must be at least 1, --largest at least {SMALLEST}")
    started = time.perf_counter()
    facts = machine.describe()
    most = int(wi.info()["threads"])
    threads = sorted({1, min(2, most), most})
    sizes = powers(args.quick, args.largest, machine.free_bytes())
    library, how = store_limit.load()
    chosen = cases(sizes, threads, QUICK_SAMPLE if args.quick else SAMPLE, library)
    chosen = [case for case in chosen if re.search(args.only or "", case.name)]
    rows = measure(chosen, resident(4 << max(sizes)), repeats, args.seed)
    print(machine.heading(facts, {"store limit": how}))
    print(f"ns an element, and the ratio to 2^{LARGE} elements; {repeats} repetitions\n")
    print(table(rows))
    if args.json:
        settings = {
            "quick": args.quick,
            "repeats": repeats,
            "threads": threads,
            "sizes": sizes,
            "seed": args.seed,
            "seconds": time.perf_counter() - started,
        }
        found = {"store limit": how}
        results.save(args.json, machine.document(facts, "growth", settings, rows, found))
    return 0
