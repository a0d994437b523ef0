"""The subcommand ``verify``: compare a file with the weights that belong in it, or repair it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._screen import Screen, printable_lines
from .options import add_dtype, add_output, add_seed, add_threads
from .sources import SOURCE_HELP, add_source, read_recipe, read_source

if TYPE_CHECKING:
    from ..models.files.verify import Verification
    from ..models.recipe import Recipe
    from ..models.shapes import TensorSpec

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Draw the weights of a model again and compare them with a file, bit by bit. Say
which element is the first that differs, and how many do. A file with other
names, shapes or a wrong size is told without reading its elements."""
    parser.epilog = f"""\
Without MODEL|SHAPES, all tensors of FILE are compared by --recipe. {SOURCE_HELP}

examples:
  python -m weightinit_fast verify gpt2.safetensors gpt2
  python -m weightinit_fast verify gpt2.safetensors gpt2 --repair
  python -m weightinit_fast verify model.safetensors --recipe recipe.toml

Exit status 0: the file is as drawn, or --repair has made it so; 1: it is not."""
    parser.add_argument("file", metavar="FILE", help="what `init` has written: a file or a folder")
    add_source(parser, optional=True)
    add_dtype(
        parser,
        "the type of the tensors for which SHAPES has none; the default is the type that they "
        "have in FILE",
    )
    add_seed(parser)
    parser.add_argument(
        "--repair",
        action="store_true",
        help="write the blocks that differ again, unless most of the file differs",
    )
    add_threads(parser)
    add_output(parser)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Compare; return 1 if something differs and was not repaired."""
    from ..models.files.verify import verify  # noqa: PLC0415  only where it is needed

    recipe, shapes = _wanted(args, screen)
    with screen.progress(f"comparing {Path(args.file).name}") as bar:
        found = verify(
            args.file,
            recipe,
            shapes=shapes,
            rng=args.seed,
            dtype=args.dtype,
            repair=args.repair,
            threads=args.threads,
            progress=bar or False,
        )
    screen.say(printable_lines(str(found)))
    if args.json:
        screen.document(_report(found))
    return 0 if found.ok or found.repaired else 1


def _wanted(
    args: argparse.Namespace, screen: Screen
) -> tuple[Recipe, dict[str, TensorSpec] | None]:
    """Return the recipe, and the tensors that should be there; None stands for those in the file.

    Tensors whose type nobody states are expected to have the type that they have in the file.
    """
    from ..models.readers import FormatError  # noqa: PLC0415
    from ..models.shapes import as_shapes  # noqa: PLC0415

    if args.source is None:
        if args.recipe is None:
            raise ValueError(
                "name the model that the file should hold, such as gpt2, or say with --recipe "
                "which initialiser drew which tensor"
            )
        return read_recipe(args.recipe, dict(args.set)), None
    source = read_source(args, screen)
    shapes = dict(source.shapes)
    if args.dtype is None:
        try:
            stored = as_shapes(args.file, others="leave_out")
        except FormatError:  # verify reports it
            return source.recipe, shapes
        for name, spec in shapes.items():
            if spec.dtype is None and name in stored:
                shapes[name] = spec._replace(dtype=stored[name].dtype)
    return source.recipe, shapes


def _report(found: Verification) -> dict[str, Any]:
    """Return what was found as values that JSON has."""
    report = {"ok": found.ok, **asdict(found), "path": str(found.path)}
    if found.first is not None:
        # Values may be NaN or infinite, which JSON lacks, so they are texts.
        texts = {name: str(value) for name, value in asdict(found.first).items()}
        report["first"] = texts | {
            "index": list(found.first.index),
            "offset": found.first.offset,
            "found_bits": f"{found.first.found_bits:#x}",
            "expected_bits": f"{found.first.expected_bits:#x}",
        }
    return report
