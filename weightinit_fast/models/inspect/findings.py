"""What looks wrong with a tensor, in plain sentences, worst first.

Nothing is called wrong that a usual initialisation makes: biases of zeros, norm weights of ones, a
row of zeros for the padding id of an embedding, a mask of integers, a table with the same row
throughout. Where chance is involved, the limits below are those of very rare chances, since a
checkpoint has thousands of tensors.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..messages import counted
from .expected import rounding_of
from .report import TensorReport

__all__ = ["LIMITS", "Finding", "Joined", "findings_of", "joined", "ordered", "twins"]


class Limits(NamedTuple):
    """From where on something counts as wrong."""

    #: Standard errors of the mean or the std from the law: chance passes it once in 1.7 million.
    errors: float = 5.0
    #: The expected number of equal rows, or of zero rows or columns, if elements were independent.
    by_chance: float = 1e-3
    #: The probability that the largest element of so many normal ones is so far away.
    outlier: float = 1e-6
    #: The share of elements below the least normal number of their type.
    subnormal: float = 0.05


LIMITS = Limits()

#: Kinds of findings, worst first.
KINDS = (
    *("missing", "shape", "dtype", "NaN", "infinite", "zero", "constant", "equal rows"),
    *("equal tensors", "std", "mean", "value", "outside", "outlier", "zero rows", "zero columns"),
    *("no rule", "no law", "unexpected", "bits", "repeated row", "subnormal"),
)
#: Kinds that may be meant so: they are notes, and are not called wrong. All notes of a kind are
#: printed in one line, which begins with these words about the tensors.
NOTES = {
    "no rule": "The recipe has no rule for",
    "no law": "The rule of the recipe does not fit the shape of",
    "unexpected": "Beside what it should hold, the file holds",
    "bits": "Integers look like the bits of bfloat16 (shapes= can say so) in",
    "repeated row": "All rows are equal, as in a table that is not drawn, in",
    "subnormal": "Numbers are subnormal, or a std is rounded away, in",
}


class Finding(NamedTuple):
    """One thing that looks wrong.

    Attributes
    ----------
    kind : str
        In one or two words, such as ``"equal rows"``.
    tensor : str
        The name of the tensor.
    text : str
        A sentence about it.
    """

    kind: str
    tensor: str
    text: str

    @property
    def is_note(self) -> bool:
        """Whether it may well be meant so, and is there only for completeness."""
        return self.kind in NOTES


class Joined(NamedTuple):
    """All notes of one kind: a text with their number, and the names of the tensors."""

    kind: str
    text: str
    tensors: tuple[str, ...]


def joined(notes: Iterable[Finding]) -> list[Joined]:
    """Return the notes of each kind as one."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kinds.setdefault(note.kind, []).append(note.tensor)
    return [
        Joined(kind, f"{NOTES[kind]} {counted(len(names), 'tensor')}", tuple(names))
        for kind, names in kinds.items()
    ]


def findings_of(report: TensorReport) -> Iterator[Finding]:
    """Yield what looks wrong with one tensor."""
    s = report.summary
    if s is None or "float" not in report.dtype:
        return

    def found(kind: str, text: str) -> Finding:
        return Finding(kind, report.name, text)

    for kind, what, count, first in (
        ("NaN", "NaN", s.nan, report.first_nan),
        ("infinite", "infinite", s.inf, report.first_inf),
    ):
        if count:
            are, place = ("is", "at") if count == 1 else ("are", "the first at")
            text = f"{counted(count, 'element')} of {s.size:,} {are} {what}"
            yield found(kind, text + (f", {place} {list(first)}." if first else "."))
    if not s.finite:
        return
    law = report.law
    if law is None and report.is_matrix and s.low == s.high and s.size == s.finite:
        if s.low == 0:
            if "bias" in report.name.lower():
                return
            yield found("zero", f"All {s.size:,} elements are 0, as if nothing had been drawn.")
        else:
            text = f"All {s.size:,} elements are {s.low:.6g}: all its rows get equal gradients."
            yield found("constant", text)
    elif report.is_one_row:
        text = f"All {report.matrix[0]:,} rows are equal, as in a table that is not drawn."
        yield found("repeated row", text)
    elif report.is_matrix and not _may_repeat(report):
        yield from _equal_rows(report, found)
        yield from _zero_lines(report, found)
    if law is not None:
        yield from _against_law(report, found)
    if s.subnormal > LIMITS.subnormal * (s.size - s.zeros):
        share = s.subnormal / (s.size - s.zeros)
        text = (
            f"{share:.0%} of the elements that are not 0 are subnormal numbers of {report.dtype}, "
            "which have fewer significant bits than the type's other numbers."
        )
        yield found("subnormal", text)


def _may_repeat(report: TensorReport) -> bool:
    """Return whether the law of a tensor makes equal rows and rows of zeros."""
    kinds = ("constant", "identity", "dirac", "sparse", "delta_orthogonal")
    return report.law is not None and (report.law.kind in kinds or report.law.std == 0)


_Found = Callable[[str, str], Finding]


def _equal_rows(report: TensorReport, found: _Found) -> Iterator[Finding]:
    rows, s = report.rows, report.summary
    if rows is None or rows.first is None or s is None:
        return
    height, width = report.matrix
    # In a type of few values, short rows may be equal by chance.
    expected = height * (height - 1) / 2 * s.coincidence**width if s.coincidence else 0.0
    if expected > LIMITS.by_chance:
        return
    one, other = rows.first
    among = "" if rows.looked_at == 1 else f" among 1/{1 / rows.looked_at:.0f} of the rows"
    more = "" if rows.equal == 1 else f" ({rows.equal:,} rows equal an earlier one)"
    yield found(
        "equal rows",
        f"Rows {one} and {other} are equal{more}{among}: symmetry between them is not broken.",
    )


def _zero_lines(report: TensorReport, found: _Found) -> Iterator[Finding]:
    rows, s = report.rows, report.summary
    if rows is None or s is None or not s.zeros or s.zeros == s.size:
        return
    height, width = report.matrix
    share = s.zeros / s.size
    padding = rows.zero_rows == 1 and "emb" in report.name.lower()
    if rows.zero_rows and not padding and height * share**width < LIMITS.by_chance:
        text = _zeros_text("row", rows.zero_rows, rows.first_zero_rows, height)
        yield found("zero rows", text)
    if rows.zero_columns and width * share**height < LIMITS.by_chance:
        text = _zeros_text("column", rows.zero_columns, rows.first_zero_columns, width)
        yield found("zero columns", text)


def _zeros_text(noun: str, count: int, first: Sequence[int], of: int) -> str:
    """Return a sentence about rows or columns of zeros, with the numbers of the first ones."""
    if count == 1:
        return f"{noun.capitalize()} {first[0]} of {of:,} holds only zeros."
    numbers = ", ".join(map(str, first)) + (", ..." if count > len(first) else "")
    return f"{counted(count, noun)} of {of:,} hold only zeros: {numbers}."


def _against_law(report: TensorReport, found: _Found) -> Iterator[Finding]:
    """Yield where a tensor differs from the law that its recipe wants."""
    s, law, c = report.summary, report.law, report.comparison
    assert s is not None
    assert law is not None
    assert c is not None
    if law.std == 0:
        if c.mean_off:
            held = f"{s.low:.6g}" if s.low == s.high else f"{s.low:.6g} to {s.high:.6g}"
            yield found("value", f"The elements are {held}, where all should be {law.mean:.6g}.")
        return
    if s.low == s.high and s.finite >= 4:
        if c.lost:
            text = (
                f"All elements are {s.low:.6g}: {report.dtype} rounds a std of {law.std:.4g} away."
            )
            yield found("subnormal", text)
            return
        text = f"All {s.size:,} elements are {s.low:.6g}, where the std should be {law.std:.4g}."
        yield found("zero" if s.low == 0 else "constant", text)
        return
    if c.std_off:
        ratio = s.std / law.std
        errors = "" if math.isnan(c.std_errors) else f", {_errors(c.std_errors)} off"
        text = f"The std {s.std:.4g} is {_named(ratio, s.finite)} the wanted {law.std:.4g}"
        text += f" (ratio {ratio:.4g}{errors})."
        yield found("std", text)
    if c.mean_off:
        text = f"The mean {s.mean:.4g} is {_errors(c.mean_errors)} from the wanted {law.mean:.4g}."
        yield found("mean", text)
    if c.outside > 0:
        text = (
            f"The elements reach from {s.low:.4g} to {s.high:.4g}, "
            f"where the law ends at {law.low:.4g} and {law.high:.4g}."
        )
        yield found("outside", text)
    if law.kind == "normal" and not c.std_off:
        # Rounding to a coarse type may have moved the farthest element away from the mean.
        above = s.high - rounding_of(s.high, report.dtype) - law.mean
        below = law.mean - s.low - rounding_of(s.low, report.dtype)
        farthest = max(above, below) / law.std
        chance = s.finite * math.erfc(farthest / math.sqrt(2))
        if chance < LIMITS.outlier:
            text = (
                f"The farthest of {s.finite:,} elements is {farthest:.1f} std from the mean, "
                f"which has a chance of {chance:.1g}."
            )
            yield found("outlier", text)


def _errors(errors: float) -> str:
    return f"{abs(errors):,.1f} standard errors"


#: Ratios that have a usual cause.
_RATIOS = {
    "√2 times": math.sqrt(2),  # a gain for ReLU too many
    "1/√2 of": math.sqrt(1 / 2),  # or too few
    "√3 times": math.sqrt(3),  # a std was taken for the bound of a uniform distribution
    "1/√3 of": math.sqrt(1 / 3),  # or a bound for a std
    "2 times": 2.0,
    "half": 0.5,
}


def _named(ratio: float, elements: int) -> str:
    """Return a ratio in words: its name, if chance explains the difference from a usual one."""
    allowed = min(0.05, max(0.01, LIMITS.errors * math.sqrt(0.5 / elements)))
    for name, value in _RATIOS.items():
        if abs(ratio / value - 1) < allowed:
            return name
    return f"{ratio:.4g} times"


def twins(reports: Sequence[TensorReport], same_as: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names whose tensors have the same moments, and so maybe the same elements.

    Tensors that ``same_as`` ties, to each other or to the same third one, are no such pair.
    """
    seen: dict[tuple[object, ...], str] = {}
    for report in reports:
        s = report.summary
        if s is None or "float" not in report.dtype or not report.is_matrix or not s.std > 0:
            continue
        if report.is_one_row:
            continue
        look = (report.dtype, report.shape, s.mean, s.std, s.low, s.high)
        first = seen.setdefault(look, report.name)
        if same_as.get(first, first) != same_as.get(report.name, report.name):
            yield first, report.name


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with the worst kinds first, and within a kind in their present order."""
    return tuple(sorted(findings, key=lambda finding: KINDS.index(finding.kind)))
