"""Draws into JAX arrays: `wi.jax.initializers` beside `jax.nn.initializers`, which call jax.random.

Normals, truncated normals and uniforms of float32 and bfloat16: eager, in jax.jit, and shared by
8 devices of the CPU. Every repetition draws each case once, in a shuffled order, in one process for
each number of devices. JAX draws on all cores, as this package does. Compare the ratios, not the
rates: what is drawn goes to new memory, so that the system makes pages during each draw.

The second table says how much memory a draw takes beyond its output, each figure in a fresh
process: the peak resident size by Linux's count. (JAX's eager draw compiles meanwhile, which is a
part of its figure; what a jitted function compiles is no part of it.)

It needs the package jax.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import weightinit_fast as wi

from ..report import results
from ..workers.jax_worker import DTYPES, EAGER, JIT, OURS, THEIRS, WHATS
from . import machine

WORKER = Path(__file__).parent.parent / "workers/jax_worker.py"
DEVICES = (1, 8)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="2^24 elements, 3 repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (9; quick: 3)")
    parser.add_argument("--log-elements", type=int, metavar="N", help="2^N of each (27; quick: 24)")


def worker(*arguments: object) -> Any:
    """Return what a fresh process measured."""
    command = [sys.executable, "-P", str(WORKER), *map(str, arguments)]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1])  # an editable install may print before


def rates(devices: int, elements: int, repeats: int) -> list[results.Row]:
    """Return the rows of all cases on a number of devices."""
    rows: list[results.Row] = []
    for library, way, what, dtype, seconds in worker("rates", devices, elements, repeats):
        itemsize = 4 if dtype == "float32" else 2
        rows.append(
            {
                "name": f"{library} {way} {what} {dtype}",
                "library": library,
                "variant": way,
                "what": what,
                "dtype": dtype,
                "threads": wi.info()["threads"],
                "bytes": elements * itemsize,
                "elements": elements,
                "samples": 1,
                "seconds": seconds,
            }
        )
    return rows


def table(rows: list[results.Row]) -> str:
    """Return the rates by case, and ours beside JAX's."""
    by_case = {(r["library"], r["variant"], r["what"], r["dtype"]): r for r in rows}
    lines = [f"{'':48} {'ours, GB/s':>15} {'JAX, GB/s':>15} {'ours/JAX':>22}"]
    lines.append(f"{'':48} {'median':>8} {'best':>6} {'median':>8} {'best':>6}")
    for (library, *case), ours in by_case.items():
        if library != OURS:
            continue
        line = f"{' '.join(case):48} {_rates(ours)}"
        theirs = by_case.get((THEIRS, *case))  # type: ignore[arg-type]
        if theirs:
            low, high = results.quartiles(results.repetition_ratios(ours, theirs))
            ratio = f"{results.ratio(ours, theirs):.1f} ({low:.1f} to {high:.1f})"
            line += f" {_rates(theirs)} {ratio:>22}"
        lines.append(line)
    return "\n".join(lines)


def _rates(row: results.Row) -> str:
    rate, best = (row["bytes"] / of(row["seconds"]) / 1e9 for of in (median, min))
    return f"{rate:8.2f} {best:6.2f}"


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    version = machine.installed("jax")
    if version is None:
        print("not measured: jax is not installed")
        return 0
    repeats = args.repeats or (3 if args.quick else 9)
    exponent = args.log_elements or (24 if args.quick else 27)
    if repeats < 1 or not 13 <= exponent <= 40:
        raise SystemExit("--repeats must be at least 1, and --log-elements 13 to 40")
    elements = 1 << exponent
    facts = machine.describe()
    found = {"jax": version, "XLA's FFI": "built" if wi.info()["xla_ffi"] else "not built"}
    print(machine.heading(facts, found))
    print(f"2^{exponent} elements; {repeats} repetitions\n")
    rows = [row for devices in DEVICES for row in rates(devices, elements, repeats)]
    print(table(rows))
    rows += peaks(elements)
    if args.json:
        settings = {"quick": args.quick, "repeats": repeats, "elements": elements}
        results.save(args.json, machine.document(facts, "jax", settings, rows, found))
    return 0


def peaks(elements: int) -> list[results.Row]:
    """Measure and print the peak memory of each case on one device."""
    if not Path("/proc/self/clear_refs").exists():
        print("\nmemory is not measured: this system has no /proc/self/clear_refs")
        return []
    rows: list[results.Row] = []
    print("\npeak memory beyond the output, KiB, and beside the output")
    for what in WHATS:
        for dtype in DTYPES:
            output = elements * (4 if dtype == "float32" else 2) // 1024
            for library, way in ((OURS, EAGER), (OURS, JIT), (THEIRS, EAGER), (THEIRS, JIT)):
                name = f"{library} {way} {what} {dtype}"
                kib = worker("memory", f"{library}:{way}:{what}:{dtype}", elements)
                rows.append({"name": f"memory {name}", "kib": kib})
                print(f"{name:48} {kib:>10} {kib / output:>8.2f}")
    return rows
