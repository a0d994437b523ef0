"""SignalReport: what `signal` found out, as objects, as a table and as a page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..._screen import printable
from ...models.explanation import shape_text
from ...models.inspect.frame import framed
from ...models.inspect.page_file import refuse_place
from ...models.inspect.table import shortened_name
from ...models.inspect.texts import number_text, share_text
from ...models.messages import counted
from .pictures import signal_picture
from .rows import Row
from .verdict import Finding

__all__ = ["SignalReport"]

#: The most rows that are printed, and that a page shows before the table ends in a note.
_MOST_PRINTED, _MOST_ON_A_PAGE = 80, 2000
_SHORTEST_NAME = 20
_TO_THE_LEFT = ("layer", "kind", "shape")
_TITLES = {
    "activation": "std of the activations",
    "gradient": "std of the gradient with respect to the activations",
    "zeros": "share of the activations that are 0",
    "dead": "ReLU units that are 0 for the whole sample, of all units",
    "bad": "activations and elements of the gradient that are NaN or infinite",
}


@dataclass(frozen=True, repr=False)
class SignalReport:
    """What `signal` found out about a module. It prints as a table and a verdict.

    Attributes
    ----------
    module : str
        The name of the module's class.
    rows : tuple of Row
        One for each layer, in the order of execution.
    findings : tuple of Finding
        What looks wrong, worst first, and then notes. Each has a ``kind``, a ``layer`` and a
        ``text``; ``is_note`` says that it may well be meant so.

    See Also
    --------
    signal : makes it.
    """

    module: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that are not only notes."""
        return tuple(finding for finding in self.findings if not finding.is_note)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that may well be meant so."""
        return tuple(finding for finding in self.findings if finding.is_note)

    @property
    def verdict(self) -> list[str]:
        """What looks wrong, a sentence for each, or the one sentence that nothing does."""
        return [finding.text for finding in self.wrong] or ["Nothing looks wrong."]

    def __repr__(self) -> str:
        return (
            f"<SignalReport of {self.module}: {counted(len(self.rows), 'layer')}, "
            f"{counted(len(self.wrong), 'finding')}, {counted(len(self.notes), 'note')}>"
        )

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, rows: int | None = _MOST_PRINTED, width: int | None = 100) -> str:
        """Return the table and the verdict as text.

        Parameters
        ----------
        rows : int or None
            The most rows of the table. Of a longer one the first and the last rows are there. None
            stands for all rows.
        width : int or None
            The characters that a line of the table should have: long names are shortened for it.
        """
        lines = _lines(self.rows, width)
        if rows is not None and len(self.rows) > rows:
            head = max(1, rows // 2)
            left_out = len(self.rows) - rows
            lines[1 + head : 1 + head + left_out] = [f"... {counted(left_out, 'layer')} ..."]
        return "\n".join([*lines, "", *self._sentences()])

    def _sentences(self) -> list[str]:
        lines = ["What looks wrong:" if self.wrong else "Nothing looks wrong."]
        lines += [f"  {printable(finding.text)}" for finding in self.wrong]
        if self.notes:
            lines += ["Notes:", *(f"  {printable(note.text)}" for note in self.notes)]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has. NaN and infinities become None."""
        return {
            "module": self.module,
            "findings": [f._asdict() | {"note": f.is_note} for f in self.findings],
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_svg(self) -> str:
        """Return the picture alone: the std by layer, of activations above and gradients below.

        Its colours are chosen for light and for dark pages.
        """
        return signal_picture(self.rows, alone=True)

    def to_html(self) -> str:
        """Return one self-contained page, which loads nothing from anywhere."""
        wrong = "".join(
            f'<li><span class="kind">{f.kind}</span>{_text(f.text)}</li>' for f in self.wrong
        )
        notes = "".join(
            f'<li class="note"><span class="kind">{f.kind}</span>{_text(f.text)}</li>'
            for f in self.notes
        )
        sections = "<section><h2>What looks wrong</h2>"
        sections += f'<ol class="findings">{wrong}</ol>' if wrong else "<p>Nothing.</p>"
        sections += "</section>"
        if notes:
            sections += f'<section><h2>Notes</h2><ol class="findings">{notes}</ol></section>'
        sections += f"<section><h2>Std by layer</h2>{signal_picture(self.rows)}</section>"
        sections += f"<section><h2>Layers</h2>{_table(self.rows, self.findings)}</section>"
        counts = ", ".join(
            [counted(len(self.rows), "layer"), counted(len(self.wrong), "finding")]
            + ([counted(len(self.notes), "note")] if self.notes else [])
        )
        return framed(f"{self.module} - signal", self.module, counts, sections)

    def write_html(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the page of `to_html` into a file.

        Parameters
        ----------
        path : str or path
            The file. An older page of this package is replaced.
        force : bool
            Whether to replace another file as well.

        Raises
        ------
        FileExistsError
            If the file exists and may not be replaced.
        """
        refuse_place(path, (), force=force)
        page = self.to_html()
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)


def _cells(row: Row) -> dict[str, str]:
    """Return the cell of each column; a dash says nothing."""
    bad = row.nan + row.inf + row.gradient_bad
    return {
        "layer": printable(row.name),
        "kind": printable(row.kind),
        "shape": shape_text(row.shape),
        "activation": number_text(row.std),
        "gradient": number_text(row.gradient_std),
        "zeros": share_text(round(row.zeros * 10**6), 10**6),
        "dead": f"{row.dead:,} of {row.units:,}" if row.units else "-",
        "bad": f"{bad:,}" if bad else "-",
    }


def _columns(rows: Sequence[Row]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the cells of all rows, and the columns that say something."""
    cells = [_cells(row) for row in rows]
    names = ["layer", "kind", "shape", "activation", "gradient"]
    for name in ("zeros", "dead", "bad"):
        if any(row[name] != "-" for row in cells):
            names.append(name)
    return cells, names


def _lines(rows: Sequence[Row], width: int | None) -> list[str]:
    cells, names = _columns(rows)
    columns = {name: [name, *(row[name] for row in cells)] for name in names}
    if width is not None:
        used = sum(max(map(len, columns[name])) + 2 for name in names if name != "layer")
        room = max(_SHORTEST_NAME, width - used)
        columns["layer"] = [shortened_name(name, room) for name in columns["layer"]]
    aligned = []
    for name in names:
        most = max(map(len, columns[name]))
        left = name in _TO_THE_LEFT
        aligned.append([c.ljust(most) if left else c.rjust(most) for c in columns[name]])
    return ["  ".join(line).rstrip() for line in zip(*aligned, strict=True)]


def _text(text: str) -> str:
    return escape(printable(text))


def _table(rows: Sequence[Row], findings: Sequence[Finding]) -> str:
    cells, names = _columns(rows)
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.kind != "course":
            kinds.setdefault(finding.layer, []).append(finding)
    left = {"layer": "name", "kind": "l", "shape": "l"}
    heads = "".join(
        f'<th class="{left.get(name, "")}" scope="col" title="{_TITLES.get(name, "")}">{name}</th>'
        for name in names
    )
    body = []
    for row, values in zip(rows[:_MOST_ON_A_PAGE], cells, strict=False):
        of_row = kinds.get(row.name, [])
        style = ""
        if of_row:
            is_note = all(finding.is_note for finding in of_row)
            style = f' class="{"remark" if is_note else "bad"}"'
        tags = "".join(
            f'<li class="note">{f.kind}</li>' if f.is_note else f"<li>{f.kind}</li>" for f in of_row
        )
        tags = f"<ul>{tags}</ul>" if tags else ""
        label = _text(values["layer"]).replace(".", ".<wbr>")
        held = f'<td class="name" role="rowheader">{label}{tags}</td>'
        for name in names[1:]:
            classes = [left[name]] if name in left else []
            classes += ["none"] if values[name] == "-" else []
            named = f' class="{" ".join(classes)}"' if classes else ""
            held += f'<td{named} role="cell" data-l="{name}">{_text(values[name])}</td>'
        body.append(f'<tr id="r{row.number}"{style} role="row">{held}</tr>')
    more = len(rows) - _MOST_ON_A_PAGE
    after = f'<p class="quiet">{counted(more, "row")} more are left out.</p>' if more > 0 else ""
    return (
        '<p class="quiet">In the order of execution. activation and gradient are standard '
        "deviations: of a layer's output, and of the gradient with respect to it.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of layers">'
        f'<table role="table"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table></div>{after}'
    )
