"""The subcommand ``inspect``: say what a file of weights holds, and what looks wrong in it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .._screen import Screen, printable, printable_lines
from .options import add_output, page_name
from .sources import SOURCE_HELP, add_source, is_model, read_recipe, read_source

if TYPE_CHECKING:
    from ..models.recipe import Recipe
    from ..models.shapes import TensorSpec

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Print a table of the tensors in a file: their mean and std, the std divided by
those of the usual rules, zeros, NaN, infinities and equal rows. Below it stands
what looks wrong. The file may come from a stranger: nothing in it runs as code."""
    parser.epilog = f"""\
With MODEL|SHAPES, the file is compared with the tensors that it should hold. With
a recipe, which MODEL has, each tensor is compared with its distribution.
{SOURCE_HELP}

examples:
  python -m weightinit_fast inspect model.safetensors
  python -m weightinit_fast inspect gpt2.safetensors gpt2 --html report.html
  python -m weightinit_fast inspect model.safetensors --recipe recipe.toml

Exit status 1: something looks wrong. Notes, which may well be meant so, do not
count."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a .safetensors, .npy or .npz file, a Hugging Face index, or a folder of such files",
    )
    add_source(parser, optional=True)
    parser.add_argument(
        "--html",
        type=page_name,
        metavar="PAGE",
        help="also write a page with a histogram of each tensor, such as report.html",
    )
    add_output(parser)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Inspect the file; return 1 if something looks wrong."""
    from ..models.inspect import inspect  # noqa: PLC0415  only where it is needed

    recipe, shapes = _wanted(args)
    with screen.progress(f"reading {Path(args.file).name}") as bar:
        found = inspect(args.file, recipe=recipe, shapes=shapes, progress=bar or False)
    screen.say(printable_lines(str(found)))
    if args.json:
        screen.document(found.to_dict())
    if args.html is not None:  # last: what has been found is told, even if the page has no place
        found.write_html(args.html)
        screen.say(f"\nThe page with histograms is {printable(args.html)}")
    return 1 if found.wrong else 0


def _wanted(args: argparse.Namespace) -> tuple[Recipe | None, dict[str, TensorSpec] | None]:
    """Return the recipe and the tensors that the file should hold, as far as they are given."""
    if args.source is not None and (is_model(args.source) or args.recipe is not None):
        source = read_source(args)
        return source.recipe, source.shapes
    if args.set and args.recipe is None:
        raise ValueError(
            "--set changes a size of MODEL or a number of RECIPE, and neither is given"
        )
    shapes = None
    if args.source is not None:
        from ..models.shapes import as_shapes  # noqa: PLC0415

        shapes = as_shapes(args.source)
    recipe = None if args.recipe is None else read_recipe(args.recipe, dict(args.set))
    return recipe, shapes
