"""What the file of a family of models states, and the checks of sizes that the families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = ["Family", "Rule", "Size", "Table", "hidden_width", "limit_tensors", "need_multiple"]

#: A size of a model: a number, or several, such as the widths of layers.
Size: TypeAlias = int | tuple[int, ...]


#: A table takes about 1 µs for each tensor. The largest published models have some 10^5.
_MOST_TENSORS = 10**6


class Rule(NamedTuple):
    """A rule of a recipe, and the line of a printed table that counts the tensors it takes.

    Attributes
    ----------
    pattern : str
        What `Recipe` takes as a pattern.
    initialiser : str
        The text of an initialiser. Its formulas may use the names in `Table.let`.
    group : str
        A plain word for tensors of this kind, such as "biases". Several rules may share a group.
    """

    pattern: str
    initialiser: str
    group: str


@dataclass(frozen=True)
class Table:
    """The parameters of a model of given sizes.

    Attributes
    ----------
    shapes : dict
        Name -> shape of each parameter, in the order of the published checkpoint.
    let : dict
        The numbers that the formulas of the family's rules name.
    same_as : dict
        The tied names, which are not in ``shapes``: name -> name of the tensor that it shares.
    derived : dict
        The sizes that were left to be derived from the others: name -> number.
    rules : tuple of Rule
        Rules that depend on the sizes. They come before those of the family.
    """

    shapes: dict[str, tuple[int, ...]]
    let: dict[str, int] = field(default_factory=dict)
    same_as: dict[str, str] = field(default_factory=dict)
    derived: dict[str, int] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


class Family(NamedTuple):
    """Models that differ only in their sizes.

    Attributes
    ----------
    title : str
        The name of the family, such as "GPT-2".
    published : str
        The name of the published model that has the default sizes, such as "GPT-2 124M".
    source : str
        The paper, and the code whose names, shapes and initialisers these are.
    rules : tuple of Rule
        The recipe.
    table : callable
        The sizes as keyword arguments -> Table. Its defaults are the sizes of the published model.
        The default None means that the size is derived from the others. The default 0 means that
        the size is a switch, which is 0 or 1; every other size is at least 1.
    """

    title: str
    published: str
    source: str
    rules: tuple[Rule, ...]
    table: Callable[..., Table]


def limit_tensors(count: int) -> None:
    """Refuse sizes that make more tensors than any model has.

    Raises
    ------
    ValueError
    """
    if count > _MOST_TENSORS:
        raise ValueError(f"these sizes make {count:,} tensors or more, above {_MOST_TENSORS:,}")


def need_multiple(of: str, multiple: int, divisor_name: str, divisor: int) -> None:
    """Refuse a size that is no multiple of another one.

    Raises
    ------
    ValueError
        Its message says both sizes, and the nearest sizes that would do.
    """
    rest = multiple % divisor
    if rest:
        below, above = multiple - rest, multiple - rest + divisor
        near = f"{below} or {above}" if below else f"{above}"
        raise ValueError(
            f"{of} must be a multiple of {divisor_name}, which is {divisor}: {near}, for example, "
            f"not {multiple}"
        )


def hidden_width(hidden: int | None, width: int, numerator: int, denominator: int = 1) -> int:
    """Return the width of a feed-forward layer: as given, or that multiple of the model's width.

    Raises
    ------
    ValueError
        If no width is given, and the multiple is not a whole number.
    """
    if hidden is not None:
        return hidden
    if width * numerator % denominator:
        raise ValueError(
            f"hidden is {numerator}/{denominator} of width if it is not given, which is no whole "
            f"number for width {width}: give hidden too"
        )
    return width * numerator // denominator
