"""Judging goals by a document of results; no measurement, no output."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import product
from typing import NamedTuple

from goal_list import ALL, KIB, TIME, Goal
from results import Document, Row, Spread, quartiles, ratio, round_ratios

MET, SHORT, MISSING = "met", "short", "not measured"


class Result(NamedTuple):
    """What became of a goal at a thread count."""

    goal: Goal
    threads: int
    verdict: str
    value: float | None = None  # of the medians
    spread: Spread | None = None  # quartiles over the repetitions
    top: str = ""  # the cases that counted
    bottom: str = ""
    note: str = ""  # which of several that was, or why there is none


def fits(goal: Goal, value: float) -> bool:
    """Return whether a value meets a goal."""
    return value <= goal.limit if goal.kind in (TIME, KIB) else value >= goal.limit


def thread_counts(goal: Goal, most: int) -> list[int]:
    """Return the thread counts that a goal is judged at, where so many is all."""
    return sorted({most if name == ALL else int(name) for name in goal.threads})


def pattern(text: str, document: Document, threads: int) -> str:
    """Return a goal's pattern for this instruction set and thread count."""
    return text.format(isa=document["machine"]["weightinit_fast"]["isa"], t=threads)


def judge(goals: Iterable[Goal], document: Document) -> list[Result]:
    """Return what became of every goal; none is left out."""
    most = document["machine"]["weightinit_fast"]["threads"]
    return [_judge(g, document, threads) for g in goals for threads in thread_counts(g, most)]


def _judge(goal: Goal, document: Document, threads: int) -> Result:
    sides: list[list[Row]] = []
    for text in filter(None, (goal.top, goal.bottom)):
        wanted = pattern(text, document, threads)
        found = [row for row in document["rows"] if fnmatchcase(row["name"], wanted)]
        if not found:
            return Result(goal, threads, MISSING, note=_why(wanted, document))
        sides.append(found)
    pairs = list(product(*sides))
    if goal.kind == KIB:
        (worst,) = max(pairs, key=lambda pair: pair[0]["kib"])
        value, spread, names = worst["kib"], None, [worst["name"]]
    else:
        top, bottom = min(pairs, key=lambda pair: ratio(*pair))
        value, spread = _figures(goal, top, bottom)
        names = [top["name"], bottom["name"]]
    chosen = [
        f"{name} (of {len(found)})"
        for name, found in zip(names, sides, strict=True)
        if len(found) > 1
    ]
    verdict = MET if fits(goal, value) else SHORT
    return Result(goal, threads, verdict, value, spread, names[0], names[-1], "; ".join(chosen))


def _figures(goal: Goal, top: Row, bottom: Row) -> tuple[float, Spread]:
    value, spread = ratio(top, bottom), quartiles(round_ratios(top, bottom))
    if goal.kind == TIME:
        return 1 / value, Spread(1 / spread.high, 1 / spread.low)
    return value, spread


def _why(wanted: str, document: Document) -> str:
    """Say why there is no such case: a peer that is not there, or a run that had it not."""
    library = wanted.partition(" ")[0]
    how = document["found"].get("store limit" if library == "store" else library, "")
    if "not installed" in how or "left out" in how:
        return f"{library}: {how}"
    return f"no case {wanted!r} in these results"
