"""How fast are our fills, against what the memory takes and what others give: one interleaved run.

    python bench/run.py [--quick] [--json FILE] [--size-mib N] [--repeats N]

Every repetition goes once through all cases in a shuffled order, so that whatever else the machine
does falls on all of them alike; compare the ratios, not the GB/s. See README.md beside this file.
"""

import argparse
import re
import time
from pathlib import Path

import fresh
import layouts
import machine
import ours
import peers
import report
import results
import store_limit
import words
from case import Case
from measure import measure, resident

import weightinit_fast as wi


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="64 MiB, 3 repetitions: a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--size-mib", type=int, metavar="N", help="the buffer (1024; quick: 64)")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (7; quick: 3)")
    parser.add_argument("--only", metavar="REGEX", help="cases whose name holds this; see README")
    parser.add_argument("--all", action="store_true", help="show every variant of every peer")
    parser.add_argument("--align", type=int, metavar="BYTES", help="begin the buffer on a multiple")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")
    args = parser.parse_args()
    args.size_mib = args.size_mib or (64 if args.quick else 1024)
    args.repeats = args.repeats or (3 if args.quick else 7)
    if min(args.size_mib, args.repeats, args.align or 1) < 1:
        parser.error("--size-mib, --repeats and --align must be at least 1")
    return args


def collect(quick: bool, threads: list[int]) -> tuple[list[Case], dict[str, str]]:
    """Return the cases that can run here, and how each source of cases was found or why not."""
    cases = ours.cases(threads) + words.cases(threads) + layouts.cases(threads)
    cases += peers.numpy_cases(threads, quick)
    found = {}
    library, found["store limit"] = store_limit.load()
    if library is not None:
        cases += store_limit.cases(threads, library)
    cases += fresh.cases(threads, library)
    mkl = peers.load_mkl()  # before torch, which brings its own
    found["mkl"] = "not installed"
    if mkl is not None:
        cases += peers.mkl_cases(threads, mkl, quick)
        found["mkl"] = peers.installed("mkl") or "unknown version"
    try:
        cases += peers.torch_cases(threads)
        found["torch"] = peers.installed("torch") or "unknown version"
    except ImportError:
        found["torch"] = "not installed"
    return cases, found


def main() -> None:
    """Measure and report."""
    args = arguments()
    started = time.perf_counter()
    facts = machine.describe()
    threads = sorted({1, int(wi.info()["threads"])})
    cases, found = collect(args.quick, threads)
    cases = [case for case in cases if re.search(args.only or "", case.name)]
    print(machine.heading(facts, found))
    buffer = resident(args.size_mib << 20, args.align)
    rows = measure(cases, buffer, args.repeats, args.seed)
    report.add_ratios(rows)
    seconds = time.perf_counter() - started
    alignment = int(buffer.ctypes.data & -buffer.ctypes.data)
    print(
        f"{len(cases)} cases, {args.repeats} repetitions, {args.size_mib} MiB resident, "
        f"begins on a multiple of {alignment} bytes, {seconds:.0f} s\n"
    )
    print(report.table(rows, args.all))
    if args.json:
        settings = {
            "quick": args.quick,
            "only": args.only,
            "size_mib": args.size_mib,
            "repeats": args.repeats,
            "threads": threads,
            "seed": args.seed,
            "seconds": seconds,
            "buffer_alignment": alignment,
        }
        results.save(args.json, machine.document(facts, "run", settings, rows, found))


if __name__ == "__main__":
    main()
