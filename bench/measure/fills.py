"""How fast fills are, beside the store limit and beside other libraries, in one run.

Every repetition goes once through all cases in a shuffled order, so that whatever else the machine
does disturbs all cases alike: compare the ratios, not the GB/s. bench/README.md explains the
columns and the cases. Where groups are named, only their cases are measured; the ratios in the
table need the groups store and numpy.
"""

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import weightinit_fast as wi

from ..cases import layouts, new_arrays, ours, peers, store_limit, words
from ..cases.case import Case
from ..report import fills_table, results
from . import machine
from .timing import measure, resident

#: Group -> what it measures.
GROUPS = {
    "plain": "uniform, normal, truncated normal in four types, by every set; other initialisers",
    "words": "the random words alone, streamed and in the cache",
    "layouts": "column slices, rows, every 2nd row, Fortran order",
    "new-arrays": "fills that make their array",
    "store": "non-temporal stores and memset: the store limit",
    "numpy": "NumPy's generators",
    "mkl": "oneMKL's vector statistics, where mkl is installed",
    "torch": "torch's in-place fills, where torch is installed",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    about = "; ".join(f"{name}: {what}" for name, what in GROUPS.items())
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"the cases to measure (all). {about}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="64 MiB, and fewer variants of the other libraries"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--size-mib", type=int, metavar="N", help="the buffer (1024; quick: 64)")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (7; quick: 9)")
    parser.add_argument(
        "--only", metavar="REGEX", help="only the cases whose name matches; see bench/README.md"
    )
    parser.add_argument("--all", action="store_true", help="show every variant of every library")
    parser.add_argument(
        "--align", type=int, metavar="BYTES", help="begin the buffer on a multiple of BYTES"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    size_mib = args.size_mib or (64 if args.quick else 1024)
    repeats = args.repeats or (9 if args.quick else 7)
    if min(size_mib, repeats, args.align or 1) < 1:
        raise SystemExit("--size-mib, --repeats and --align must be at least 1")
    if unknown := set(args.groups) - set(GROUPS):
        raise SystemExit(f"no such group: {', '.join(unknown)}; there are: {', '.join(GROUPS)}")
    started = time.perf_counter()
    facts = machine.describe()
    threads = sorted({1, int(wi.info()["threads"])})
    cases, found = collect(args.groups or list(GROUPS), args.quick, threads)
    cases = [case for case in cases if re.search(args.only or "", case.name)]
    print(machine.heading(facts, found))
    buffer = resident(size_mib << 20, args.align)
    rows = measure(cases, buffer, repeats, args.seed)
    fills_table.add_ratios(rows)
    seconds = time.perf_counter() - started
    alignment = int(buffer.ctypes.data & -buffer.ctypes.data)
    print(
        f"{len(cases)} cases, {repeats} repetitions, {size_mib} MiB resident, "
        f"begins on a multiple of {alignment} bytes, {seconds:.0f} s\n"
    )
    print(fills_table.table(rows, args.all))
    if args.json:
        settings = {
            "quick": args.quick,
            "groups": args.groups,
            "only": args.only,
            "size_mib": size_mib,
            "repeats": repeats,
            "threads": threads,
            "seed": args.seed,
            "seconds": seconds,
            "buffer_alignment": alignment,
        }
        results.save(args.json, machine.document(facts, "fills", settings, rows, found))
    return 0


def collect(
    groups: list[str], quick: bool, threads: list[int]
) -> tuple[list[Case], dict[str, str]]:
    """Return the cases that can run here, and how each other library was found, or why not."""
    library, compiler = store_limit.load() if {"store", "new-arrays"} & set(groups) else (None, "")
    found = {"store limit": compiler} if compiler else {}
    make: dict[str, Callable[[], list[Case]]] = {
        "plain": lambda: ours.cases(threads),
        "words": lambda: words.cases(threads),
        "layouts": lambda: layouts.cases(threads),
        "new-arrays": lambda: new_arrays.cases(threads, library),
        "store": lambda: store_limit.cases(threads, library) if library else [],
        "numpy": lambda: peers.numpy_cases(threads, quick),
        "mkl": lambda: _mkl(threads, quick, found),  # MKL before torch, which brings its own copy
        "torch": lambda: _torch(threads, found),
    }
    return [case for name in make if name in groups for case in make[name]()], found


def _mkl(threads: list[int], quick: bool, found: dict[str, str]) -> list[Case]:
    mkl: Any = peers.load_mkl()
    found["mkl"] = machine.installed("mkl") or "unknown version" if mkl else "not installed"
    return peers.mkl_cases(threads, mkl, quick) if mkl else []


def _torch(threads: list[int], found: dict[str, str]) -> list[Case]:
    try:
        cases = peers.torch_cases(threads)
    except ImportError:
        found["torch"] = "not installed"
        return []
    found["torch"] = machine.installed("torch") or "unknown version"
    return cases
