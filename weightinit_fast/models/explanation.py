"""Explanations: which rule of a recipe takes which tensor, as objects and as a table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .._resolve.messages import did_you_mean, shortened
from ..initialisers.initializer import Initializer
from ..initialisers.law import Law
from .messages import listed

__all__ = [
    "Explanation",
    "Explanations",
    "aligned",
    "law_text",
    "shape_text",
    "unused_text",
]


_NUMBER = re.compile("[0-9]+")
#: The most patterns that a warning lists.
_MOST_PATTERNS = 5


class Explanation(NamedTuple):
    """What a recipe does with one tensor.

    Attributes
    ----------
    name : str
    shape : tuple of int
    pattern : str
        The pattern of the rule that takes the tensor. For a tied tensor it is the pattern that
        takes the tensor it is tied to.
    initializer : Initializer
    law : Law
        The distribution of the tensor's elements.
    same_as : str or None
        The tensor that this one is tied to, whose values it has.
    """

    name: str
    shape: tuple[int, ...]
    pattern: str
    initializer: Initializer
    law: Law
    same_as: str | None = None


class Explanations(tuple[Explanation, ...]):
    """A tuple with an `Explanation` for each tensor, which prints as a table.

    Attributes
    ----------
    unused : tuple of str
        The patterns of the rules that take none of the tensors. A last rule ``*`` is not among
        them: it is there for tensors that nobody thought of.
    absent : dict
        The tied names that are not among the tensors: name -> name of the tensor it is tied to.
        Files usually leave tied names out, so this need not be a mistake.
    """

    unused: tuple[str, ...]
    absent: dict[str, str]

    def __new__(
        cls,
        explanations: Iterable[Explanation],
        unused: Sequence[str] = (),
        absent: Mapping[str, str] | None = None,
    ) -> "Explanations":
        """Make the tuple, with the patterns that take no tensor and the absent tied names."""
        made = super().__new__(cls, explanations)
        made.unused = tuple(unused)
        made.absent = dict(absent or {})
        return made

    def doubts(self) -> list[str]:
        """Return what is probably a mistake, a line for each kind.

        An absent tied name is one if its target is absent too, or if a tensor has a similar name.
        """
        lines = [unused_text(self.unused)] if self.unused else []
        names = [e.name for e in self]
        there = set(names)
        free = [e.name for e in self if e.same_as is None]
        for name, target in self.absent.items():
            if target not in there:
                hint = did_you_mean(target, names)
                text = f"neither {shortened(name)} nor {shortened(target)}, which it is tied to, is"
                lines.append(f"{text} among the tensors{'; ' if hint else ''}{hint}")
                continue
            # Names that differ in their numbers are those of other layers, not misspelt ones.
            numbers = _NUMBER.findall(name)
            like = [n for n in free if n != target and _NUMBER.findall(n) == numbers]
            hint = did_you_mean(name, like, 0.9)
            if hint:
                text = f"{shortened(name)}, which is tied to {shortened(target)}, is not among"
                lines.append(f"{text} the tensors; {hint}")
        return lines

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("tensor", "shape", "rule", "initialiser", "law")]
        for e in self:
            rule = e.pattern if e.same_as is None else f"same as {e.same_as}"
            cells = (e.name, shape_text(e.shape), rule, str(e.initializer), law_text(e.law))
            rows.append(tuple(shortened(cell) for cell in cells))
        text = aligned(rows)
        if self.unused:
            text += f"\nRules that take no tensor: {listed(self.unused)}"
        if self.absent:
            ties = (f"{name} (same as {target})" for name, target in self.absent.items())
            text += f"\nTied names that are not among the tensors: {listed(ties)}"
        return text

    __repr__ = __str__


def unused_text(patterns: Sequence[str]) -> str:
    """Return a warning about patterns that take no tensor.

    Examples
    --------
    >>> unused_text(["*.outt.weight"])
    'the pattern *.outt.weight of the recipe takes no tensor'
    """
    if len(patterns) == 1:
        return f"the pattern {shortened(patterns[0])} of the recipe takes no tensor"
    few = patterns[:_MOST_PATTERNS]
    more = f" and {len(patterns) - len(few)} more" if len(patterns) > len(few) else ""
    texts = ", ".join(shortened(pattern, 60) for pattern in few)
    return f"{len(patterns)} patterns of the recipe take no tensor: {texts}{more}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of texts as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it.

    Examples
    --------
    >>> shape_text((64, 3, 7, 7)), shape_text(())
    ('64 x 3 x 7 x 7', 'scalar')
    """
    return " x ".join(map(str, shape)) or "scalar"


def law_text(law: Law) -> str:
    """Return a distribution in a few words.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> law_text(wi.initializer("normal(std=0.02)").law(1))
    'normal, std 0.02'
    >>> law_text(wi.initializer("uniform(low=0)").law(1))
    'uniform, mean 0.5, std 0.288675, in [0, 1]'
    """
    if law.kind == "constant":
        return f"constant {law.mean:.6g}"
    words = [law.kind.replace("_", " ")]
    if law.mean:
        words.append(f"mean {law.mean:.6g}")
    words.append(f"std {law.std:.6g}")
    if law.kind in ("uniform", "truncated_normal"):
        words.append(f"in [{law.low:.6g}, {law.high:.6g}]")
    return ", ".join(words)
