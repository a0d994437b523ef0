"""The text that an Inspection prints as: a table of tensors, and what looks wrong below it."""

import math
from collections.abc import Sequence

from ..._screen import printable
from ..explanation import law_text, shape_text
from .findings import Finding
from .inspection import Inspection
from .report import TensorReport

__all__ = ["findings_text", "number_text", "ratio_text", "share_text", "table_of"]

#: The most findings of one kind that are printed.
_MOST_OF_A_KIND = 20
#: The most characters of a name.
_LONGEST_NAME = 60


def number_text(value: float) -> str:
    """Return a number in few characters.

    Examples
    --------
    >>> number_text(0.0199871), number_text(-3.2e-09), number_text(float("nan"))
    ('0.01999', '-3.2e-09', '-')
    """
    return "-" if math.isnan(value) else f"{value:.4g}"


def table_of(inspection: Inspection) -> str:
    """Return the table and the findings of an Inspection."""
    some_law = any(report.law is not None for report in inspection.tensors)
    head = ["tensor", "shape", "dtype", "mean", "std", "/Xavier", "/He", "/LeCun", "/0.02"]
    head += ["zeros", "max/std", "NaN", "Inf", "equal rows", "like"]
    if some_law:
        head += ["wanted", "mean off", "std off"]
    rows = [head, *(_cells(report, some_law) for report in inspection.tensors)]
    text = _aligned(rows, left={"tensor", "shape", "dtype", "like", "wanted"})
    count = sum(r.summary.size for r in inspection.tensors if r.summary is not None)
    text += f"\n{len(inspection.tensors):,} tensors, {count:,} elements"
    if some_law:
        text += "; 'off' is in standard errors"
    return f"{text}\n\n{findings_text(inspection.findings)}"


def _cells(report: TensorReport, some_law: bool) -> list[str]:
    name = printable(report.name)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:28]}...{name[-28:]}"
    cells = [name, shape_text(report.shape), report.dtype]
    s, c = report.summary, report.comparison
    if s is None or not s.size:
        cells += ["-"] * 12
    else:
        cells += [number_text(s.mean), number_text(s.std)]
        cells += [ratio_text(report.ratio(rule)) for rule in ("Xavier", "He", "LeCun", "0.02")]
        cells += [share_text(s.zeros, s.size), ratio_text(report.farthest)]
        cells += [f"{s.nan:,}" if s.nan else "-", f"{s.inf:,}" if s.inf else "-"]
        equal = report.rows.equal if report.rows is not None else 0
        cells += [f"{equal:,}" if equal else "-", report.nearest or "-"]
    if some_law:
        cells += [law_text(report.law) if report.law is not None else "-"]
        cells += [ratio_text(value) for value in (c[:2] if c is not None else (math.nan, math.nan))]
    return cells


def share_text(part: int, whole: int) -> str:
    """Return a share in percent; one that is neither 0 nor 1 is not rounded to them.

    Examples
    --------
    >>> share_text(0, 7), share_text(1, 10**6), share_text(1, 3), share_text(7, 7)
    ('-', '<0.1%', '33.3%', '100%')
    """
    if part in (0, whole):
        return "100%" if part else "-"
    percent = 100 * part / whole
    return "<0.1%" if percent < 0.1 else ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def ratio_text(value: float) -> str:
    """Return a ratio, or a number of standard errors; a dash where there is none."""
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.1e}"


def _aligned(rows: Sequence[Sequence[str]], left: set[str]) -> str:
    """Return lines with aligned columns: texts to the left, numbers to the right."""
    columns = []
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        to_left = column[0] in left
        columns.append([c.ljust(width) if to_left else c.rjust(width) for c in column])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def findings_text(findings: Sequence[Finding]) -> str:
    """Return the findings as lines, worst first; of many of a kind only the first ones."""
    if not findings:
        return "Nothing looks wrong."
    lines = []
    shown: dict[str, int] = {}
    for finding in findings:
        shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if shown[finding.kind] <= _MOST_OF_A_KIND:
            lines.append(f"  {printable(finding.tensor)}: {printable(finding.text)}")
        elif shown[finding.kind] == _MOST_OF_A_KIND + 1:
            total = sum(other.kind == finding.kind for other in findings)
            lines.append(f"  and {total - _MOST_OF_A_KIND:,} more of this kind")
    wrong = sum(not finding.is_note for finding in findings)
    head = f"What looks wrong ({wrong:,}):" if wrong else "Notes:"
    return "\n".join([head, *lines])
