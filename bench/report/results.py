"""Documents of results are written, read and joined here, and figures are computed from them.

A document is {"machine", "found", "settings": {command: …}, "rows": […]}. "machine" names the
commit and the processor. A row has a unique name and the command whose run it belongs to; the cases
of a run were interleaved. A row that was timed has "seconds", all samples in order; "samples", how
many of them each repetition took; "bytes", how many a call wrote; and "elements", how many a call
wrote, if the case has an element type. A row of memory has "kib". Where goals were measured again,
because their promise seemed broken, "second" is the document of the second run.
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
    """Read documents, and join them."""
    return join([json.loads(path.read_text()) for path in paths])


def join(documents: Sequence[Document]) -> Document:
    """Join documents, which must be of one processor and build and have no case in common."""
    first, *others = documents
    whole: Document = {
        "machine": first["machine"],
        "found": dict(first["found"]),
        "settings": dict(first["settings"]),
        "rows": list(first["rows"]),
    }
    seconds = [document["second"] for document in documents if "second" in document]
    for other in others:
        if _identity(other) != _identity(first):
            raise ValueError("results of two machines or builds")
        whole["found"] |= other["found"]
        whole["settings"] |= other["settings"]
        whole["rows"] += other["rows"]
    names = [row["name"] for row in whole["rows"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"results that hold the same case twice: {twice[0]!r}")
    return whole | ({"second": join(seconds)} if seconds else {})


def _identity(document: Document) -> list[Any]:
    facts = document["machine"]
    own = facts["weightinit_fast"]
    return [facts["cpu"], facts.get("commit"), *(own[k] for k in ("version", "compiler", "isa"))]


def repetitions(row: Row) -> list[float]:
    """Return the median seconds of each repetition."""
    seconds, samples = row["seconds"], row.get("samples", 1)
    return [median(seconds[k : k + samples]) for k in range(0, len(seconds), samples)]


def work(top: Row, bottom: Row) -> tuple[float, float]:
    """Return how much a call of each writes, in elements if both count elements, else in bytes."""
    unit = "elements" if top.get("elements") and bottom.get("elements") else "bytes"
    return top[unit], bottom[unit]


def ratio(top: Row, bottom: Row) -> float:
    """Return the rate of one case over that of another: of their medians."""
    done = work(top, bottom)
    return float(done[0] / done[1] * median(bottom["seconds"]) / median(top["seconds"]))


def best_ratio(top: Row, bottom: Row) -> float:
    """Return the rate of one case over that of another: of their best samples."""
    done = work(top, bottom)
    return float(done[0] / done[1] * min(bottom["seconds"]) / min(top["seconds"]))


def repetition_ratios(top: Row, bottom: Row) -> list[float]:
    """Return the ratio within each repetition that both rows have."""
    done = work(top, bottom)
    pairs = zip(repetitions(top), repetitions(bottom), strict=False)
    return [done[0] / done[1] * below / above for above, below in pairs]


def quartiles(values: Sequence[float]) -> Spread:
    """Return the first and third quartile; both are the value itself if there is only one."""
    if len(values) == 1:
        return Spread(values[0], values[0])
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(low, high)
