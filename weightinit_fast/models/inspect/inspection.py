"""Inspection: what `inspect` found out about a file, as objects, as a table and as a page."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..messages import counted
from .findings import Finding
from .html import page_of
from .page_file import refuse_place
from .report import TensorReport
from .table import table_of

__all__ = ["Inspection"]


@dataclass(frozen=True, repr=False)
class Inspection:
    """What `inspect` found out about a file of weights. It prints as a table of 80 columns.

    Attributes
    ----------
    path : str
    tensors : tuple of TensorReport
        One for each tensor, in the order of the file.
    findings : tuple of Finding
        What looks wrong, worst first. Each has a ``kind``, a ``tensor`` (a name) and a ``text``;
        ``is_note`` says that it may well be meant so.

    See Also
    --------
    inspect : makes it.
    """

    path: str
    tensors: tuple[TensorReport, ...]
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that are not only notes."""
        return tuple(finding for finding in self.findings if not finding.is_note)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that may well be meant so."""
        return tuple(finding for finding in self.findings if finding.is_note)

    def __repr__(self) -> str:
        return (
            f"<Inspection of {self.path!r}: {counted(len(self.tensors), 'tensor')}, "
            f"{counted(len(self.wrong), 'finding')}, {counted(len(self.notes), 'note')}>"
        )

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int | None = 80) -> str:
        """Return the table and the findings as text.

        Parameters
        ----------
        width : int or None
            The characters that a line of the table may have. The table has the columns that say
            most, as far as there is room. None stands for all columns.
        """
        return table_of(self.tensors, self.findings, width)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the histograms as values that JSON has.

        Numbers that JSON has not, NaN and infinities, become None.
        """
        return {
            "path": self.path,
            "findings": [f._asdict() | {"note": f.is_note} for f in self.findings],
            "tensors": [report.to_dict() for report in self.tensors],
        }

    def to_html(self) -> str:
        """Return one self-contained page, which loads nothing from anywhere."""
        return page_of(self.path, self.tensors, self.findings)

    def write_html(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the page of `to_html` into a file.

        Parameters
        ----------
        path : str or path
            The file. An older page of this package is replaced.
        force : bool
            Whether to replace another file as well. The inspected file itself is never replaced.

        Raises
        ------
        FileExistsError
            If the file exists and may not be replaced.
        """
        inspected = Path(self.path)
        folder = inspected if inspected.is_dir() else inspected.parent
        files = {folder / report.file for report in self.tensors}
        refuse_place(path, {inspected, *files}, force=force)
        page = self.to_html()
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
