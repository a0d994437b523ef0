"""The command ``python -m weightinit_fast``: its subcommands, its errors, its exit status.

options.py     options that several subcommands share
sources.py     which tensors and which recipe an argument means
digests.py     the SHA-256 of files, and which digests are published

Each of the other files is the subcommand that it is named after. It has `configure`, which adds its
options to a parser, and `run`, which does the work and returns the exit status. Only the file of
the subcommand that was asked for is imported, so that ``--help`` and ``info`` answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import Any, NoReturn

from .. import __version__
from .._core import STREAM_VERSION
from .._installed import get_cmake_dir, get_include
from .._screen import Screen, printable

__all__ = ["main"]

_PROGRAM = "python -m weightinit_fast"
#: Subcommand -> what it does. The file of the same name has the rest.
_COMMANDS = {
    "init": "write the initial weights of a model into a file",
    "inspect": "say what a file of weights holds, and what looks wrong in it",
    "verify": "compare a file with the weights that belong in it, or repair it",
    "finish": "complete a file that several processes have written",
    "explain": "say which initialiser draws which tensor of a model",
    "benchmark": "time three models beside NumPy, and check their bits",
    "info": "print versions, instruction sets and threads",
}
_EXIT_STATUS = """\
exit status:
  0    done, and nothing is wrong
  1    done, and something is wrong: a digest or a file differs, or inspect found a fault
  2    not done: wrong use, or a file that cannot be read or written
  130  interrupted by Ctrl-C
  141  whoever read the output closed the pipe"""
#: Arguments in the messages of the functions -> what the command takes instead.
_OPTIONS = {
    "force=True": "--force",
    "part='auto'": "--part auto",
    "pass part=(k, n)": "pass --part K/N",
    "; with others='leave_out' they are left out": "; leave them out of the table",
}
_SHORT_HELP = f"""\
{_PROGRAM} writes, checks and inspects the initial weights of models. Begin with

  {_PROGRAM} init gpt2 -o gpt2.safetensors   write a model's weights into a file
  {_PROGRAM} inspect gpt2.safetensors        say what is in a file of weights
  {_PROGRAM} benchmark                       time three models beside NumPy

{_PROGRAM} --help lists all commands."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()  # now, so that BrokenPipeError is raised inside the try
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # ``| head`` has read enough
        _abandon_output()
        status = 141
    return status


def _run(argv: Sequence[str]) -> int:
    """Run the subcommand that the arguments name; print errors as one line."""
    if not argv:
        print(_SHORT_HELP, file=sys.stderr)
        return 2
    args = _parser(argv).parse_args(_with_parts(argv))
    module = importlib.import_module(f".{args.command}", __name__)
    quiet = args.json or getattr(args, "quiet", False)
    screen = Screen(quiet=quiet, still=getattr(args, "quiet", False))
    try:
        status: int = module.run(args, screen)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, MemoryError, ImportError) as error:
        screen.status("")
        if args.traceback or os.environ.get("WEIGHTINIT_FAST_TRACEBACK", "0") not in ("", "0"):
            traceback.print_exc()
        print(f"{_PROGRAM} {args.command}: error: {_text_of(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # the error is that standard output takes no more
            _abandon_output()
        return 2


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only subcommands that the arguments may name get their options."""
    parser = _Parser(
        prog=_PROGRAM,
        description="Write, check and inspect the initial weights of models.",
        epilog=_EXIT_STATUS,
        formatter_class=_Formatter,
    )
    version = f"weightinit_fast {__version__}, stream version {STREAM_VERSION}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument(
        "--includes",
        action=_Print,
        const=lambda: shlex.quote(f"-I{get_include()}"),
        help="print the compiler's option for the C headers, and exit",
    )
    parser.add_argument(
        "--cmakedir",
        action=_Print,
        const=get_cmake_dir,
        help="print the folder that CMake takes as weightinit_fast_DIR, and exit",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands"
    )
    for name, does in _COMMANDS.items():
        own = commands.add_parser(name, help=does, formatter_class=_Formatter)
        if name in argv:
            importlib.import_module(f".{name}", __name__).configure(own)
    return parser


def _with_parts(argv: Sequence[str]) -> list[str]:
    """Return the arguments with a value of --part that begins with a dash tied to its option.

    argparse would take -1/3 for an option. Now it is refused as the number of a part.
    """
    tied: list[str] = []
    for text in argv:
        if tied and tied[-1] == "--part" and text[:1] == "-" and text[1:2].isdecimal():
            tied[-1] += f"={text}"
        else:
            tied.append(text)
    return tied


class _Print(argparse.Action):
    """An option that prints what its function returns, as --version does."""

    def __init__(self, option_strings: Sequence[str], dest: str, const: Any, help: str) -> None:
        super().__init__(
            option_strings,
            argparse.SUPPRESS,
            nargs=0,
            const=const,
            default=argparse.SUPPRESS,
            help=help,
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print, and exit."""
        try:
            text = self.const()
        except OSError as error:
            parser.error(str(error))
        print(text)
        parser.exit()


class _Formatter(argparse.HelpFormatter):
    """Help with paragraphs, and with examples as they are written: they have indented lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(80, get_terminal_size().columns) - 1)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Replace the method of argparse that joins all lines of a description."""
        paragraphs = (
            paragraph
            if "\n  " in paragraph
            else super(_Formatter, self)._fill_text(paragraph, width, indent)
            for paragraph in text.strip().split("\n\n")
        )
        return "\n\n".join(paragraphs)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and a second one that says where the help is."""

    def error(self, message: str) -> NoReturn:
        """Print the error without the usage, which may take ten lines, and exit."""
        if "required: COMMAND" in message:
            # There was a command without subcommands once.
            message += f" (the table of three models is now {_PROGRAM} benchmark)"
        self.exit(2, f"{self.prog}: error: {printable(message)}\nsee {self.prog} --help\n")


def _text_of(error: BaseException) -> str:
    """Return an exception as one line for people who do not know the code."""
    if isinstance(error, MemoryError):
        return printable(f"not enough memory: {error}" if str(error) else "not enough memory")
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        return printable(
            error.strerror if name is None else f"{os.fsdecode(name)}: {error.strerror}"
        )
    text = str(error)
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return printable(text) or type(error).__name__


def _abandon_output() -> None:
    """Let the rest of standard output go nowhere.

    Otherwise the interpreter would report the broken pipe or the full disk again when it ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
