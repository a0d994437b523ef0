"""TensorReport: all that is known of one tensor of a file."""

import math
from typing import Any, NamedTuple

from ...initialisers.law import Law
from .expected import Comparison
from .rows import RowsFound, as_matrix
from .statistics import Histogram, Summary

__all__ = ["TensorReport"]


class TensorReport(NamedTuple):
    """What `inspect` found out about one tensor.

    Attributes
    ----------
    name, dtype, shape
        As the file has them. ``dtype`` is that of the numbers: where a table of shapes says that
        integers are the bits of a bfloat16, it is ``"bfloat16"``.
    file : str
        The name of the file that holds the tensor.
    summary : Summary or None
        Its moments, extremes and counts. None if elements of its type cannot be read as numbers.
    rows : RowsFound or None
        Its equal rows, and its rows and columns of zeros. None if it is not a matrix of
        floating-point numbers.
    usual : dict
        Name of a usual rule -> the std that it would give.
    nearest : str or None
        The usual rule whose std the tensor has.
    initializer : str or None
        The initialiser that the recipe has for the tensor.
    law : Law or None
        The distribution that the recipe wants.
    comparison : Comparison or None
        How far the tensor is from that law.
    histogram : Histogram or None
    first_nan, first_inf : tuple of int or None
        The index of the first element, in the order of the file, that is NaN, or infinite.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    summary: Summary | None
    rows: RowsFound | None
    usual: dict[str, float]
    nearest: str | None
    initializer: str | None
    law: Law | None
    comparison: Comparison | None
    histogram: Histogram | None
    first_nan: tuple[int, ...] | None = None
    first_inf: tuple[int, ...] | None = None

    @property
    def matrix(self) -> tuple[int, int]:
        """The number of rows and of columns, without axes of one index."""
        return as_matrix(self.shape)

    @property
    def is_matrix(self) -> bool:
        """Whether there are two rows and two columns at least."""
        return min(self.matrix) > 1

    @property
    def is_one_row(self) -> bool:
        """Whether all rows of a matrix are equal, though not all elements."""
        return (
            self.rows is not None
            and self.rows.looked_at == 1
            and self.rows.equal == self.matrix[0] - 1
            and self.matrix[0] > 2
            and self.summary is not None
            and self.summary.low < self.summary.high
        )

    def ratio(self, rule: str) -> float:
        """Return the tensor's std by that of a usual rule; NaN where there is none."""
        std = self.usual.get(rule)
        return math.nan if std is None or self.summary is None else self.summary.std / std

    @property
    def farthest(self) -> float:
        """The largest absolute value by the std; NaN where the std is 0."""
        s = self.summary
        if s is None or not s.std > 0:
            return math.nan
        return max(abs(s.low), abs(s.high)) / s.std

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON has; NaN and infinities become None."""
        s, rows, c = self.summary, self.rows, self.comparison
        found: dict[str, Any] = {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "file": self.file,
        }
        if s is not None:
            found |= {
                "mean": _number(s.mean),
                "std": _number(s.std),
                "low": _number(s.low),
                "high": _number(s.high),
                "largest_in_std": _number(self.farthest),
                "zeros": s.zeros,
                "nan": s.nan,
                "inf": s.inf,
                "first_nan": _index(self.first_nan),
                "first_inf": _index(self.first_inf),
                "subnormal": s.subnormal,
                "ratios": {rule: _number(self.ratio(rule)) for rule in self.usual},
                "nearest": self.nearest,
            }
        if rows is not None:
            found |= {
                "equal_rows": rows.equal,
                "first_equal_rows": list(rows.first) if rows.first else None,
                "rows_compared": rows.looked_at,
                "zero_rows": rows.zero_rows,
                "zero_columns": rows.zero_columns,
                "first_zero_rows": list(rows.first_zero_rows),
                "first_zero_columns": list(rows.first_zero_columns),
            }
        if self.law is not None and c is not None:
            found |= {
                "initializer": self.initializer,
                "law": {
                    key: value if isinstance(value, str) else _number(value)
                    for key, value in self.law._asdict().items()
                },
                "mean_errors": _number(c.mean_errors),
                "std_errors": _number(c.std_errors),
            }
        return found


def _index(index: tuple[int, ...] | None) -> list[int] | None:
    return None if index is None else list(index)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
