"""Seconds to build torch models: stock, in fast_init, and by materialize, interleaved.

Every figure comes from a fresh process (workers/torch_worker.py), so that memory is fresh too, as
it is where a program builds its model. (The machine has it ready: see workers/page_holder.py.)
Every repetition goes once through all ways in a shuffled order. torch and this package get as many
threads. "of stock" is how many times faster a way is, in medians. The sizes of --quick are those of
other models, and its ratios say nothing about the goals.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median

from ..report import results
from ..workers.torch_worker import FAST, FULL, MATERIALIZE, MODELS, QUICK, STOCK, WAYS
from . import machine

WORKER = Path(__file__).parent.parent / "workers/torch_worker.py"
#: (model, way) -> how many times faster than stock it should be on two threads.
GOALS = {
    ("GPT-2 medium", FAST): 8.0,
    ("4-GB table", FAST): 8.0,
    ("GPT-2 medium", MATERIALIZE): 15.0,
    ("4-GB table", MATERIALIZE): 15.0,
    ("10,000 Linear(16, 16)", FAST): 1.0,
}
GOAL_THREADS = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="small models, once, on two threads")
    parser.add_argument("--repeats", type=int, default=3, help="how often each way runs (3)")
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="(1 and 2)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help=f"({', '.join(MODELS)})")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="(all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def once(model: str, way: str, threads: int, size: str) -> results.Row | str:
    """Build a model in a process of its own; return a text where that does not work here."""
    command = [sys.executable, str(WORKER), model, way, str(threads), size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    row: results.Row = json.loads(done.stdout.splitlines()[-1])
    return f"no {row['missing']}" if "missing" in row else row


def main(args: argparse.Namespace) -> int:
    """Measure, and print a table."""
    if machine.installed("torch") is None:
        print("not measured: torch is not installed")
        return 0
    unknown = sorted(set(args.models or ()) - MODELS.keys())
    if unknown:
        print(f"no model is called {unknown[0]}: they are {', '.join(MODELS)}", file=sys.stderr)
        return 2
    size, repeats = (QUICK, 1) if args.quick else (FULL, args.repeats)
    counts = args.threads or ([GOAL_THREADS] if args.quick else [1, GOAL_THREADS])
    facts = machine.describe()
    print(machine.heading(facts, {}))
    print(f"{'small models' if args.quick else 'full size'}, {repeats} repetitions\n", flush=True)
    rows = []
    for model in args.models or MODELS:
        for threads in counts:
            found: dict[str, list[results.Row]] = {}
            for _ in range(repeats):
                for way in random.sample(args.ways, len(args.ways)):
                    outcome = once(model, way, threads, size)
                    if isinstance(outcome, str):
                        if found.setdefault(way, []) == []:
                            print(f"{model}, {way}: not measured: {outcome}")
                    else:
                        found.setdefault(way, []).append(outcome)
            shown = [_row(model, way, threads, found[way]) for way in args.ways if found.get(way)]
            _print(shown, judged=not args.quick)
            rows += shown
    if args.json:
        settings = {"quick": args.quick, "repeats": repeats, "threads": counts}
        results.save(args.json, machine.document(facts, "torch", settings, rows, {}))
    return 0


def _row(model: str, way: str, threads: int, runs: list[results.Row]) -> results.Row:
    seconds = [run["seconds"] for run in runs]
    return {
        "name": f"torch {model} {way} t{threads}",
        "model": model,
        "way": way,
        "threads": threads,
        "bytes": runs[0]["bytes"],
        "tensors": runs[0]["tensors"],
        "samples": 1,
        "seconds": seconds,
        "median_gbs": runs[0]["bytes"] / median(seconds) / 1e9,
        "best_gbs": runs[0]["bytes"] / min(seconds) / 1e9,
        "cpu_seconds": [run["cpu_seconds"] for run in runs],
    }


def _print(rows: list[results.Row], judged: bool) -> None:
    stock = [median(row["seconds"]) for row in rows if row["way"] == STOCK]
    for row in rows:
        seconds = median(row["seconds"])
        line = f"{row['model']:22} {row['threads']} threads  {row['way']:11} {seconds:8.3f} s"
        line += f"  cpu {median(row['cpu_seconds']):7.3f} s  {row['median_gbs']:6.2f} GB/s"
        if stock and row["way"] != STOCK:
            ratio = stock[0] / seconds
            line += f"  {ratio:6.2f} of stock"
            goal = GOALS.get((row["model"], row["way"]))
            if judged and goal is not None and row["threads"] == GOAL_THREADS:
                line += f", goal {goal:g}: {'met' if ratio >= goal else 'short'}"
        print(line, flush=True)
