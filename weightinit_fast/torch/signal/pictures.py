"""The picture: the std by layer on logarithmic scales, activations above and gradients below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from ..._screen import printable
from ...models.inspect.pictures import COLOURS, Axes, key_of
from ...models.messages import counted
from .rows import Row
from .verdict import series_of

__all__ = ["STYLE", "signal_picture"]

_HEIGHT = 250
#: The most layers that are drawn outside of series, as dots.
_MOST_DOTS = 500
#: The style of a picture that stands alone. On a page the style of the page has these names.
STYLE = """
svg { --page: #ffffff; --text: #1b1f24; --quiet: #59636e; --line: #d5dae0; }
@media (prefers-color-scheme: dark) {
  svg { --page: #14171b; --text: #e6e9ed; --quiet: #9aa5b1; --line: #343b44; }
}
text {
  fill: var(--quiet);
  font: 11px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
.head { fill: var(--text); font-size: 13px; }
.page, .zeros { fill: var(--page); }
.zeros { stroke-width: 2; }
.grid { stroke: var(--line); stroke-width: 1; }
.dot { fill: var(--quiet); }
"""
_PANELS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("Std of activations", lambda row: row.std),
    ("Std of gradients", lambda row: row.gradient_std),
)


def signal_picture(rows: Sequence[Row], alone: bool = False) -> str:
    """Return the picture as a figure for a page, or as an SVG file that stands alone.

    A series of like layers is a line, and every other layer a dot.
    """
    series = series_of(rows)
    left_out = len(series) - len(COLOURS)
    series = sorted(series[: len(COLOURS)], key=lambda members: members[0].number)
    panels = [(title, drawn) for title, of in _PANELS if (drawn := _panel(rows, series, of))]
    names = [_place(members) for members in series]
    if alone:
        return _file(panels, names)
    if not panels:
        return "<p>There is nothing to draw.</p>"
    figures = "".join(
        f'<h3>{title}</h3><svg viewBox="0 0 {Axes.width} {_HEIGHT}" role="img">'
        f"<title>{title} by layer</title>{drawn}</svg>"
        for title, drawn in panels
    )
    keys = "".join(map(key_of, COLOURS, names))
    caption = "A line joins like layers, and a grey dot is a layer that has no like. "
    if 'class="zeros"' in figures:
        caption += "A ring at the lower edge is a std of 0. "
    if left_out > 0:
        caption += (
            f"{counted(left_out, 'further line')} {'is' if left_out == 1 else 'are'} left out."
        )
    return (
        f'<figure>{figures}<ul class="key">{keys}</ul><figcaption>{caption}</figcaption></figure>'
    )


def _place(members: Sequence[Row]) -> str:
    """Return the name of a line: the names of its layers with a star for what differs."""
    names = {row.place[0] for row in members}
    name = names.pop() if len(names) == 1 else f"{members[0].name} to {members[-1].name}"
    return f"{name} ({members[0].kind})"


def _panel(rows: Sequence[Row], series: Sequence[Sequence[Row]], of: Callable[[Row], float]) -> str:
    """Return the drawing of one std, or nothing if no layer has one."""
    stds = [of(row) for row in rows if 0 <= of(row) < math.inf]
    if not any(std > 0 for std in stds):
        return ""
    axes = Axes([row.number for row in rows], stds, _HEIGHT, "layer, in the order of execution")
    parts = [*axes.scales()]
    in_series = {row.number for members in series for row in members}
    dots = [row for row in rows if row.number not in in_series][:_MOST_DOTS]
    parts += [_mark(axes, row, of(row), "") for row in dots]
    for colour, members in zip(COLOURS, series, strict=False):
        points = [(row.number, of(row)) for row in members if 0 <= of(row) < math.inf]
        parts.append(axes.path(points, f'stroke="{colour}" stroke-width="2"'))
        parts += [_mark(axes, row, of(row), colour) for row in members]
    return "".join(parts)


def _mark(axes: Axes, row: Row, std: float, colour: str) -> str:
    """Return the mark of a layer, which says its name and its std where a mouse points at it."""
    if not 0 <= std < math.inf:
        return ""
    if std == 0:
        style = f'class="zeros" stroke="{colour or COLOURS[-1]}"'
    else:
        style = f'fill="{colour}"' if colour else 'class="dot"'
    title = f"<title>{escape(printable(row.name))} ({row.kind}): {std:.4g}</title>"
    place = f'cx="{axes.x(row.number):.1f}" cy="{axes.y(std):.1f}" r="{2.5 if colour else 2}"'
    return f"<circle {place} {style}>{title}</circle>"


def _file(panels: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    """Return an SVG file with all panels, and with the names of the lines below them."""
    head, line = 26, 18
    height = len(panels) * (_HEIGHT + head) + line * len(names) + 12
    parts = [f'<rect class="page" width="{Axes.width}" height="{height}"/>']
    y = 0
    for title, drawn in panels:
        parts.append(f'<text class="head" x="{Axes.left}" y="{y + 18}">{title}</text>')
        parts.append(f'<g transform="translate(0 {y + head})">{drawn}</g>')
        y += _HEIGHT + head
    for colour, name in zip(COLOURS, names, strict=False):
        y += line
        parts.append(f'<path d="M{Axes.left},{y - 4}h26" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{Axes.left + 34}" y="{y}">{escape(printable(name))}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Axes.width} {height}" '
        f'width="{Axes.width}" height="{height}" role="img"><title>Standard deviation by '
        f"layer</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )
