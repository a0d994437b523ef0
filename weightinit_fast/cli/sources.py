"""Which tensors an argument MODEL|SHAPES means, and which recipe draws them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._screen import Screen, printable
from .options import named_value

if TYPE_CHECKING:
    from ..models.recipe import Recipe
    from ..models.shapes import TensorSpec

__all__ = [
    "Source",
    "add_recipe",
    "add_source",
    "is_model",
    "read_recipe",
    "read_shapes",
    "read_source",
]

SOURCE_HELP = """\
MODEL is a built-in model, such as gpt2; `explain` without a model lists them.
--set changes its sizes: --set layers=24 --set width=1024.

SHAPES is a table of shapes (.toml, .json), or weights whose names and shapes are
taken: a .safetensors, .npy or .npz file, a Hugging Face index
(.safetensors.index.json), or a folder of such files. Tensors of types that are
never drawn, such as the int64 counters of batch norms, are left out of them.

RECIPE is a file (.toml), the name of a built-in model, or one initialiser for
all tensors, such as 'normal(std=0.02)'. --set changes the numbers that the file
has under [let]."""


class Source(NamedTuple):
    """The tensors of a model, and the recipe that draws them.

    Attributes
    ----------
    title : str
        The name of a built-in model or of a file.
    shapes : dict
        Name -> TensorSpec.
    recipe : Recipe
    model : str or None
        The name of the built-in model, if the sizes are its own and the recipe is too.
    """

    title: str
    shapes: dict[str, TensorSpec]
    recipe: Recipe
    model: str | None = None


def add_source(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the argument MODEL|SHAPES, --recipe and --set."""
    parser.add_argument(
        "source",
        nargs="?" if optional else None,
        metavar="MODEL|SHAPES",
        help="a built-in model, or a file with names and shapes; see below",
    )
    add_recipe(parser)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add --recipe and --set."""
    parser.add_argument(
        "--recipe", metavar="RECIPE", help="which initialiser draws which tensor; see below"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=named_value,
        metavar="NAME=VALUE",
        help="change a size of the built-in model or a number of the recipe, such as layers=24; "
        "may be repeated",
    )


def read_source(args: argparse.Namespace, screen: Screen) -> Source:
    """Return what the arguments mean, or raise an error that says what is missing."""
    name, given = args.source, dict(args.set)
    if is_model(name):
        from ..models.builtin import model  # noqa: PLC0415

        own = model(name)
        if args.recipe is None:
            asked = model(name, **given)
            return Source(asked.title, asked.shapes, asked.recipe, name if asked == own else None)
        asked = model(name, **{size: n for size, n in given.items() if size in own.sizes})
        return Source(asked.title, asked.shapes, read_recipe(args.recipe, given, own.sizes))
    if not os.path.exists(name):
        raise ValueError(
            f"{name!r} is neither a file nor a built-in model; the models are {_models()}"
        )
    if args.recipe is None:
        raise ValueError(
            f"{name} has names and shapes alone: say with --recipe which initialiser draws which "
            "tensor, such as --recipe 'normal(std=0.02)'"
        )
    shapes = read_shapes(name, screen)
    return Source(Path(name).name, shapes, read_recipe(args.recipe, given))


def read_shapes(path: str, screen: Screen) -> dict[str, TensorSpec]:
    """Return the tensors of a table or of a file of weights that can be drawn.

    Checkpoints hold tensors that nobody draws, such as the int64 counters of batch norms. They are
    left out, which the user is told. In a table, which somebody wrote by hand, they are an error.
    """
    from ..models.messages import listed  # noqa: PLC0415  only where they are needed
    from ..models.shapes import as_shapes, is_table  # noqa: PLC0415

    if is_table(Path(path)):
        return as_shapes(path)
    from ..models.readers import read_tensors  # noqa: PLC0415

    stored = read_tensors(path)
    shapes = as_shapes(path, others="leave_out")
    lacking = {name: stored[name].dtype for name in stored if name not in shapes}
    if lacking:
        tensors = "1 tensor is" if len(lacking) == 1 else f"{len(lacking):,} tensors are"
        types = " and ".join(sorted(set(lacking.values())))
        screen.remark(
            f"note: {tensors} left out, since {types} is never drawn: {printable(listed(lacking))}"
        )
    return shapes


def read_recipe(
    text: str, given: Mapping[str, Any], others: Collection[str] = frozenset()
) -> Recipe:
    """Return the recipe that --recipe means: a file, a built-in model's, or one initialiser.

    `given` has what --set sets. It may have a name that the recipe lacks if this is among `others`,
    the sizes of a model; a name that both have is set in both.
    """
    from ..models.recipe import Recipe  # noqa: PLC0415

    def numbers(known: Collection[str]) -> dict[str, Any]:
        return {name: n for name, n in given.items() if name in known or name not in others}

    if is_model(text):
        from ..models.builtin import model  # noqa: PLC0415

        return model(text, **numbers(model(text).sizes)).recipe
    if text.lower().endswith(".toml") or os.path.exists(text):
        recipe = Recipe.from_toml(text)
        return Recipe.from_dict(recipe.to_dict(), let=numbers(recipe.let))
    try:
        return Recipe([("*", text)], let=given)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"--recipe {text!r} is neither a .toml file nor a built-in model ({_models()}), and as "
            f"an initialiser it is wrong: {error}"
        ) from None


def is_model(name: str) -> bool:
    """Whether a built-in model has this name."""
    from ..models.builtin import MODELS  # noqa: PLC0415

    return name in MODELS


def _models() -> str:
    from ..models.builtin import MODELS  # noqa: PLC0415

    return ", ".join(MODELS)
