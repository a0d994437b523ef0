"""Text on a screen: colours, numbers with units, and a line that tells how far a long job is.

The command prints by it, and so do functions with ``progress=True``. Colours appear only where
standard output is a terminal, and lines that change only where standard error is one. In a pipe or
a log file there is nothing but plain text.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Any, Protocol

__all__ = [
    "Bar",
    "Screen",
    "bytes_text",
    "duration_text",
    "printable",
    "printable_lines",
    "rate_text",
]

#: Seconds between two changes of the progress line: ten a second look smooth.
_PAUSE = 0.1
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
#: The widest bar, in characters.
_WIDEST_BAR = 30


class Bar(Protocol):
    """What a long job calls with the bytes that are done and those that there are in all."""

    def __call__(self, done: int, total: int) -> None:
        """Tell how far the job is."""


class Screen:
    """Print plain text; add colour and lines that change only if the output is a terminal.

    Parameters
    ----------
    quiet : bool
        Whether `say` prints nothing, because the report is JSON or nobody wants one.
    still : bool
        Whether there is no progress line even on a terminal, and no remark.
    """

    def __init__(self, quiet: bool = False, still: bool = False) -> None:
        capable = os.environ.get("TERM") != "dumb"
        self._quiet, self._still = quiet, still
        self._colour = capable and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.moving: bool = capable and sys.stderr.isatty() and not still
        self._shown = 0

    def paint(self, text: str, code: str) -> str:
        """Return `text` in the ANSI style `code`, or unchanged where colours are off."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def paint_lines(self, text: str, codes: dict[str, str]) -> str:
        """Return a text whose lines that begin with one of these words are in its ANSI style."""
        lines = text.split("\n")
        for number, line in enumerate(lines):
            for begin, code in codes.items():
                if line.startswith(begin):
                    lines[number] = self.paint(line, code)
        return "\n".join(lines)

    def columns(self) -> int:
        """Return the width of the terminal that shows standard output, or 80 where none does."""
        return get_terminal_size().columns if sys.stdout.isatty() else 80

    def say(self, text: str) -> None:
        """Print a piece of the report, unless the report is JSON or unwanted."""
        self.status("")
        if not self._quiet:
            print(text, flush=True)

    def remark(self, text: str) -> None:
        """Print a line on standard error, beside the report, unless nothing is wanted."""
        self.status("")
        if not self._still:
            print(text, file=sys.stderr, flush=True)

    def document(self, content: Any) -> None:
        """Print a report as JSON."""
        self.status("")
        print(json.dumps(content, indent=2, allow_nan=False))

    def status(self, text: str) -> None:
        """Replace the changing line on standard error; an empty text removes it."""
        if self.moving and (text or self._shown):
            # Blanks instead of an erase code: every terminal knows the carriage return.
            sys.stderr.write("\r" + " " * self._shown + "\r" + text)
            sys.stderr.flush()
            self._shown = len(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Bar | None]:
        """Show how far a job is while the block runs; give None where nothing can be shown."""
        if not self.moving:
            yield None
            return
        title = printable(title)  # it has the name of a file, which a stranger may have given
        bar: _Line | _Tqdm
        try:
            bar = _Tqdm(importlib.import_module("tqdm").tqdm, title)
        except (ImportError, AttributeError):
            bar = _Line(self, title)
        try:
            yield bar
        finally:
            bar.close()


class _Tqdm:
    """The bar of tqdm, where this package is installed: people know it."""

    def __init__(self, make: Any, title: str) -> None:
        self._make, self._title = make, title
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            options = {"unit": "B", "unit_scale": True, "leave": False, "file": sys.stderr}
            self._bar = self._make(total=total, desc=self._title, **options)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Line:
    """A line with a bar of our own, the rate, and the time that is left."""

    def __init__(self, screen: Screen, title: str) -> None:
        self._screen, self._title = screen, title
        self._begun = time.monotonic()
        self._changed = -math.inf  # the first call is shown, as tqdm does

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._changed >= _PAUSE:
            self._changed = now
            line = bar_text(self._title, done, total, now - self._begun, _columns() - 1)
            self._screen.status(line)

    def close(self) -> None:
        self._screen.status("")


def _columns() -> int:
    """Return the width of the terminal that shows standard error.

    `shutil.get_terminal_size` asks standard output, which may be a pipe.
    """
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def bar_text(title: str, done: int, total: int, seconds: float, width: int) -> str:
    """Return a line of at most `width` characters about a job that began `seconds` ago.

    Examples
    --------
    >>> bar_text("writing a.npy", 250_000_000, 1_000_000_000, 0.5, 79)
    'writing a.npy  25 % [####.............] 250 MB of 1.00 GB, 500 MB/s, 1.5 s left'
    >>> bar_text("writing a.npy", 250_000_000, 1_000_000_000, 0.5, 30)
    'writing a.npy  25 % 500 MB/s, '
    """
    share = min(1.0, done / total) if total else 1.0
    head = f"{title} {100 * share:3.0f} % "
    tail = f"{bytes_text(done)} of {bytes_text(total)}, "
    rate = "waiting"
    if done > 0 and seconds > 0:
        left = duration_text(seconds * max(0, total - done) / done)
        rate = f"{rate_text(done, seconds)}, {left} left"
    room = min(_WIDEST_BAR, width - len(head) - len(tail) - len(rate) - 3)
    if room < 4:  # The rate and the time are worth more than the bar.
        return (head + rate)[: max(0, width)]
    full = int(share * room)
    return f"{head}[{'#' * full}{'.' * (room - full)}] {tail}{rate}"


def bytes_text(count: float) -> str:
    """Return a number of bytes with three digits and a decimal unit.

    Examples
    --------
    >>> bytes_text(999), bytes_text(497_774_208), bytes_text(2.5e12)
    ('999 B', '498 MB', '2.50 TB')
    >>> bytes_text(999_950), bytes_text(10_000)
    ('1.00 MB', '10.0 kB')
    """
    if count < 999.5:
        return f"{count:.0f} B"
    power = 0
    while count >= 999.5 and power < len(_UNITS) - 1:
        count /= 1000
        power += 1
    return f"{_three_digits(count)} {_UNITS[power]}"


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def rate_text(count: float, seconds: float) -> str:
    """Return a rate of bytes a second."""
    return f"{bytes_text(count / seconds)}/s" if seconds > 0 else "at once"


def duration_text(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> [duration_text(s) for s in (0.0123, 1.5, 42, 90, 5000, 200000)]
    ['12 ms', '1.5 s', '42 s', '1 min 30 s', '1 h 23 min', '55 h 33 min']
    """
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole // 60 % 60} min"


def printable(text: str) -> str:
    r"""Return a text in one line, without characters that could command a terminal.

    Names in files from strangers appear in messages.

    Examples
    --------
    >>> printable("two\nlines and \x1b[31mred")
    'two; lines and \\x1b[31mred'
    """
    return printable_lines("; ".join(line.strip() for line in text.splitlines() if line.strip()))


def printable_lines(text: str) -> str:
    """Return a text of several lines, without characters that could command a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
