"""What surrounds the content of a page: its head, its style, and a policy that loads nothing."""

import base64
import hashlib
from html import escape
from pathlib import Path

from ..._screen import printable
from .page_file import MARK

__all__ = ["framed"]


def framed(title: str, heading: str, counts: str, sections: str, script: str = "") -> str:
    """Return a page with these sections.

    Parameters
    ----------
    title, heading : str
        Any text: it is escaped here.
    counts : str
        A line below the heading.
    sections : str
        The content, as HTML.
    script : str
        The only script that the policy of the page lets run, by its hash. Without one none runs.
    """
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    tag = ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
        tag = f"<script>{script}</script>\n"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(printable(title))}</title>
<style>
{style}</style>
<noscript><style>tr.more {{ display: table-row; }}</style></noscript>
</head>
<body>
<header><h1>{escape(printable(heading))}</h1><p class="quiet">{counts}</p></header>
<main>
{sections}
</main>
<footer>Made by weightinit_fast</footer>
{tag}</body>
</html>
"""
