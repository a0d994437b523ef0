"""What got worse since the baseline: the goals' ratios, beside those that the repository keeps.

bench/baseline.json holds entries. An entry has the ratios of all goals that were measured under
some conditions (processor, instruction set, threads, CPython, size of the buffer), with commit and
date. This command measures the goals, or reads results, and finds the entry of the same conditions.
It names the goals that got worse by more than a factor, in the ratio of the medians *and* in the
ratio of the best samples; memory must also have grown by more than 256 KiB. A goal that seems worse
is measured once more, and the exit status is 1 if it is worse again. If no entry has the conditions
of the run, because the processor is another one, for example, the command refuses to judge and says
so, and the exit status is 0. A goal beside a library whose version is not that of the entry is left
out.

With --record the command writes the entry of the present conditions, in place of the former one.
With --baseline FILE you keep a baseline of your own: record it before a change, and compare with it
after the change.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from .. import ROOT
from ..measure import machine
from . import goals, results
from .goal_list import GOALS, KIB, RATE, Goal
from .judge import MISSING, Result, judge
from .results import Document

Entry = dict[str, Any]
KEPT = ROOT / "bench/baseline.json"
FACTOR = 1.5
LEAST_KIB = 256
FIGURES = ("median", "best")
SAME, BETTER, WORSE = "same", "better", "WORSE"
#: The libraries that goals are judged beside, and whose versions an entry holds.
LIBRARIES = ("numpy", "torch", "mkl")


class Change(NamedTuple):
    """One goal in the baseline and now."""

    goal: Goal
    name: str
    before: dict[str, float]
    after: dict[str, float]
    verdict: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="RESULT.json",
        help="compare these results of goals instead of measuring",
    )
    goals.add_options(parser)
    parser.add_argument(
        "--baseline",
        type=Path,
        default=KEPT,
        metavar="FILE",
        help="the baseline to compare with or to write (bench/baseline.json)",
    )
    parser.add_argument(
        "--factor",
        type=float,
        default=FACTOR,
        help=f"a change by more than this factor counts ({FACTOR})",
    )
    parser.add_argument(
        "--again", action="store_true", help="with RESULT.json: measure here what seems worse"
    )
    parser.add_argument("--all", action="store_true", help="also show what did not change")
    parser.add_argument("--record", action="store_true", help="write the entry; compare nothing")
    parser.add_argument(
        "--quiet-machine", action="store_true", help="with --record: note that nothing else ran"
    )
    parser.set_defaults(promises=False)


def conditions(document: Document) -> dict[str, Any]:
    """Return a run's conditions: processor, instruction set, threads, Python, buffer size."""
    facts = document["machine"]
    own = facts["weightinit_fast"]
    return {
        "processor": facts["cpu"],
        "isa": own["isa"],
        "threads": own["threads"],
        "python": ".".join(facts["python"].split(".")[:2]),
        "size_mib": document["settings"].get("fills", {}).get("size_mib"),
    }


def figures(document: Document) -> dict[str, dict[str, float]]:
    """Return the two ratios of every goal that was measured; for memory both are the KiB."""
    return {
        result.name: {"median": result.median, "best": result.best}
        for result in judge(GOALS, document)
        if result.ambition != MISSING and result.median is not None and result.best is not None
    }


def entry(document: Document, shared: bool) -> Entry:
    """Return what the baseline keeps of a run."""
    facts = document["machine"]
    settings = document["settings"]
    return conditions(document) | {
        "commit": facts["commit"],
        "date": facts["date"][:10],
        "measured_on": "a shared machine" if shared else "a quiet machine",
        "system": facts["system"],
        "compiler": facts["weightinit_fast"]["compiler"],
        "versions": {name: facts[name] for name in LIBRARIES},
        "repetitions": {n: s["repeats"] for n, s in settings.items() if "repeats" in s},
        "ratios": {
            name: {key: round(value, 4) for key, value in pair.items()}
            for name, pair in figures(document).items()
        },
    }


def load(path: Path) -> list[Entry]:
    """Return the entries of a baseline, or none if the file does not exist."""
    found: list[Entry] = json.loads(path.read_text())["entries"] if path.exists() else []
    for kept in found:
        pairs = kept["ratios"].items()
        kept["ratios"] = {name: dict(zip(FIGURES, pair, strict=True)) for name, pair in pairs}
    return found


def save(path: Path, entries: list[Entry]) -> None:
    """Write a baseline; each goal has a line, with the ratios of its medians and best samples."""
    written = [
        kept | {"ratios": {n: [pair[f] for f in FIGURES] for n, pair in kept["ratios"].items()}}
        for kept in entries
    ]
    text = json.dumps({"figures": FIGURES, "entries": written}, indent=1)
    path.write_text(re.sub(r"\[\s+([^\s\]]+,)\s+([^\s\]]+)\s+\]", r"[\1 \2]", text) + "\n")


def same_conditions(entries: list[Entry], document: Document) -> Entry | None:
    """Return the entry with the conditions of a run; a run without fills has no buffer size."""
    wanted = {key: value for key, value in conditions(document).items() if value is not None}
    for kept in entries:
        if all(kept.get(key) == value for key, value in wanted.items()):
            return kept
    return None


def differences(entries: list[Entry], document: Document) -> list[str]:
    """Return, for each entry, which of its conditions differ from those of the run."""
    wanted = conditions(document)
    return [
        f"entry of {kept['date']}: other "
        + ", ".join(k for k in wanted if kept.get(k) != wanted[k])
        for kept in entries
    ]


def verdict(goal: Goal, before: dict[str, float], after: dict[str, float], factor: float) -> str:
    """Return whether both figures changed by more than the factor, and for better or worse."""
    gains = [after[key] / max(before[key], 1e-9) for key in FIGURES]
    if goal.kind != RATE:
        gains = [1 / max(gain, 1e-9) for gain in gains]
    if goal.kind == KIB and abs(after["median"] - before["median"]) <= LEAST_KIB:
        return SAME
    if max(gains) < 1 / factor:
        return WORSE
    return BETTER if min(gains) > factor else SAME


def changes(kept: Entry, document: Document, wanted: list[Goal], factor: float) -> list[Change]:
    """Return every goal that the entry and the run have, beside the same version of its library."""
    now = figures(document)
    found = []
    for result in judge(wanted, document):
        before, after = kept["ratios"].get(result.name), now.get(result.name)
        if before and after and not other_version(result, kept, document):
            moved = verdict(result.goal, before, after, factor)
            found.append(Change(result.goal, result.name, before, after, moved))
    return found


def once_more(kept: Entry, found: list[Change], args: argparse.Namespace) -> list[Change]:
    """Measure again what seems worse; return all changes, with the second verdict on those."""
    worse = list(dict.fromkeys(change.goal for change in found if change.verdict == WORSE))
    if not worse:
        return found
    document = goals.run(worse, args)
    second = {change.name: change for change in changes(kept, document, worse, args.factor)}
    return [
        second.get(change.name, change) if change.verdict == WORSE else change for change in found
    ]


def other_version(result: Result, kept: Entry, document: Document) -> bool:
    """Return whether the other library of a goal has another version than in the entry."""
    library = result.bottom.partition(" ")[0]
    return library in LIBRARIES and kept["versions"][library] != document["machine"][library]


def main(args: argparse.Namespace) -> int:
    """Measure or load, and compare with the entry or record a new one."""
    wanted = goals.chosen(args)
    if args.record and args.only:
        raise SystemExit("--record takes all goals: leave out --only")
    document = results.load(args.results) if args.results else goals.measure(wanted, args)
    entries = load(args.baseline)
    if args.record:
        others = [kept for kept in entries if kept is not same_conditions(entries, document)]
        made = entry(document, not args.quiet_machine)
        save(args.baseline, [*others, made])
        print(f"{args.baseline.name}: {len(made['ratios'])} ratios of commit {made['commit']}")
        return 0
    print(machine.heading(document["machine"], {}))
    kept = same_conditions(entries, document)
    if kept is None:
        print("not judged: the baseline has no entry of these conditions")
        print("\n".join(differences(entries, document)))
        return 0
    found = changes(kept, document, wanted, args.factor)
    if args.results and args.again:
        settings = document["settings"].get("fills", {})
        args.quick, args.size_mib = settings.get("quick", False), settings.get("size_mib")
    if args.again or not args.results:
        found = once_more(kept, found, args)
    return report(kept, found, args)


def report(kept: Entry, found: list[Change], args: argparse.Namespace) -> int:
    """Print what changed; return 1 where something got worse."""
    print(
        f"baseline: commit {kept['commit']}, {kept['date']}, measured on {kept['measured_on']}; "
        f"a change is more than {args.factor:g} times, of medians and also of best samples\n"
    )
    for change in sorted(found, key=lambda change: (change.verdict != WORSE, change.name)):
        if args.all or change.verdict != SAME:
            shown = [
                f"{change.before[key]:.3g} -> {change.after[key]:.3g}" for key in ("median", "best")
            ]
            print(f"{change.verdict:6}  {change.name:38} median {shown[0]:20} best {shown[1]}")
    counts = [f"{sum(c.verdict == v for c in found)} {v}" for v in (WORSE, BETTER, SAME)]
    print(f"{', '.join(counts)}; {len(kept['ratios']) - len(found)} of the baseline not compared")
    return int(any(change.verdict == WORSE for change in found))
