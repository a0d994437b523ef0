"""The page of an Inspection: one file that loads nothing, for any browser, wide or narrow.

Names come from strangers' files. Each is escaped, and the page's policy lets only its own script
run, by the script's hash.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..._screen import printable
from ...initialisers.law import Law
from ..explanation import shape_text
from .findings import Finding
from .inspection import Inspection
from .pictures import depth_picture, histogram_picture
from .report import TensorReport
from .table import number_text, ratio_text, share_text

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


def page_of(inspection: Inspection) -> str:
    """Return the page."""
    folder = Path(__file__).parent
    style = (folder / "report.css").read_text(encoding="utf-8")
    script = (folder / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    name = _text(Path(inspection.path).name or inspection.path)
    depth = depth_picture(inspection.tensors)
    if depth:
        depth = f"<section><h2>Std by depth</h2>{depth}</section>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{name} - weights</title>
<style>
{style}</style>
<noscript><style>tr.more {{ display: table-row; }}</style></noscript>
</head>
<body>
<header><h1>{name}</h1><p class="quiet">{_counts(inspection)}</p></header>
<main>
<section><h2>What looks wrong</h2>{_findings(inspection)}</section>
{depth}
<section><h2>Tensors</h2>{_table(inspection)}</section>
</main>
<footer>Made by weightinit_fast</footer>
<script>{script}</script>
</body>
</html>
"""


def _text(name: str) -> str:
    """Return any text for the page: without control characters, and escaped."""
    return escape(printable(name))


def _breakable(name: str) -> str:
    """Return a name for the page that may go on in a new line after each dot."""
    return _text(name).replace(".", ".<wbr>")


def _counts(inspection: Inspection) -> str:
    size = sum(report.summary.size for report in inspection.tensors if report.summary is not None)
    wrong, all_findings = len(inspection.wrong), len(inspection.findings)
    words = [
        f"{len(inspection.tensors):,} tensors",
        f"{size:,} elements",
        f"{wrong:,} finding{'' if wrong == 1 else 's'}",
    ]
    if all_findings > wrong:
        words.append(f"{all_findings - wrong:,} note{'' if all_findings - wrong == 1 else 's'}")
    return ", ".join(words)


def _findings(inspection: Inspection) -> str:
    if not inspection.findings:
        return "<p>Nothing.</p>"
    rows = {report.name: number for number, report in enumerate(inspection.tensors)}
    kinds: dict[str, list[Finding]] = {}
    for finding in inspection.findings:
        kinds.setdefault(finding.kind, []).append(finding)
    items = []
    for kind, findings in kinds.items():
        for finding in findings[:_MOST_OF_A_KIND]:
            name = f'<span class="name">{_text(finding.tensor)}</span>'
            if finding.tensor in rows:
                name = f'<a href="#t{rows[finding.tensor]}">{name}</a>'
            note = ' class="note"' if finding.is_note else ""
            items.append(
                f'<li{note}><span class="kind">{kind}</span>{name}<br>{_text(finding.text)}</li>'
            )
        if len(findings) > _MOST_OF_A_KIND:
            more = len(findings) - _MOST_OF_A_KIND
            items.append(f'<li class="note">and {more:,} more of the kind "{kind}"</li>')
    return f'<ol class="findings">{"".join(items)}</ol>'


def _table(inspection: Inspection) -> str:
    reports = inspection.tensors
    some_law = any(report.law is not None for report in reports)
    empty = _empty_columns(reports)
    columns = ["tensor", "", "shape", "dtype", *_NUMBERS, "equal rows", "like"]
    columns += ["wanted", "mean off", "std off"] if some_law else []
    columns = [column for column in columns if column not in empty]
    left = {"shape": "l", "dtype": "l", "like": "l", "wanted": "l", "tensor": "name", "": "l"}
    heads = []
    for column in columns:
        title = f' title="{_TITLES[column]}"' if column in _TITLES else ""
        label = f"<button{title}>{column}</button>" if column else "histogram"
        heads.append(f'<th class="{left.get(column, "")}" scope="col">{label}</th>')

    by_tensor: dict[str, list[Finding]] = {}
    for finding in inspection.findings:
        by_tensor.setdefault(finding.tensor, []).append(finding)
    pictures = _MOST_HISTOGRAMS - len(by_tensor)
    rows = []
    for number, report in enumerate(reports):
        findings = by_tensor.get(report.name, [])
        pictured = bool(findings) or pictures > 0
        pictures -= not findings
        hidden = number >= _FIRST_ROWS and not findings
        rows.append(_row(number, report, findings, pictured, hidden, some_law, empty))
    more = ""
    if any(' class="more' in row for row in rows):
        more = f'<p><button id="more">Show all {len(reports):,} tensors</button></p>'
    drawn = ""
    if pictures < 0:
        drawn = f'<p class="quiet">{-pictures:,} histograms are left out.</p>'
    tools = (
        '<div class="tools" hidden><label>Name contains <input id="search" type="search"></label>'
        '<label><input id="only" type="checkbox"> only with findings</label>'
        f'<span id="count" class="quiet" role="status">{len(reports):,} tensors</span></div>'
    )
    law = (
        '<p class="quiet">The line over a histogram is the density that the recipe wants. '
        "What is off is told in standard errors.</p>"
    )
    return (
        f"{law if some_law else ''}{drawn}{tools}"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of tensors">'
        f'<table role="table"><thead role="rowgroup"><tr role="row">{"".join(heads)}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table></div>{more}'
    )


def _empty_columns(reports: Sequence[TensorReport]) -> set[str]:
    """Return the columns of faults that no tensor has, which are left out."""
    summaries = [report.summary for report in reports if report.summary is not None]
    faults = {
        "NaN": any(summary.nan for summary in summaries),
        "Inf": any(summary.inf for summary in summaries),
        "equal rows": any(report.rows is not None and report.rows.equal for report in reports),
    }
    return {column for column, some in faults.items() if not some}


def _row(
    number: int,
    report: TensorReport,
    findings: Sequence[Finding],
    pictured: bool,
    hidden: bool,
    some_law: bool,
    empty: set[str],
) -> str:
    classes = ["more"] if hidden else []
    if findings:
        classes.append("bad" if any(not finding.is_note for finding in findings) else "remark")
    kinds = "".join(f"<li>{kind}</li>" for kind in dict.fromkeys(f.kind for f in findings))
    kinds = f"<ul>{kinds}</ul>" if kinds else ""
    size = 1
    for axis in report.shape:
        size *= axis
    cells = [
        f'<td class="name" role="rowheader">{_breakable(report.name)}{kinds}</td>',
        f'<td class="picture" role="cell">{histogram_picture(report) if pictured else ""}</td>',
        f'<td class="l" role="cell" data-l="shape" data-v="{size}">{shape_text(report.shape)}</td>',
        f'<td class="l" role="cell" data-l="dtype">{report.dtype}</td>',
    ]
    s, rows, c = report.summary, report.rows, report.comparison
    numbers = ["-"] * len(_NUMBERS)
    if s is not None and s.size:
        numbers = [number_text(s.mean), number_text(s.std)]
        numbers += [ratio_text(report.ratio(rule)) for rule in ("Xavier", "He", "LeCun", "0.02")]
        numbers += [share_text(s.zeros, s.size), ratio_text(report.farthest)]
        numbers += [f"{count:,}" if count else "-" for count in (s.nan, s.inf)]
    equal = rows.equal if rows is not None else 0
    numbers.append(f"{equal:,}" if equal else "-")
    for label, text in zip((*_NUMBERS, "equal rows"), numbers, strict=True):
        cells += [] if label in empty else [_cell(label, text)]
    cells.append(_cell("like", escape(report.nearest or "-"), "l"))
    if some_law:
        cells.append(_cell("wanted", _law_text(report.law), "l wanted"))
        for label, value in zip(("mean off", "std off"), c or (), strict=False):
            cells.append(_cell(label, ratio_text(value)))
        cells += [_cell("", "-")] * (2 if c is None else 0)
    name = _text(report.name.lower())
    style = f' class="{" ".join(classes)}"' if classes else ""
    return f'<tr id="t{number}"{style} data-n="{name}" role="row">{"".join(cells)}</tr>'


def _law_text(law: Law | None) -> str:
    """Return a law in few characters: its bounds show in the histogram."""
    if law is None:
        return "-"
    if law.kind == "constant":
        return f"constant {number_text(law.mean)}"
    mean = f"{number_text(law.mean)} ± " if law.mean else ""
    return f"{law.kind.replace('_', ' ')} {mean}{number_text(law.std)}"


def _cell(label: str, text: str, style: str = "") -> str:
    classes = [style] if style else []
    classes += ["none"] if text == "-" else []
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f'<td{named} role="cell" data-l="{label}">{text}</td>'
