"""The text that an Inspection prints as: a table of tensors, and what looks wrong below it."""

import math
import re
from collections.abc import Sequence
from textwrap import wrap

from ..._screen import printable
from ..explanation import law_text, shape_text
from ..messages import counted, listed
from .findings import Finding, joined
from .report import TensorReport
from .texts import number_text, ratio_text, share_text, short_law

__all__ = ["findings_text", "shortened_name", "table_of"]

#: The most findings of one kind that are printed.
_MOST_OF_A_KIND = 20
#: The most characters of a name, and those that it has in a narrow table before other columns have
#: a place.
_LONGEST_NAME, _SHORTEST_NAME = 60, 34
#: All columns in their order.
_COLUMNS = (
    *("tensor", "shape", "dtype", "mean", "std", "/Xavier", "/He", "/LeCun", "/0.02"),
    *("zeros", "max/std", "NaN", "Inf", "equal rows", "like", "wanted", "mean off", "std off"),
)
#: Columns that stand in every table.
_ALWAYS = ("tensor", "shape", "mean", "std")
#: The other columns: in a narrow table the first ones have a place before the others.
_BY_WORTH = (
    *("NaN", "Inf", "std off", "like", "mean off", "wanted", "zeros", "equal rows", "dtype"),
    *("max/std", "/He", "/Xavier", "/LeCun", "/0.02"),
)
_TO_THE_LEFT = {"tensor", "shape", "dtype", "like", "wanted"}


def table_of(
    reports: Sequence[TensorReport], findings: Sequence[Finding], width: int | None = None
) -> str:
    """Return the table and the findings; the table has at most ``width`` characters in a line.

    A narrow table has the columns that say most, and its last line names those that it lacks. A
    ``width`` of None stands for a table of all columns.
    """
    count = sum(r.summary.size for r in reports if r.summary is not None)
    foot = f"{counted(len(reports), 'tensor')}, {counted(count, 'element')}"
    if any(report.law is not None for report in reports):
        foot += "; 'off' is in standard errors"
    table = _table(reports, width) if reports else []
    return "\n".join([*table, foot]) + f"\n\n{findings_text(findings)}"


def _table(reports: Sequence[TensorReport], width: int | None) -> list[str]:
    """Return the lines of the table."""
    cells = [_cells(report) for report in reports]
    columns = {name: [name, *(row[name] for row in cells)] for name in _COLUMNS}
    some_law = any(report.law is not None for report in reports)
    dropped = set() if some_law else {"wanted", "mean off", "std off"}
    # A column of dashes alone says nothing. Faults, which most files lack, are such columns.
    faults = {"NaN", "Inf", "equal rows"}
    dropped |= {name for name in faults if width is not None and set(columns[name][1:]) == {"-"}}
    chosen = {name for name in _COLUMNS if name not in dropped}
    if width is not None:
        columns["wanted"] = ["wanted", *(short_law(report.law) for report in reports)]
        chosen = _chosen(columns, chosen, width)
        room = width - sum(_width(columns[name]) + 2 for name in chosen if name != "tensor")
        columns["tensor"] = [
            shortened_name(n, max(_SHORTEST_NAME, room)) for n in columns["tensor"]
        ]
    aligned = []
    for name in _COLUMNS:
        if name in chosen:
            most, to_left = _width(columns[name]), name in _TO_THE_LEFT
            aligned.append([c.ljust(most) if to_left else c.rjust(most) for c in columns[name]])
    lines = ["  ".join(line).rstrip() for line in zip(*aligned, strict=True)]
    lacking = [name for name in _COLUMNS if name not in chosen | dropped]
    if lacking:
        more = f"(width=None shows more columns: {', '.join(lacking)})"
        lines += wrap(more, max(_SHORTEST_NAME, width or 0), break_on_hyphens=False)
    return lines


def _chosen(columns: dict[str, list[str]], possible: set[str], width: int) -> set[str]:
    """Return the columns that have a place in lines of so many characters."""
    chosen = set(_ALWAYS)
    used = sum(_width(columns[name]) + 2 for name in chosen if name != "tensor")
    used += min(_width(columns["tensor"]), _SHORTEST_NAME)
    for name in _BY_WORTH:
        if name in possible and used + _width(columns[name]) + 2 <= width:
            chosen.add(name)
            used += _width(columns[name]) + 2
    return chosen


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))


def shortened_name(name: str, most: int) -> str:
    """Return a name with dots instead of a part if it is too long.

    What comes before the number of the layer goes first, since all layers have it in common.

    Examples
    --------
    >>> shortened_name("model.layers.31.self_attn.q_proj.weight", 32)
    '...31.self_attn.q_proj.weight'
    >>> shortened_name("model.layers.31.post_attention_layernorm.weight", 32)
    '...31.post_...n_layernorm.weight'
    """
    if len(name) <= most:
        return name
    number = re.search(r"\d", name)
    if number is not None and number.start() > 3:
        name = f"...{name[number.start() :]}"
        if len(name) <= most:
            return name
    begin = (most - 3) * 2 // 5
    return f"{name[:begin]}...{name[begin + 3 - most :]}"


def _cells(report: TensorReport) -> dict[str, str]:
    """Return the cell of each column."""
    cells = dict.fromkeys(_COLUMNS, "-") | {
        "tensor": shortened_name(printable(report.name), _LONGEST_NAME),
        "shape": shape_text(report.shape),
        "dtype": report.dtype,
    }
    s, c = report.summary, report.comparison
    if s is not None and s.size:
        equal = report.rows.equal if report.rows is not None else 0
        cells |= {"mean": number_text(s.mean), "std": number_text(s.std)}
        cells |= {f"/{r}": ratio_text(report.ratio(r)) for r in ("Xavier", "He", "LeCun", "0.02")}
        cells |= {
            "zeros": share_text(s.zeros, s.size),
            "max/std": ratio_text(report.farthest),
            "NaN": f"{s.nan:,}" if s.nan else "-",
            "Inf": f"{s.inf:,}" if s.inf else "-",
            "equal rows": f"{equal:,}" if equal else "-",
            "like": report.nearest or "-",
        }
    if report.law is not None:
        cells["wanted"] = law_text(report.law)
    mean_off, std_off = c[:2] if c is not None else (math.nan, math.nan)
    return cells | {"mean off": ratio_text(mean_off), "std off": ratio_text(std_off)}


def findings_text(findings: Sequence[Finding]) -> str:
    """Return what looks wrong as lines, worst first, and below it the notes, a line for a kind.

    Of many findings of a kind only the first ones are there.
    """
    wrong = [finding for finding in findings if not finding.is_note]
    notes = joined(finding for finding in findings if finding.is_note)
    lines = [f"What looks wrong ({len(wrong):,}):" if wrong else "Nothing looks wrong."]
    shown: dict[str, int] = {}
    for finding in wrong:
        shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if shown[finding.kind] <= _MOST_OF_A_KIND:
            lines.append(f"  {printable(finding.tensor)}: {printable(finding.text)}")
        elif shown[finding.kind] == _MOST_OF_A_KIND + 1:
            total = sum(other.kind == finding.kind for other in wrong)
            lines.append(f"  and {total - _MOST_OF_A_KIND:,} more of this kind")
    if notes:
        lines += ["", f"Notes ({sum(len(note.tensors) for note in notes):,}):"]
    for note in notes:
        lines.append(f"  {printable(note.text)}: {printable(listed(note.tensors))}")
    return "\n".join(lines)
