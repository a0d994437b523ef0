"""Inspection: what `inspect` found out about a file, as objects, as a table and as a page."""

import os
from dataclasses import dataclass
from typing import Any

from .findings import Finding
from .report import TensorReport

__all__ = ["Inspection"]


@dataclass(frozen=True, repr=False)
class Inspection:
    """What `inspect` found out about a file of weights. It prints as a table.

    Attributes
    ----------
    path : str
    tensors : tuple of TensorReport
        One for each tensor, in the order of the file.
    findings : tuple of Finding
        What looks wrong, worst first. Each has a ``kind``, a ``tensor`` (a name) and a ``text``;
        ``is_note`` tells that it may well be meant so.

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

    def __repr__(self) -> str:
        return (
            f"<Inspection of {self.path!r}: {len(self.tensors)} tensors, "
            f"{len(self.findings)} findings>"
        )

    def __str__(self) -> str:
        from .table import table_of  # noqa: PLC0415  only where a table is printed

        return table_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the histograms as values that JSON has.

        Numbers that JSON has not, NaN and infinities, become None.
        """
        return {
            "path": self.path,
            "findings": [finding._asdict() for finding in self.findings],
            "tensors": [report.to_dict() for report in self.tensors],
        }

    def to_html(self) -> str:
        """Return one self-contained page, which loads nothing from anywhere."""
        from .html import page_of  # noqa: PLC0415  only where a page is made

        return page_of(self)

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` into a file."""
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.to_html())
