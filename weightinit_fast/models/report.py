"""Report: what was done with each parameter of a model, as objects and as a table.

The adapters of torch and of Keras return it, and `weightinit_fast.jax.explain` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .._resolve.messages import shortened
from ..initialisers.initializer import Initializer
from ..initialisers.law import Law
from .explanation import aligned, law_text, shape_text
from .messages import listed

__all__ = ["Report", "ReportRow"]


class ReportRow(NamedTuple):
    """What was done with one parameter.

    Attributes
    ----------
    name : str
        The name, which is the stream: the qualified name of torch, or the path of Keras or of a
        tree of JAX. That of a tied parameter is its first one.
    shape : tuple of int
        The shape of the whole parameter, of which this process may hold a part.
    dtype : str
    rule : str
        The pattern of the recipe that took the parameter. Without a recipe it is the class of
        torch.nn that documents the initialisation, or the layer of Keras that has the initialiser.
    initializer : Initializer
    law : Law
        The distribution of its elements.
    same_as : str or None
        The parameter that this one is tied to, whose values it has.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    rule: str
    initializer: Initializer
    law: Law
    same_as: str | None = None


class Report(tuple[ReportRow, ...]):
    """A tuple with a `ReportRow` for each parameter, which prints as a table.

    Attributes
    ----------
    buffers : dict
        The buffers that `weightinit_fast.torch.materialize` has set: name -> what set it. Other
        functions set none.
    unused : tuple of str
        The patterns of the recipe that take none of the parameters, except a last rule ``*``.

    See Also
    --------
    weightinit_fast.Recipe.explain : says the same for names and shapes, before anything is drawn.
    """

    buffers: dict[str, str]
    unused: tuple[str, ...]

    def __new__(
        cls,
        rows: Iterable[ReportRow],
        buffers: Mapping[str, str] | None = None,
        unused: Sequence[str] = (),
    ) -> Report:
        """Make the report."""
        made = super().__new__(cls, rows)
        made.buffers = dict(buffers or {})
        made.unused = tuple(unused)
        return made

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [
            ("parameter", "shape", "dtype", "rule", "initialiser", "law")
        ]
        for row in self:
            rule = row.rule if row.same_as is None else f"same as {row.same_as}"
            shape, law = shape_text(row.shape), law_text(row.law)
            cells = (row.name, shape, row.dtype, rule, str(row.initializer), law)
            table.append(tuple(shortened(cell) for cell in cells))
        text = aligned(table)
        if self.buffers:
            done = (f"{name} ({what})" for name, what in self.buffers.items())
            text += f"\nBuffers: {listed(done)}"
        if self.unused:
            text += f"\nRules that take no parameter: {listed(self.unused)}"
        return text

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, ...]:
        return Report, (tuple(self), self.buffers, self.unused)
