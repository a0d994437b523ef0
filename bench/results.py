"""Documents of results: written, read, joined; and the figures that all judgements are made of.

A document is {"machine", "found", "settings": {script: …}, "rows": […]}. A row has a unique name
and the script whose run it belongs to: the cases of a run were interleaved. One that was timed has
"seconds", all samples in order, "times" of them in each repetition, and what a call wrote: "bytes"
and, where it has an element type, "elements". A row of memory has "kib".
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

Row = dict[str, Any]
Document = dict[str, Any]


class Spread(NamedTuple):
    """The quartiles of a figure over the repetitions."""

    low: float
    high: float


def save(path: Path, document: Document) -> None:
    """Write a document."""
    path.write_text(json.dumps(document, indent=1) + "\n")


def load(paths: Iterable[Path]) -> Document:
    """Read and join documents: of one processor, and no row twice."""
    return join([json.loads(path.read_text()) for path in paths])


def join(documents: Sequence[Document]) -> Document:
    """Return one document of several."""
    first, *others = documents
    whole: Document = {
        "machine": first["machine"],
        "found": dict(first["found"]),
        "settings": dict(first["settings"]),
        "rows": list(first["rows"]),
    }
    for other in others:
        if _identity(other) != _identity(first):
            raise ValueError("results of two machines or builds")
        whole["found"] |= other["found"]
        whole["settings"] |= other["settings"]
        whole["rows"] += other["rows"]
    names = [row["name"] for row in whole["rows"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"results that hold the same case twice: {twice[0]!r}")
    return whole


def _identity(document: Document) -> list[Any]:
    own = document["machine"]["weightinit_fast"]
    return [document["machine"]["cpu"], *(own[key] for key in ("version", "compiler", "isa"))]


def rounds(row: Row) -> list[float]:
    """Return the median seconds of each repetition."""
    seconds, times = row["seconds"], row.get("times", 1)
    return [median(seconds[k : k + times]) for k in range(0, len(seconds), times)]


def work(top: Row, bottom: Row) -> tuple[float, float]:
    """Return what a call of each does: elements, where both count them, or else bytes."""
    unit = "elements" if top.get("elements") and bottom.get("elements") else "bytes"
    return top[unit], bottom[unit]


def ratio(top: Row, bottom: Row) -> float:
    """Return the rate of one case over another's: of medians."""
    done = work(top, bottom)
    return float(done[0] / done[1] * median(bottom["seconds"]) / median(top["seconds"]))


def round_ratios(top: Row, bottom: Row) -> list[float]:
    """Return the ratio within each repetition that both have."""
    done = work(top, bottom)
    pairs = zip(rounds(top), rounds(bottom), strict=False)
    return [done[0] / done[1] * below / above for above, below in pairs]


def quartiles(values: Sequence[float]) -> Spread:
    """Return the first and third quartile; of one value, that value."""
    if len(values) == 1:
        return Spread(values[0], values[0])
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(low, high)
