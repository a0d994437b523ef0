"""Options that several subcommands share, and the values that they take."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

__all__ = [
    "add_dtype",
    "add_output",
    "add_seed",
    "add_threads",
    "byte_count",
    "named_value",
    "page_name",
    "part_of",
]

#: Unit, in lower case -> bytes. A unit of "k", "M" or "G" alone is decimal, as disks are sold.
_UNITS = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate("kmgt", start=1)},
    **{f"{unit}b": 1000**power for power, unit in enumerate("kmgt", start=1)},
    **{f"{unit}ib": 1024**power for power, unit in enumerate("kmgt", start=1)},
    "b": 1,
}


def add_output(parser: argparse.ArgumentParser, *, quiet: bool = True) -> None:
    """Add the options that say what is printed."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    if quiet:
        parser.add_argument("--quiet", "-q", action="store_true", help="print nothing but errors")
    parser.add_argument(
        "--traceback",
        action="store_true",
        help="on an error, print where in the package it arose; so does the environment variable "
        "WEIGHTINIT_FAST_TRACEBACK=1",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads, which refuses what a fill would refuse."""
    parser.add_argument(
        "--threads", type=_checked(_threads), metavar="N", help="use at most N threads"
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add --seed."""
    parser.add_argument(
        "--seed",
        type=_checked(_seed),
        default=0,
        metavar="S",
        help="the seed, an integer of any size; the default is 0, which the published digests have",
    )


def add_dtype(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --dtype; `what` says what it is the type of, and what the default is."""
    parser.add_argument("--dtype", type=_checked(_dtype), metavar="TYPE", help=what)


def _checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `read` with its exceptions as argparse expects them, so that their text is printed."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, TypeError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _threads(text: str) -> int:
    from .._resolve.threads import thread_count  # noqa: PLC0415

    threads = _integer(text)
    thread_count(threads, 0)
    return threads


def _seed(text: str) -> int:
    from .._resolve.keys import key  # noqa: PLC0415

    seed = _integer(text)
    key(seed)
    return seed


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"this must be an integer, not {text!r}") from None


def _dtype(text: str) -> str:
    from .._resolve.dtypes import requested  # noqa: PLC0415

    return requested(text)[0].name


@_checked
def byte_count(text: str) -> int:
    """Return a size such as ``2GB`` in bytes.

    Examples
    --------
    >>> byte_count("2GB"), byte_count("1.5 GiB"), byte_count("4096")
    (2000000000, 1610612736, 4096)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in _UNITS:
        raise ValueError(f"a size is a number with a unit such as 500MB, 2GB or 4GiB, not {text!r}")
    return int(Fraction(match[1]) * _UNITS[match[2]])  # a float may overflow


@_checked
def page_name(text: str) -> str:
    """Return the name of a page to write, unless it could be the name of a file of weights."""
    if not text.lower().endswith((".html", ".htm")):
        raise ValueError(f"the name of a page ends with .html, not {text!r}")
    return text


@_checked
def part_of(text: str) -> str | tuple[int, int]:
    """Return a part such as ``3/16`` as (3, 16), and ``auto`` as it is.

    Examples
    --------
    >>> part_of("0/16"), part_of("auto")
    ((0, 16), 'auto')
    """
    if text == "auto":
        return text
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match:
        raise ValueError(f"a part is k/n, with k from 0 to n-1, or auto, not {text!r}")
    part, parts = int(match[1]), int(match[2])
    if not part < parts:
        raise ValueError(f"parts count from 0: of {parts} parts the last is {parts - 1}/{parts}")
    return part, parts


@_checked
def named_value(text: str) -> tuple[str, Any]:
    """Return ``name=value`` as a pair; numbers become int, float or a tuple of them.

    Examples
    --------
    >>> named_value("layers=24"), named_value("std=0.01"), named_value("bottom=512,256")
    (('layers', 24), ('std', 0.01), ('bottom', (512, 256)))
    """
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise ValueError(f"this must be NAME=VALUE, such as layers=24, not {text!r}")
    numbers = [_number(part) for part in value.split(",")]
    if len(numbers) == 1:
        return name, value if numbers[0] is None else numbers[0]
    return name, value if None in numbers else tuple(numbers)


def _number(text: str) -> int | float | None:
    """Return a text as a number; None if it is none."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return None
