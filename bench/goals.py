"""The goals, met or short: measured here and now, or read from results.

    python bench/goals.py [--quick] [--only NAME] [--json FILE] [--markdown FILE]
    python bench/goals.py RESULT.json ...

Without results it runs what the goals need: run.py, growth.py, small_calls.py and memory.py, each
in a process of its own; what they print goes to stderr. The exit status is 1 where a goal is short,
except in the quick mode, whose figures are rough.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase, translate
from pathlib import Path

import machine
import results
from goal_list import GOALS, KIB, RATE, Goal
from judge import MET, MISSING, SHORT, Result, judge, pattern, thread_counts

import weightinit_fast as wi

HERE = Path(__file__).parent
COMMAND = "python bench/goals.py --only {}"
SIZED = ("run.py",)  # take --size-mib
SELECTED = ("run.py", "growth.py")  # take --only
HEAD = ("goal", "threads", "limit", "median", "spread", "verdict", "of several, the worst for us")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULT.json", help="judge these")
    parser.add_argument("--quick", action="store_true", help="a smoke test, a minute at most")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="this goal; * and ? stand for others' names"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, joined")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--size-mib", type=int, metavar="N", help="run.py's buffer")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions of each script")
    args = parser.parse_args()
    if args.results and (args.quick or args.size_mib or args.repeats):
        parser.error("--quick, --size-mib and --repeats are for measuring, not for given results")
    args.goals = [
        goal
        for goal in GOALS
        if not args.only or any(fnmatchcase(goal.name, name) for name in args.only)
    ]
    if not args.goals:
        parser.error(f"no such goal; there are: {', '.join(goal.name for goal in GOALS)}")
    return args


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


def run(args: argparse.Namespace) -> results.Document:
    """Run the scripts that the goals need; return their results."""
    documents = []
    with tempfile.TemporaryDirectory() as folder:
        for script in dict.fromkeys(goal.script for goal in args.goals):
            target = Path(folder, script).with_suffix(".json")
            command = [sys.executable, str(HERE / script), "--json", str(target)]
            command += ["--quick"] if args.quick else []
            if args.repeats and script != "memory.py":
                command += ["--repeats", str(args.repeats)]
            if args.size_mib and script in SIZED:
                command += ["--size-mib", str(args.size_mib)]
            if args.only and script in SELECTED:
                own = [goal for goal in args.goals if goal.script == script]
                command += ["--only", cases_needed(own)]
            print(f"-- {script}", file=sys.stderr, flush=True)
            status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
            if target.exists():  # memory.py's status is a verdict
                documents.append(json.loads(target.read_text()))
            elif status:
                raise SystemExit(f"{script} failed")
    return results.join(documents)


def cells(result: Result) -> tuple[str, ...]:
    """Return a row of the table, without its command."""
    goal = result.goal
    unit = " KiB" if goal.kind == KIB else ""
    limit = f"{'≥' if goal.kind == RATE else '≤'} {goal.limit:g}{unit}"

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}{unit}" if unit else f"{value:.3g}"

    spread = f"{result.spread.low:.3g} to {result.spread.high:.3g}" if result.spread else "-"
    return (
        goal.name,
        str(result.threads),
        limit,
        number(result.value),
        spread,
        result.verdict,
        result.note,
    )


def text(rows: list[tuple[str, ...]]) -> str:
    """Return a table to read in a terminal."""
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [HEAD, *rows]
    ]
    return "\n".join([*lines, "", "each by: " + COMMAND.format("GOAL")])


def markdown(rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown, with the command of every row."""
    lines = ["| " + " | ".join((*HEAD, "command")) + " |", "|---" * (len(HEAD) + 1) + "|"]
    for row in rows:
        command = f"`{COMMAND.format(row[0])}`"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (*row, command)) + " |")
    return "\n".join(lines)


def summary(judged: list[Result], document: results.Document) -> str:
    """Return how many goals are met, and what the figures are."""
    counts = [f"{sum(r.verdict == v for r in judged)} {v}" for v in (MET, SHORT, MISSING)]
    repeats = {name: s["repeats"] for name, s in document["settings"].items() if "repeats" in s}
    shown = ", ".join(f"{name} {count}" for name, count in repeats.items())
    sizes = [f"{s['size_mib']} MiB" for n, s in document["settings"].items() if n == "run"]
    return (
        f"{', '.join(counts)}. Median: ratio of medians; spread: quartiles of the ratios within "
        f"each repetition ({shown or 'none'}); buffer of {', '.join(sizes) or 'no run'}."
    )


def main() -> int:
    """Judge, print, write; return 1 where a goal is short and that counts."""
    args = arguments()
    document = results.load(args.results) if args.results else run(args)
    if args.json:
        results.save(args.json, document)
    judged = judge(args.goals, document)
    rows = [cells(result) for result in judged]
    about = summary(judged, document)
    heading = machine.heading(document["machine"], document["found"])
    print(f"{heading}\n\n{text(rows)}\n{about}")
    if args.markdown:
        lines = re.sub("^", "    ", heading, flags=re.MULTILINE)
        args.markdown.write_text(f"{lines}\n\n{markdown(rows)}\n\n{about}\n")
    quick = any(settings.get("quick") for settings in document["settings"].values())
    if quick:
        print("Quick: nothing is enforced.")
    return int(not quick and any(result.verdict == SHORT for result in judged))


if __name__ == "__main__":
    sys.exit(main())
