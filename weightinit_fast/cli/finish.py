"""The subcommand ``finish``: complete a file that several processes have written in parts."""

from __future__ import annotations

import argparse

from .._screen import Screen, printable
from .options import add_output

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Complete a file that several processes have written with `init --part K/N`: check
that all parts are there, and give the file its name. The process that ends last
does so itself. This command is for the case that it was stopped."""
    parser.add_argument("file", metavar="FILE", help="what the parts were told to write")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    add_output(parser)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Complete the file."""
    from ..models.files import finish  # noqa: PLC0415  only where it is needed

    saved = finish(args.file, force=args.force)
    screen.say(f"{printable(str(saved.path))}: complete, {saved.nbytes:,} bytes")
    if args.json:
        files = [str(file) for file in saved.files]
        screen.document({"path": str(saved.path), "bytes": saved.nbytes, "files": files})
    return 0
