"""The page of an Inspection: one file that loads nothing, for any browser, wide or narrow.

Names come from strangers' files. Each is escaped.
"""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..._screen import printable
from ..explanation import shape_text
from ..messages import counted
from .findings import Finding, joined
from .frame import framed
from .pictures import depth_picture, histogram_picture
from .report import TensorReport
from .texts import number_text, ratio_text, share_text, short_law

__all__ = ["page_of"]

#: Rows that are shown before a button is pressed; those of findings are always shown.
_FIRST_ROWS = 400
#: Histograms that are drawn; those of tensors with findings come first.
_MOST_HISTOGRAMS = 3000
#: Findings of one kind that are listed.
_MOST_OF_A_KIND = 30

_NUMBERS = ("mean", "std", "/Xavier", "/He", "/LeCun", "/0.02", "zeros", "max/std", "NaN", "Inf")
_TITLES = {
    "/Xavier": "std by that of Xavier's rule",
    "/He": "std by that of He's rule",
    "/LeCun": "std by that of LeCun's rule",
    "/0.02": "std by 0.02",
    "max/std": "largest absolute value by the std",
    "equal rows": "rows that equal an earlier row",
    "like": "the usual rule whose std the tensor has",
    "mean off": "mean minus the wanted mean, in standard errors",
    "std off": "std minus the wanted std, in standard errors",
}


def page_of(path: str, reports: Sequence[TensorReport], findings: Sequence[Finding]) -> str:
    """Return the page about a file of weights."""
    depth = depth_picture(reports)
    if depth:
        depth = f"<section><h2>Std by depth</h2>{depth}</section>"
    name = Path(path).name or path
    sections = f"""<section><h2>What looks wrong</h2>{_wrong(reports, findings)}</section>
{_notes(reports, findings)}
{depth}
<section><h2>Tensors</h2>{_table(reports, findings)}</section>"""
    script = (Path(__file__).parent / "report.js").read_text(encoding="utf-8")
    return framed(f"{name} - weights", name, _counts(reports, findings), sections, script)


def _text(name: str) -> str:
    """Return any text for the page: without control characters, and escaped."""
    return escape(printable(name))


def _breakable(name: str) -> str:
    """Return a name for the page that may go on in a new line after each dot."""
    return _text(name).replace(".", ".<wbr>")


def _counts(reports: Sequence[TensorReport], findings: Sequence[Finding]) -> str:
    size = sum(report.summary.size for report in reports if report.summary is not None)
    notes = sum(finding.is_note for finding in findings)
    words = [
        counted(len(reports), "tensor"),
        counted(size, "element"),
        counted(len(findings) - notes, "finding"),
    ]
    return ", ".join([*words, counted(notes, "note")] if notes else words)


def _wrong(reports: Sequence[TensorReport], findings: Sequence[Finding]) -> str:
    """Return the list of what looks wrong, worst first."""
    rows = _rows_by_name(reports)
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        if not finding.is_note:
            kinds.setdefault(finding.kind, []).append(finding)
    items = []
    for kind, of_kind in kinds.items():
        for finding in of_kind[:_MOST_OF_A_KIND]:
            items.append(
                f'<li><span class="kind">{kind}</span>{_link(finding.tensor, rows)}<br>'
                f"{_text(finding.text)}</li>"
            )
        if len(of_kind) > _MOST_OF_A_KIND:
            more = len(of_kind) - _MOST_OF_A_KIND
            items.append(f'<li>and {more:,} more of the kind "{kind}"</li>')
    return f'<ol class="findings">{"".join(items)}</ol>' if items else "<p>Nothing.</p>"


def _notes(reports: Sequence[TensorReport], findings: Sequence[Finding]) -> str:
    """Return the section of notes, which has one item for all notes of a kind."""
    rows = _rows_by_name(reports)
    items = []
    for note in joined(finding for finding in findings if finding.is_note):
        names = ", ".join(_link(name, rows) for name in note.tensors[:_MOST_OF_A_KIND])
        more = len(note.tensors) - _MOST_OF_A_KIND
        names += f" and {more:,} more" if more > 0 else ""
        items.append(
            f'<li class="note"><span class="kind">{note.kind}</span>{_text(note.text)}:<br>'
            f"{names}</li>"
        )
    if not items:
        return ""
    return f'<section><h2>Notes</h2><ol class="findings">{"".join(items)}</ol></section>'


def _rows_by_name(reports: Sequence[TensorReport]) -> dict[str, int]:
    return {report.name: number for number, report in enumerate(reports)}


def _link(name: str, rows: dict[str, int]) -> str:
    """Return the name of a tensor, which leads to its row of the table if it has one."""
    text = f'<span class="name">{_text(name)}</span>'
    return f'<a href="#t{rows[name]}">{text}</a>' if name in rows else text


def _table(reports: Sequence[TensorReport], all_findings: Sequence[Finding]) -> str:
    some_law = any(report.law is not None for report in reports)
    columns = _columns(reports, some_law)
    left = {"shape": "l", "dtype": "l", "like": "l", "wanted": "l", "tensor": "name", "": "l"}
    heads = []
    for column in columns:
        title = f' title="{_TITLES[column]}"' if column in _TITLES else ""
        label = f"<button{title}>{column}</button>" if column else "histogram"
        heads.append(f'<th class="{left.get(column, "")}" scope="col">{label}</th>')

    by_tensor: dict[str, list[Finding]] = {}
    for finding in all_findings:
        by_tensor.setdefault(finding.tensor, []).append(finding)
    pictures = _MOST_HISTOGRAMS - len(by_tensor)
    rows = []
    for number, report in enumerate(reports):
        findings = by_tensor.get(report.name, [])
        pictured = bool(findings) or pictures > 0
        pictures -= not findings
        hidden = number >= _FIRST_ROWS and not findings
        rows.append(_row(number, report, findings, pictured, hidden, columns))
    more = ""
    if any(' class="more' in row for row in rows):
        more = f'<p><button id="more">Show all {len(reports):,} tensors</button></p>'
    about = ""
    if "dtype" not in columns and reports:
        about += f'<p class="quiet">The dtype of all tensors is {reports[0].dtype}.</p>'
    if some_law:
        about += (
            '<p class="quiet">The line over a histogram is the density that the recipe wants. '
            "Differences from the wanted mean and std are in standard errors.</p>"
        )
    if pictures < 0:
        about += f'<p class="quiet">{-pictures:,} histograms are left out.</p>'
    tools = (
        '<div class="tools" hidden><label>Name contains <input id="search" type="search"></label>'
        '<label><input id="only" type="checkbox"> only with findings</label>'
        f'<span id="count" class="quiet" role="status">{counted(len(reports), "tensor")}</span>'
        "</div>"
    )
    return (
        f"{about}{tools}"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of tensors">'
        f'<table role="table"><thead role="rowgroup"><tr role="row">{"".join(heads)}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table></div>{more}'
    )


def _columns(reports: Sequence[TensorReport], some_law: bool) -> list[str]:
    """Return the columns in their order, without those that say nothing about these tensors."""
    empty = _empty_columns(reports)
    columns = ["tensor", "", "shape", "dtype", "mean", "std"]
    columns += ["wanted", "mean off", "std off"] if some_law else []
    columns += [*_NUMBERS[2:], "equal rows", "like"]
    return [column for column in columns if column not in empty]


def _empty_columns(reports: Sequence[TensorReport]) -> set[str]:
    """Return the columns that are left out: faults that no tensor has, and a dtype of all."""
    summaries = [report.summary for report in reports if report.summary is not None]
    telling = {
        "NaN": any(summary.nan for summary in summaries),
        "Inf": any(summary.inf for summary in summaries),
        "equal rows": any(report.rows is not None and report.rows.equal for report in reports),
        "dtype": len({report.dtype for report in reports}) > 1,
    }
    return {column for column, some in telling.items() if not some}


def _row(
    number: int,
    report: TensorReport,
    findings: Sequence[Finding],
    pictured: bool,
    hidden: bool,
    columns: Sequence[str],
) -> str:
    classes = ["more"] if hidden else []
    if findings:
        classes.append("bad" if any(not finding.is_note for finding in findings) else "remark")
    notes = {finding.kind: finding.is_note for finding in findings}
    kinds = "".join(
        f'<li class="note">{kind}</li>' if is_note else f"<li>{kind}</li>"
        for kind, is_note in notes.items()
    )
    kinds = f"<ul>{kinds}</ul>" if kinds else ""
    size = 1
    for axis in report.shape:
        size *= axis
    c = report.comparison
    mean_off, std_off = c[:2] if c is not None else (math.nan, math.nan)
    shape = shape_text(report.shape)
    cells = {
        "tensor": f'<td class="name" role="rowheader">{_breakable(report.name)}{kinds}</td>',
        "": f'<td class="picture" role="cell">{histogram_picture(report) if pictured else ""}</td>',
        "shape": f'<td class="l" role="cell" data-l="shape" data-v="{size}">{shape}</td>',
        "dtype": f'<td class="l" role="cell" data-l="dtype">{report.dtype}</td>',
        "like": _cell("like", escape(report.nearest or "-"), "l"),
        "wanted": _cell("wanted", short_law(report.law), "l wanted"),
        "mean off": _cell("mean off", ratio_text(mean_off)),
        "std off": _cell("std off", ratio_text(std_off)),
    }
    s, rows = report.summary, report.rows
    numbers = ["-"] * len(_NUMBERS)
    if s is not None and s.size:
        numbers = [number_text(s.mean), number_text(s.std)]
        numbers += [ratio_text(report.ratio(rule)) for rule in ("Xavier", "He", "LeCun", "0.02")]
        numbers += [share_text(s.zeros, s.size), ratio_text(report.farthest)]
        numbers += [f"{count:,}" if count else "-" for count in (s.nan, s.inf)]
    equal = rows.equal if rows is not None else 0
    numbers.append(f"{equal:,}" if equal else "-")
    for label, text in zip((*_NUMBERS, "equal rows"), numbers, strict=True):
        cells[label] = _cell(label, text)
    name = _text(report.name.lower())
    style = f' class="{" ".join(classes)}"' if classes else ""
    held = "".join(cells[column] for column in columns)
    return f'<tr id="t{number}"{style} data-n="{name}" role="row">{held}</tr>'


def _cell(label: str, text: str, style: str = "") -> str:
    classes = [style] if style else []
    classes += ["none"] if text == "-" else []
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f'<td{named} role="cell" data-l="{label}">{text}</td>'
