"""What moved between two results: faster, slower, or within the noise.

    python bench/compare.py OLD.json NEW.json [--all] [--anyway]

What is compared is a ratio within each result: to the non-temporal store with as many threads; of a
small call, to NumPy's. It moved when its median changed by more than 5 % and by more than three
times the noise, which is the quartile deviation (half the distance between the quartiles) of the
ratios within each repetition, of both results, added as squares. Memory moved when it changed by
more than 256 KiB. The exit status is 1 where one of our own cases got slower or larger, 2 where the
results cannot be compared: other processors or settings, unless --anyway is given.
"""

import argparse
import sys
from math import hypot
from pathlib import Path
from typing import NamedTuple

import results
from results import Document, Row, Spread

OUR_LIBRARIES = ("weightinit_fast", None)  # rows of memory are ours alone
LEAST = 0.05  # of the ratio
TIMES_NOISE = 3
LEAST_KIB = 256
SAME, FASTER, SLOWER = "same", "faster", "slower"
CPU_FACTS = ("model", "family", "model_number", "flags", "cpus", "cache")
#: By script: what must be equal.
SETTINGS = {"run": ("size_mib", "quick"), "growth": ("quick",), "small_calls": (), "memory": ()}


class Figure(NamedTuple):
    """A ratio and its quartiles over the repetitions; or KiB, without them."""

    value: float
    spread: Spread | None

    def noise(self) -> float:
        """Return the quartile deviation, as a part of the value."""
        return 0.0 if self.spread is None else (self.spread.high - self.spread.low) / 2 / self.value


class Change(NamedTuple):
    """One case in two results."""

    name: str
    ours: bool
    old: Figure
    new: Figure
    verdict: str


def reference(row: Row, document: Document) -> Row | None:
    """Return the row that a row is measured by: of the same run, with as many threads."""
    small = row["script"] == "small_calls"
    wanted = {"library": "numpy" if small else "store non-temporal"}
    wanted |= {key: row[key] for key in ("script", "threads")}
    wanted |= {key: row[key] for key in ("variant", "what") if small}
    rows: list[Row] = document["rows"]
    for other in rows:
        if all(other.get(key) == value for key, value in wanted.items()):
            return other
    return None


def figures(document: Document) -> dict[str, tuple[Row, Figure]]:
    """Return every case that can be compared, with its figure, by name."""
    found = {}
    for row in document["rows"]:
        if "kib" in row:
            found[row["name"]] = row, Figure(row["kib"], None)
        elif (base := reference(row, document)) is not None and base is not row:
            spread = results.quartiles(results.round_ratios(row, base))
            found[row["name"]] = row, Figure(results.ratio(row, base), spread)
    return found


def judge(old: Figure, new: Figure) -> str:
    """Return whether a figure moved, and where to; KiB have no spread, and fewer are better."""
    if old.spread is None or new.spread is None:
        moved = new.value - old.value
        return SAME if abs(moved) <= LEAST_KIB else SLOWER if moved > 0 else FASTER
    change = new.value / old.value - 1
    if abs(change) <= max(LEAST, TIMES_NOISE * hypot(old.noise(), new.noise())):
        return SAME
    return FASTER if change > 0 else SLOWER


def compare(old: Document, new: Document) -> list[Change]:
    """Return every case that both have."""
    before, after = figures(old), figures(new)
    return [
        Change(
            name,
            row.get("library") in OUR_LIBRARIES,
            before[name][1],
            figure,
            judge(before[name][1], figure),
        )
        for name, (row, figure) in after.items()
        if name in before
    ]


def differences(old: Document, new: Document) -> list[str]:
    """Return why two results must not be compared."""
    cpus = [document["machine"]["cpu"] for document in (old, new)]
    found = [
        f"{fact} of the processor: {cpus[0].get(fact)}, {cpus[1].get(fact)}"
        for fact in CPU_FACTS
        if cpus[0].get(fact) != cpus[1].get(fact)
    ]
    for script, names in SETTINGS.items():
        pair = [document["settings"].get(script) for document in (old, new)]
        if None not in pair:
            found += [
                f"{name} of {script}: {pair[0][name]}, {pair[1][name]}"
                for name in names
                if pair[0][name] != pair[1][name]
            ]
    return found


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", type=Path, metavar="OLD.json")
    parser.add_argument("new", type=Path, metavar="NEW.json")
    parser.add_argument("--all", action="store_true", help="show what did not move as well")
    parser.add_argument("--anyway", action="store_true", help="whatever the processors, settings")
    return parser.parse_args()


def main() -> int:
    """Compare and report."""
    args = arguments()
    old, new = (results.load([path]) for path in (args.old, args.new))
    if reasons := differences(old, new):
        print("\n".join(["not the same:", *reasons]))
        if not args.anyway:
            return 2
    changes = compare(old, new)
    shown = [change for change in changes if args.all or change.verdict != SAME]
    for change in sorted(shown, key=lambda c: (not c.ours, c.verdict, c.name)):
        before, after = (f"{figure.value:.3g}" for figure in (change.old, change.new))
        by = f"{change.new.value / change.old.value - 1:+.0%}" if change.old.value else ""
        print(f"{change.verdict:7} {before:>8} -> {after:<8} {by:>6}  {change.name}")
    ours = [change.verdict for change in changes if change.ours]
    counts = [f"{ours.count(verdict)} {verdict}" for verdict in (SLOWER, FASTER, SAME)]
    missing = len({row["name"] for row in old["rows"]} ^ {row["name"] for row in new["rows"]})
    print(f"ours: {', '.join(counts)}; {missing} cases are in one of the results only")
    return int(SLOWER in ours)


if __name__ == "__main__":
    sys.exit(main())
