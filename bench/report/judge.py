"""Judging goals by a document of results. Nothing is measured here, and nothing is printed."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import product
from typing import NamedTuple

from .goal_list import ALL, KIB, PROMISED_SETS, TIME, Goal
from .results import Document, Row, Spread, best_ratio, quartiles, ratio, repetition_ratios

MET, SHORT, MISSING = "met", "short", "not measured"  # of ambitions
HELD, BROKEN, NONE = "held", "BROKEN", "-"  # of promises


class Result(NamedTuple):
    """The verdicts on a goal at a thread count, and the figures that they follow from."""

    goal: Goal
    threads: int
    ambition: str  # MET, SHORT or MISSING
    promise: str = NONE  # HELD, BROKEN, or NONE: no promise, not with this set, or not measured
    median: float | None = None  # the ratio of the medians; KiB
    best: float | None = None  # the ratio of the best samples
    spread: Spread | None = None  # quartiles over the repetitions
    top: str = ""  # the cases that counted
    bottom: str = ""
    note: str = ""  # which of several cases counted, or why there is none

    @property
    def name(self) -> str:
        """The goal and the thread count, as the baseline names them."""
        return f"{self.goal.name} t{self.threads}"


def fits(goal: Goal, value: float, limit: float) -> bool:
    """Return whether a value keeps a limit of a goal."""
    return value <= limit if goal.kind in (TIME, KIB) else value >= limit


def thread_counts(goal: Goal, most: int) -> list[int]:
    """Return the thread counts that a goal is judged at, on a machine that has so many threads."""
    return sorted({most if name == ALL else int(name) for name in goal.threads})


def pattern(text: str, document: Document, threads: int) -> str:
    """Return a goal's pattern for the instruction set in use and a thread count."""
    return text.format(isa=document["machine"]["weightinit_fast"]["isa"], t=threads)


def judge(goals: Iterable[Goal], document: Document) -> list[Result]:
    """Return a result for every goal at each of its thread counts; none is left out.

    A promise is broken only if the ratio of the medians and that of the best samples both miss it,
    in the first run and, if there was one, in the second.
    """
    most = document["machine"]["weightinit_fast"]["threads"]
    found = []
    for goal in goals:
        for threads in thread_counts(goal, most):
            result = _judge(goal, document, threads)
            if result.promise == BROKEN and "second" in document:
                second = _judge(goal, document["second"], threads)
                result = result if second.ambition == MISSING else second
            found.append(result)
    return found


def _judge(goal: Goal, document: Document, threads: int) -> Result:
    sides: list[list[Row]] = []
    for text in filter(None, (goal.top, goal.bottom)):
        wanted = pattern(text, document, threads)
        rows = [row for row in document["rows"] if fnmatchcase(row["name"], wanted)]
        if not rows:
            return Result(goal, threads, MISSING, note=_why(wanted, document))
        sides.append(rows)
    pairs = list(product(*sides))
    spread = None
    if goal.kind == KIB:
        (worst,) = max(pairs, key=lambda pair: pair[0]["kib"])
        median = best = float(worst["kib"])
        names = [worst["name"]]
    else:
        top, bottom = min(pairs, key=lambda pair: ratio(*pair))
        median, best = ratio(top, bottom), min(best_ratio(*pair) for pair in pairs)
        spread = quartiles(repetition_ratios(top, bottom))
        if goal.kind == TIME:
            median, best, spread = 1 / median, 1 / best, Spread(1 / spread.high, 1 / spread.low)
        names = [top["name"], bottom["name"]]
    chosen = [
        f"{name} (of {len(rows)})" for name, rows in zip(names, sides, strict=True) if len(rows) > 1
    ]
    ambition = MET if fits(goal, median, goal.ambition) else SHORT
    promise = NONE
    if goal.promise is not None and _promised_here(goal, document):
        kept = any(fits(goal, value, goal.promise) for value in (median, best))
        promise = HELD if kept else BROKEN
    figures = (ambition, promise, median, best, spread)
    return Result(goal, threads, *figures, names[0], names[-1], "; ".join(chosen))


def _promised_here(goal: Goal, document: Document) -> bool:
    isa = document["machine"]["weightinit_fast"]["isa"]
    return goal.kind == KIB or isa in PROMISED_SETS


def _why(wanted: str, document: Document) -> str:
    """Say why there is no such case: another library is missing, or the run did not have it."""
    library = wanted.partition(" ")[0]
    how = document["found"].get("store limit" if library == "store" else library, "")
    if "not installed" in how or "left out" in how:
        return f"{library}: {how}"
    return f"no case {wanted!r} in these results"
