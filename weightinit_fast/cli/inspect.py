"""The subcommand ``inspect``: say what a file of weights holds, and what looks wrong in it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .._screen import Screen, printable, printable_lines
from .options import add_dtype, add_output, page_name
from .sources import SOURCE_HELP, add_source, is_model, read_recipe, read_shapes, read_source

if TYPE_CHECKING:
    from ..models.recipe import Recipe
    from ..models.shapes import TensorSpec

__all__ = ["configure", "run"]

#: What the text of an Inspection says of arguments -> what the command has instead.
_OPTIONS = {
    "(width=None shows more": "(--wide shows more",
    "(shapes= can say so)": "(--dtype can say so)",
}


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
    parser.add_argument(
        "--force", action="store_true", help="replace PAGE even if it is no page of this command"
    )
    parser.add_argument(
        "--wide", action="store_true", help="print all columns, even if they need long lines"
    )
    add_dtype(
        parser,
        "what integers of a NumPy file are the bits of, such as bfloat16, unless SHAPES says it",
    )
    add_output(parser)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Inspect the file; return 1 if something looks wrong."""
    from ..models.inspect import inspect  # noqa: PLC0415  only where it is needed
    from ..models.inspect.page_file import refuse_place  # noqa: PLC0415

    if args.html is not None:  # A large file is not read in vain.
        refuse_place(args.html, [Path(args.file)], force=args.force)
    recipe, shapes = _wanted(args, screen)
    if args.dtype is not None:
        shapes = _of_type(args.dtype, args.file, shapes)
    with screen.progress(f"reading {Path(args.file).name}") as bar:
        found = inspect(args.file, recipe=recipe, shapes=shapes, progress=bar or False)
    text = found.to_text(None if args.wide else screen.columns())
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    styles = {"What looks wrong": "1;31", "Nothing looks wrong": "32", "Notes (": "1;33"}
    screen.say(screen.paint_lines(printable_lines(text), styles))
    if args.json:
        screen.document(found.to_dict())
    if args.html is not None:  # last: what has been found is told, even if the page has no place
        found.write_html(args.html, force=args.force)
        screen.say(f"\nThe page with histograms is {printable(args.html)}")
    return 1 if found.wrong else 0


def _of_type(dtype: str, file: str, shapes: dict[str, TensorSpec] | None) -> dict[str, TensorSpec]:
    """Return the tensors that the file should hold, with a type for those that have none.

    Without such a table, it is the type of the integers in the file.
    """
    from ..models.readers import read_tensors  # noqa: PLC0415  only where they are needed
    from ..models.shapes import TensorSpec  # noqa: PLC0415

    if shapes is not None:
        return {n: s if s.dtype else s._replace(dtype=dtype) for n, s in shapes.items()}
    return {
        name: TensorSpec(tensor.shape, dtype if tensor.dtype.startswith(("uint", "void")) else None)
        for name, tensor in read_tensors(file).items()
    }


def _wanted(
    args: argparse.Namespace, screen: Screen
) -> tuple[Recipe | None, dict[str, TensorSpec] | None]:
    """Return the recipe and the tensors that the file should hold, as far as they are given."""
    if args.source is not None and (is_model(args.source) or args.recipe is not None):
        source = read_source(args, screen)
        return source.recipe, source.shapes
    if args.set and args.recipe is None:
        raise ValueError(
            "--set changes a size of MODEL or a number of RECIPE, and neither is given"
        )
    shapes = None
    if args.source is not None:
        shapes = read_shapes(args.source, screen)
    recipe = None if args.recipe is None else read_recipe(args.recipe, dict(args.set))
    return recipe, shapes
