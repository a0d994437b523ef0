"""How fast are our fills, against what the memory takes and what others give: one interleaved run.

    python bench/run.py [--quick] [--json FILE] [--size-mib N] [--repeats N]

Every repetition goes once through all cases in a shuffled order, so that whatever else the machine
does falls on all of them alike; compare the ratios, not the GB/s. See README.md beside this file.
"""

import argparse
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import ours
import peers
import report
import store_limit
from case import Buffer, Case, check_filled

import weightinit_fast as wi
from weightinit_fast import _core

CHECKED_BYTES = 1 << 20
ROUND_BYTES = 1 << 16


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


def collect(quick: bool) -> tuple[list[Case], dict[str, str]]:
    """Return the cases that can run here, and how each source of cases was found or why not."""
    everything = int(wi.info()["threads"])
    threads = sorted({1, everything})
    cases = ours.cases(threads) + peers.numpy_cases(threads, quick)
    found = {}
    library, how = store_limit.load()
    found["store limit"] = how if library else f"left out, {how}"
    if library is not None:
        cases += store_limit.cases(threads, library)
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


def resident(nbytes: int, align: int | None) -> Buffer:
    """Return a buffer whose pages are all there, aligned as NumPy pleases unless told."""
    buffer = np.empty(nbytes + (align or 0), np.uint8)
    first = -buffer.ctypes.data % align if align else 0
    buffer = buffer[first : first + nbytes]
    buffer.fill(1)
    return buffer


def part(case: Case, buffer: Buffer) -> Buffer:
    """Return the case's share of the buffer: whole rounds, of any type and any thread count."""
    nbytes = int(buffer.nbytes * case.share) // ROUND_BYTES * ROUND_BYTES
    return buffer[: max(nbytes, ROUND_BYTES)]


def measure(cases: list[Case], buffer: Buffer, repeats: int, seed: int) -> list[report.Samples]:
    """Check every case on a small part, then time all of them, interleaved."""
    for case in cases:
        small = buffer[:CHECKED_BYTES]
        check_filled(case, small, case.bind(small))
    buffer.fill(1)
    runs = [case.bind(part(case, buffer)) for case in cases]
    measured = [report.Samples(case, part(case, buffer).nbytes, [], []) for case in cases]
    order = [k for k, case in enumerate(cases) for _ in range(case.times)]
    shuffle = random.Random(seed).shuffle
    for _ in range(repeats):
        shuffle(order)
        for k in order:
            cpu, wall = time.process_time(), time.perf_counter()
            runs[k]()
            measured[k].seconds.append(time.perf_counter() - wall)
            measured[k].cpu_seconds.append(time.process_time() - cpu)
    return measured


def main() -> None:
    """Measure and report."""
    args = arguments()
    isa = _core.isa()
    started = time.perf_counter()
    cases, found = collect(args.quick)
    if args.only:
        cases = [case for case in cases if re.search(args.only, case.name)]
    facts: dict[str, Any] = machine.describe()
    print(f"{facts['cpu']['model']}, {facts['cpu']['cpus']} CPUs, {facts['system']}")
    print(
        f"weightinit_fast {wi.__version__} ({facts['weightinit_fast']['compiler']}, {isa}), "
        f"Python {facts['python']}, NumPy {facts['numpy']}"
    )
    for name, how in found.items():
        print(f"{name}: {how}")
    buffer = resident(args.size_mib << 20, args.align)
    try:
        measured = measure(cases, buffer, args.repeats, args.seed)
    finally:
        _core.select_isa(isa)
    rows = report.rows(measured)
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
            "seed": args.seed,
            "seconds": seconds,
            "buffer_alignment": alignment,
        }
        document = {"machine": facts, "found": found, "settings": settings, "rows": rows}
        args.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
