"""Draw the picture of the page about torch: what three initialisations do to a 30-layer network.

``python docs/signal_picture.py`` writes docs/_static/torch/signal.svg. It needs torch. A test draws
the picture again, and compares it.
"""

import sys
from pathlib import Path

import torch

import weightinit_fast as wi
import weightinit_fast.torch
from weightinit_fast.models.inspect.pictures import COLOURS, Axes
from weightinit_fast.torch.signal import SignalReport
from weightinit_fast.torch.signal.pictures import STYLE

DEPTH, WIDTH, BATCH = 30, 256, 128
#: The label of each initialisation -> its rule.
RULES = {
    "N(0, 0.01²)": "normal(std=0.01)",
    "Xavier": "xavier_normal",
    "He": "he_normal",
}
PANELS = {"std of activations": "std", "std of gradients": "gradient_std"}
HEIGHT, HEAD = 230, 26


def network() -> torch.nn.Sequential:
    """Return the network, whose weights are still those of torch."""
    layers = [m for _ in range(DEPTH) for m in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers)


def reports() -> dict[str, SignalReport]:
    """Look at the network under each initialisation."""
    net = network()
    sample = torch.from_numpy(wi.normal((BATCH, WIDTH), rng=0, stream="sample"))
    found = {}
    for label, rule in RULES.items():
        wi.torch.initialize(net, {"*.bias": "zeros", "*.weight": rule}, rng=0)
        found[label] = wi.torch.signal(net, sample)
    return found


def picture(found: dict[str, SignalReport]) -> str:
    """Return the picture as SVG: a line for each initialisation, through its linear layers."""
    lines = {
        label: [row for row in report.rows if row.kind == "Linear"]
        for label, report in found.items()
    }
    height = len(PANELS) * (HEIGHT + HEAD) + 30
    parts = [f'<rect class="page" width="{Axes.width}" height="{height}"/>']
    for number, (title, name) in enumerate(PANELS.items()):
        stds = [getattr(row, name) for rows in lines.values() for row in rows]
        axes = Axes(range(1, DEPTH + 1), stds, HEIGHT, "linear layer")
        drawn = [*axes.scales()]
        for colour, rows in zip(COLOURS, lines.values(), strict=False):
            points = [(n, getattr(row, name)) for n, row in enumerate(rows, start=1)]
            drawn.append(axes.path(points, f'stroke="{colour}" stroke-width="2"'))
            for n, std in points:
                place = f'cx="{axes.x(n):.1f}" cy="{axes.y(std):.1f}"'
                drawn.append(f'<circle {place} r="2.5" fill="{colour}"/>')
        top = number * (HEIGHT + HEAD)
        parts.append(f'<text class="head" x="{Axes.left}" y="{top + 18}">{title}</text>')
        parts.append(f'<g transform="translate(0 {top + HEAD})">{"".join(drawn)}</g>')
    x, y = Axes.left, height - 10
    for colour, label in zip(COLOURS, lines, strict=False):
        parts.append(f'<path d="M{x},{y - 4}h26" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 34}" y="{y}">{label}</text>')
        x += 160
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Axes.width} {height}" '
        f'width="{Axes.width}" height="{height}" role="img"><title>Standard deviation by layer'
        f"</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


if __name__ == "__main__":
    file = Path(__file__).parent / "_static" / "torch" / "signal.svg"
    file = Path(sys.argv[1]) if sys.argv[1:] else file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(picture(reports()), encoding="utf-8", newline="\n")
