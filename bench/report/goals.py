"""The goals: promises, which must hold, and ambitions, which are reported.

Without RESULT.json the command runs the commands that the goals need: fills, growth, small-calls
and memory, each in a process of its own; what they print goes to stderr. The exit status is 1 if a
promise is broken: the ratio of the medians and that of the best samples both miss it, and both miss
it again when the goal is measured once more. Ambitions never fail. A goal whose other library is
not installed stays in the table, which says so.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase, translate
from pathlib import Path

import weightinit_fast as wi

from .. import ROOT
from ..measure import machine
from . import results
from .goal_list import GOALS, KIB, RATE, Goal
from .judge import BROKEN, HELD, MET, MISSING, SHORT, Result, judge, pattern, thread_counts

SIZED = ("fills",)  # the commands that take --size-mib
SELECTED = ("fills", "growth")  # the commands that take --only
REPEATED = ("fills", "growth", "small-calls")  # the commands that take --repeats
HEAD = ("goal", "threads", "promise", "", "ambition", "", "median", "best", "spread", "note")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULT.json", help="judge these")
    add_options(parser)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, joined")
    parser.set_defaults(promises=False)


def configure_promises(parser: argparse.ArgumentParser) -> None:
    """Add the options, for the goals that have a promise."""
    configure(parser)
    parser.set_defaults(promises=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to measure."""
    parser.add_argument("--quick", action="store_true", help="smaller buffers, fewer repetitions")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="only this goal; in NAME * stands for any letters, ? for one",
    )
    parser.add_argument("--size-mib", type=int, metavar="N", help="the buffer of fills")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions of each command")


def chosen(args: argparse.Namespace) -> list[Goal]:
    """Return the goals that the options ask for."""
    if args.results and (args.quick or args.size_mib or args.repeats):
        raise SystemExit("--quick, --size-mib and --repeats are for measuring, not for results")
    goals = [
        goal
        for goal in GOALS
        if not args.only or any(fnmatchcase(goal.name, name) for name in args.only)
    ]
    goals = [goal for goal in goals if goal.promise is not None or not args.promises]
    if not goals:
        raise SystemExit(f"no such goal; there are: {', '.join(goal.name for goal in GOALS)}")
    return goals


def cases_needed(goals: Sequence[Goal]) -> str:
    """Return a regular expression of the cases that goals are judged by."""
    info = wi.info()
    here = {"machine": {"weightinit_fast": info}}
    return "|".join(
        sorted(
            {
                translate(pattern(side, here, threads))
                for goal in goals
                for side in (goal.top, goal.bottom)
                for threads in thread_counts(goal, info["threads"])
            }
        )
    )


def run(goals: Sequence[Goal], args: argparse.Namespace) -> results.Document:
    """Run the commands that the goals need; return their results."""
    documents = []
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys(goal.command for goal in goals):
            target = Path(folder, f"{name}.json")
            command = [sys.executable, "-m", "bench", name, "--json", str(target)]
            command += ["--quick"] if args.quick else []
            if args.repeats and name in REPEATED:
                command += ["--repeats", str(args.repeats)]
            if args.size_mib and name in SIZED:
                command += ["--size-mib", str(args.size_mib)]
            own = [goal for goal in goals if goal.command == name]
            if len(own) < sum(goal.command == name for goal in GOALS) and name in SELECTED:
                command += ["--only", cases_needed(own)]
            print(f"-- {name}", file=sys.stderr, flush=True)
            status = subprocess.run(
                command, stdout=sys.stderr, check=False, cwd=ROOT, env=environment
            ).returncode
            if target.exists():  # memory's exit status is a verdict, no failure
                documents.append(json.loads(target.read_text()))
            elif status:
                raise SystemExit(f"{name} failed")
    return results.join(documents)


def measure(goals: Sequence[Goal], args: argparse.Namespace) -> results.Document:
    """Measure the goals, and those whose promise seems broken once more."""
    document = run(goals, args)
    broken = [r.goal for r in judge(goals, document) if r.promise == BROKEN]
    if broken:
        names = ", ".join(dict.fromkeys(goal.name for goal in broken))
        print(f"-- once more, since broken at first: {names}", file=sys.stderr, flush=True)
        document["second"] = run(list(dict.fromkeys(broken)), args)
    return document


def cells(result: Result) -> tuple[str, ...]:
    """Return a row of the table."""
    goal = result.goal
    unit = " KiB" if goal.kind == KIB else ""
    sign = "≥" if goal.kind == RATE else "≤"

    def limit(value: float | None) -> str:
        return "" if value is None else f"{sign} {value:g}{unit}"

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}{unit}" if unit else f"{value:.3g}"

    spread = f"{result.spread.low:.3g} to {result.spread.high:.3g}" if result.spread else "-"
    return (
        goal.name,
        str(result.threads),
        limit(goal.promise),
        result.promise,
        limit(goal.ambition),
        result.ambition,
        number(result.median),
        number(result.best),
        spread,
        result.note,
    )


def text(rows: list[tuple[str, ...]]) -> str:
    """Return a table to read."""
    table = [HEAD, *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def markdown(rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def summary(judged: list[Result], document: results.Document) -> str:
    """Return how many promises hold and ambitions are met, and what the figures are."""
    promises = [f"{sum(r.promise == v for r in judged)} {v}" for v in (HELD, BROKEN)]
    ambitions = [f"{sum(r.ambition == v for r in judged)} {v}" for v in (MET, SHORT, MISSING)]
    settings = document["settings"]
    repeats = ", ".join(f"{n} {s['repeats']}" for n, s in settings.items() if "repeats" in s)
    sizes = [f"{s['size_mib']} MiB" for n, s in settings.items() if n == "fills"]
    return (
        f"promises: {', '.join(promises)}; ambitions: {', '.join(ambitions)}\n"
        "median: ratio of the medians; best: of the best samples; spread: quartiles of the ratios "
        f"within each repetition\nrepetitions: {repeats or 'none'}; buffer of fills: "
        f"{', '.join(sizes) or 'none'}; measure one goal: python -m bench goals --only GOAL"
    )


def main(args: argparse.Namespace) -> int:
    """Measure or load, judge, print, write; return 1 where a promise is broken."""
    goals = chosen(args)
    document = results.load(args.results) if args.results else measure(goals, args)
    if args.json:
        results.save(args.json, document)
    judged = judge(goals, document)
    rows = [cells(result) for result in judged]
    about = summary(judged, document)
    heading = machine.heading(document["machine"], document["found"])
    print(f"{heading}\n\n{text(rows)}\n\n{about}")
    if args.markdown:
        lines = re.sub("^", "    ", heading, flags=re.MULTILINE)
        args.markdown.write_text(f"{lines}\n\n{markdown(rows)}\n\n{about}\n")
    broken = [result for result in judged if result.promise == BROKEN]
    for result in broken:
        print(f"broken: {result.name}: {result.top} beside {result.bottom or 'its limit'}")
    return int(bool(broken))
