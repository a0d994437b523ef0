"""How much memory a fill takes beyond its output: the peak resident size, by Linux's own count.

Each figure comes from a fresh process (workers/memory_worker.py). "resident" fills a buffer whose
pages all exist (out=). "new array" lets the fill allocate its output. "lazy zeros" is a new array
of zeros, whose pages must not be made at all, so nothing is subtracted for the output. The count
before the fill is taken after the import and after a key was made from a seed. All memory that the
fill takes counts, that of its threads and their stacks included. The exit status is 1 where a
figure is above 1024 KiB.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from ..report import results
from ..workers.memory_worker import WAYS
from . import machine

DTYPES = ("float32", "float64")
LIMIT_KIB = 1024
SIZES, QUICK_SIZES = (1, 64, 2048), (64,)
WORKER = Path(__file__).parent.parent / "workers/memory_worker.py"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="64 MiB only")
    parser.add_argument("--size-mib", type=int, nargs="+", metavar="N", help="outputs (1 64 2048)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def measured(way: str, dtype: str, size_mib: int) -> int:
    """Return the KiB that a fresh process measured."""
    command = [sys.executable, "-I", str(WORKER), way, dtype, str(size_mib << 20)]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(shown.stdout.split()[-1])  # an editable install may print something before


def main(args: argparse.Namespace) -> int:
    """Measure every way in its own process; return 1 if one took more than is allowed."""
    if not Path("/proc/self/status").exists():
        print("not measured: this system has no /proc/self/status")
        return 0
    facts = machine.describe()
    sizes = args.size_mib or (QUICK_SIZES if args.quick else SIZES)
    rows: list[results.Row] = []
    print(machine.heading(facts, {}))
    print("normal: KiB of peak memory beyond the output; zeros: beyond what was there before\n")
    for way, dtype, size_mib in [(w, d, n) for w in WAYS for d in DTYPES for n in sizes]:
        kib = measured(way, dtype, size_mib)
        rows.append({"name": f"{way} {dtype} of {size_mib} MiB", "kib": kib})
        verdict = "ok" if kib <= LIMIT_KIB else f"more than {LIMIT_KIB}"
        print(f"{way:16} {dtype:8} {size_mib:>5} MiB {kib:>8}  {verdict}")
    if args.json:
        settings = {"quick": args.quick, "size_mib": list(sizes)}
        results.save(args.json, machine.document(facts, "memory", settings, rows, {}))
    return int(any(row["kib"] > LIMIT_KIB for row in rows))
