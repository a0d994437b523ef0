"""Draws of Keras variables: `wi.keras.initializers` beside `keras.initializers`, on each backend.

Single variables of float32 and bfloat16, and a model whose layers have Keras's default initialisers
or, in a scope with ours, this package's. Every repetition draws each case once, in a shuffled
order, in one process for each backend. Compare the ratios, not the rates: what is drawn goes to new
memory, so that the system makes pages during each draw.

It needs the package keras, and jax or torch or tensorflow.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import weightinit_fast as wi

from ..report import results
from ..workers.keras_worker import OURS, THEIRS
from . import machine

WORKER = Path(__file__).parent.parent / "workers/keras_worker.py"
BACKENDS = ("jax", "torch", "tensorflow")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="2^22 elements, 3 repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (9; quick: 3)")
    parser.add_argument("--log-elements", type=int, metavar="N", help="2^N of each (26; quick: 22)")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, help="those that are installed")


def rates(backend: str, elements: int, repeats: int) -> list[results.Row]:
    """Return the rows of all cases on a backend."""
    command = [sys.executable, "-P", str(WORKER), str(elements), str(repeats)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    shown = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[results.Row] = []
    for library, what, dtype, seconds in json.loads(shown.stdout.splitlines()[-1]):
        rows.append(
            {
                "name": f"{library} {backend} {what} {dtype}",
                "library": library,
                "variant": backend,
                "what": what,
                "dtype": dtype,
                "threads": wi.info()["threads"],
                "bytes": elements * (4 if dtype == "float32" else 2),
                "elements": elements,
                "samples": 1,
                "seconds": seconds,
            }
        )
    return rows


def table(rows: list[results.Row]) -> str:
    """Return the rates by case, and ours beside Keras's."""
    by_case = {(r["library"], r["variant"], r["what"], r["dtype"]): r for r in rows}
    lines = [f"{'':42} {'ours, GB/s':>15} {'Keras, GB/s':>15} {'ours/Keras':>22}"]
    lines.append(f"{'':42} {'median':>8} {'best':>6} {'median':>8} {'best':>6}")
    for (library, *case), ours in by_case.items():
        if library != OURS:
            continue
        theirs = by_case[THEIRS, case[0], case[1], case[2]]
        low, high = results.quartiles(results.repetition_ratios(ours, theirs))
        ratio = f"{results.ratio(ours, theirs):.1f} ({low:.1f} to {high:.1f})"
        lines.append(f"{' '.join(case):42} {_rates(ours)} {_rates(theirs)} {ratio:>22}")
    return "\n".join(lines)


def _rates(row: results.Row) -> str:
    rate, best = (row["bytes"] / of(row["seconds"]) / 1e9 for of in (median, min))
    return f"{rate:8.2f} {best:6.2f}"


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    there = [name for name in BACKENDS if machine.installed(name) is not None]
    backends = args.backends or there
    if machine.installed("keras") is None or not backends:
        print("not measured: keras and a backend of it are not installed")
        return 0
    repeats = args.repeats or (3 if args.quick else 9)
    exponent = args.log_elements or (22 if args.quick else 26)
    if repeats < 1 or not 13 <= exponent <= 40:
        raise SystemExit("--repeats must be at least 1, and --log-elements 13 to 40")
    facts = machine.describe()
    found = {name: machine.installed(name) for name in ("keras", *backends)}
    print(machine.heading(facts, found))
    print(f"2^{exponent} elements; {repeats} repetitions\n")
    rows = [row for name in backends for row in rates(name, 1 << exponent, repeats)]
    print(table(rows))
    if args.json:
        settings = {"quick": args.quick, "repeats": repeats, "elements": 1 << exponent}
        results.save(args.json, machine.document(facts, "keras", settings, rows, found))
    return 0
