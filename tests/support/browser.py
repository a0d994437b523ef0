"""Pages under test: a reader that checks their tags, and a browser without a window."""

import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from . import HANG_SECONDS

__all__ = ["Reader", "chromium"]


class Reader(HTMLParser):
    """Collects tags, and checks that they are closed in the right order."""

    #: Tags that have no end.
    EMPTY = ("meta", "link", "input", "br", "wbr")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def chromium(*arguments):
    """Run Chromium without a window; return what it prints and what it logs."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=5000", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console
