"""The subcommand ``explain``: which initialiser draws which tensor of a model."""

from __future__ import annotations

import argparse
import math
from math import prod

from .._screen import Screen, printable_lines
from .options import add_output
from .sources import SOURCE_HELP, add_source, read_source

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Say for each tensor of a model which rule of the recipe takes it, which
initialiser draws it, and the distribution of its elements. Nothing is drawn.
Without a model, list the built-in ones with their sizes."""
    parser.epilog = f"""\
{SOURCE_HELP}

examples:
  python -m weightinit_fast explain
  python -m weightinit_fast explain gpt2 --set layers=24
  python -m weightinit_fast explain gpt2 --toml > recipe.toml"""
    add_source(parser, optional=True)
    parser.add_argument("--toml", action="store_true", help="print the recipe in TOML instead")
    add_output(parser, quiet=False)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Print the table."""
    if args.toml and (args.json or args.source is None):
        raise ValueError(
            "--toml prints the recipe of a model: name the model, and leave --json out"
        )
    if args.source is None:
        return _models(args, screen)
    from ..models.messages import counted  # noqa: PLC0415  only where it is needed

    source = read_source(args, screen)
    if args.toml:
        screen.say(source.recipe.to_toml().rstrip("\n"))
        return 0
    explanations = source.recipe.explain(source.shapes)
    if args.json:
        tensors = [
            {
                "name": row.name,
                "shape": row.shape,
                "rule": row.pattern,
                "same_as": row.same_as,
                "initialiser": str(row.initializer),
                "kind": row.law.kind,
                "mean": row.law.mean,
                "std": row.law.std,
                # JSON has no infinities.
                "low": row.law.low if math.isfinite(row.law.low) else None,
                "high": row.law.high if math.isfinite(row.law.high) else None,
            }
            for row in explanations
        ]
        screen.document(
            {
                "tensors": tensors,
                "unused_rules": explanations.unused,
                "absent_tied_names": explanations.absent,
            }
        )
        return 0
    # Tied tensors are counted as `init` counts, which does not write them.
    sizes = [prod(row.shape) for row in explanations if row.same_as is None]
    tied = len(explanations) - len(sizes)
    more = f" and {counted(tied, 'tied name')}" if tied else ""
    screen.say(printable_lines(str(explanations)))
    screen.say(f"{counted(len(sizes), 'tensor')}{more}, {counted(sum(sizes), 'parameter')}")
    return 0


def _models(args: argparse.Namespace, screen: Screen) -> int:
    """List the built-in models."""
    from ..models.builtin import MODELS, model  # noqa: PLC0415  only where it is needed

    models = [model(name) for name in MODELS]
    if args.json:
        keys = ("name", "title", "parameters", "sizes", "source")
        screen.document([{key: getattr(own, key) for key in keys} for own in models])
        return 0
    for own in models:
        screen.say(f"{screen.paint(own.name, '1')}  {own}")
        screen.say("  " + " ".join(f"{size}={_size(n)}" for size, n in own.sizes.items()))
    return 0


def _size(value: object) -> str:
    """Return a size as --set takes it, or the beginning of a long one."""
    if isinstance(value, tuple):
        numbers = [str(n) for n in value]
        return ",".join(numbers if len(numbers) < 6 else [*numbers[:3], "...", numbers[-1]])
    return str(value)
