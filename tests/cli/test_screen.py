"""What the command prints on a terminal and in a pipe: the line that tells how far a job is."""

from __future__ import annotations

import sys
import types
from typing import ClassVar

import pytest
from support.internals import screen

MEGABYTES = 10**6
START = "writing a.npy   0 % [..............................] 0 B of 400 MB, waiting"


def pretend_terminal(monkeypatch):
    """Let standard error seem to be a terminal of 80 columns, without tqdm.

    This is no fixture, because pytest replaces standard error again when the test begins.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)


@pytest.fixture
def clock(monkeypatch):
    """Return a list whose only number is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(screen, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_in_a_pipe_nothing_moves(capsys):
    with screen.Screen().progress("writing a.npy") as bar:
        assert bar is None
    assert capsys.readouterr() == ("", "")


def test_quiet_and_dumb_terminals_show_nothing(monkeypatch):
    pretend_terminal(monkeypatch)
    assert not screen.Screen(still=True).moving
    assert screen.Screen().moving
    monkeypatch.setenv("TERM", "dumb")
    assert not screen.Screen().moving


def test_line(clock, capsys, monkeypatch):
    pretend_terminal(monkeypatch)
    with screen.Screen().progress("writing a.npy") as bar:
        bar(0, 400 * MEGABYTES)
        clock[0] += 2
        bar(100 * MEGABYTES, 400 * MEGABYTES)
        bar(101 * MEGABYTES, 400 * MEGABYTES)  # too soon for another line
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.split("\r") if line.strip()]
    line = "writing a.npy  25 % [####.............] 100 MB of 400 MB, 50.0 MB/s, 6.0 s left"
    assert lines == [START, line]
    assert err.endswith("\r" + " " * len(line) + "\r"), "the line is removed in the end"


def test_a_title_does_not_command_the_terminal(clock, capsys, monkeypatch):
    pretend_terminal(monkeypatch)
    with screen.Screen().progress("reading \x1b[31m.npy") as bar:
        bar(1, 2)
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"reading \x1b[31m.npy" in err


def test_line_is_removed_after_an_error(clock, capsys, monkeypatch):
    pretend_terminal(monkeypatch)

    def interrupted():
        with screen.Screen().progress("writing a.npy") as bar:
            clock[0] += 1
            bar(1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err.endswith(" \r")


@pytest.mark.parametrize("width", [0, 10, 40, 79, 200])
@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 10), (10, 10), (20, 10), (10**15, 10**18)])
@pytest.mark.parametrize("seconds", [0, 1, 1e6])
def test_line_fits(width, done, total, seconds):
    line = screen.bar_text("writing a.npy", done, total, seconds, width)
    assert len(line) <= width


def test_tqdm_where_it_is_installed(monkeypatch):
    class Bar:
        made: ClassVar[list] = []

        def __init__(self, **options):
            self.options, self.n, self.closed = options, 0, False
            self.made.append(self)

        def update(self, more):
            self.n += more

        def close(self):
            self.closed = True

    pretend_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    with screen.Screen().progress("writing a.npy") as bar:
        bar(10, 30)
        bar(20, 30)
    (made,) = Bar.made
    assert made.n == 20
    assert made.closed
    assert made.options["total"] == 30
    assert made.options["desc"] == "writing a.npy"
    assert made.options["file"] is sys.stderr


def test_a_report_in_json_has_no_text(capsys):
    paper = screen.Screen(quiet=True)
    paper.say("text")
    paper.document({"a": 1})
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'
