"""Pictures of results: bars for every library, and GB/s by size. They need matplotlib.

peers.svg shows uniforms and normals, float32 and float64, on one thread and all: the fastest way of
each library, and the non-temporal store as a line. growth.svg shows the fills from 2^18 elements
on, if the results have rows of growth. A picture whose rows are missing is left out, and the output
says so.
"""

import argparse
from pathlib import Path
from statistics import median
from typing import Any

from ..cases.case import DTYPES, KINDS
from . import results
from .results import Document, Row

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters, not outlines: a tenth of the bytes
    "svg.hashsalt": "weightinit_fast",  # makes the file the same each time
    "font.family": "sans-serif",
    "font.size": 9,
    "legend.fontsize": 8,
    "lines.linewidth": 1,
    "figure.facecolor": "white",  # under black letters, so that a dark page can show it too
    "axes.spines.top": False,
    "axes.spines.right": False,
}
SHADES = ("#9ecae1", "#2171b5")  # of one thread, and of all
LIMIT = "#d95f02"
LINES = {"uniform": "#1b7837", "normal": "#762a83"}
NAMES = {"weightinit_fast": "weightinit_fast", "mkl": "MKL", "torch": "torch", "numpy": "NumPy"}


def gbs(row: Row) -> float:
    """Return 10^9 bytes a second, by the median."""
    return float(row["bytes"] / median(row["seconds"]) / 1e9)


def fastest(rows: list[Row], **wanted: Any) -> float:
    """Return the rate of the fastest row that has these values; 0 where there is none."""
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return max((gbs(row) for row in found), default=0.0)


def of_commands(document: Document) -> tuple[list[Row], list[Row]]:
    """Return the rows of fills and those of growth."""
    fills, sizes = (
        [row for row in document["rows"] if row["command"] == command]
        for command in ("fills", "growth")
    )
    return fills, sizes


def peers(document: Document, plt: Any) -> Any:
    """Return a figure of bars: four fills, by library and thread count."""
    rows, _ = of_commands(document)
    threads = sorted({row["threads"] for row in rows})
    threads = sorted({threads[0], threads[-1]})
    present = {row["library"] for row in rows}
    libraries = [name for name in NAMES if name in present]
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.2), sharey=True, layout="constrained")
    for axis, (kind, dtype) in zip(axes.flat, [(k, d) for k in KINDS for d in DTYPES], strict=True):
        width = 0.8 / len(threads)
        for number, count in enumerate(threads):
            shade = SHADES[number - len(threads)]
            label = f"{count} thread{'s' if count > 1 else ''}"
            heights = [
                fastest(rows, library=name, what=kind, dtype=dtype, threads=count)
                for name in libraries
            ]
            places = [k + (number - (len(threads) - 1) / 2) * width for k in range(len(libraries))]
            bars = axis.bar(places, heights, width, color=shade, label=label)
            axis.bar_label(bars, [f"{height:.3g}" for height in heights], fontsize=7)
            limit = fastest(rows, library="store non-temporal", what="store", threads=count)
            style = ("--", "-")[number - len(threads)]
            axis.axhline(limit, color=LIMIT, linestyle=style, label=f"store limit, {label}")
        axis.set_title(f"{kind} {dtype}", fontsize=9)
        axis.set_xticks(range(len(libraries)), [NAMES[name] for name in libraries], fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("GB/s")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def growth(document: Document, plt: Any) -> Any:
    """Return a figure of lines: GB/s by size, both fills, on one thread and all."""
    _, rows = of_commands(document)
    threads = sorted({row["threads"] for row in rows})
    figure, axis = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    styles = dict.fromkeys(threads, ":") | {threads[-1]: "-", 1: "--"}
    for count, style in styles.items():
        label = f"{count} thread{'s' if count > 1 else ''}"
        if limit := fastest(rows, library="store non-temporal", threads=count):
            axis.axhline(limit, color=LIMIT, linestyle=style, label=f"store limit, {label}")
        for kind, color in LINES.items():
            own = [row for row in rows if (row["what"], row["threads"]) == (kind, count)]
            own.sort(key=lambda row: row["elements"])
            sizes, rates = [row["elements"] for row in own], [gbs(row) for row in own]
            axis.plot(
                sizes, rates, color=color, linestyle=style, marker=".", label=f"{kind}, {label}"
            )
    axis.set_xscale("log", base=2)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("float32 elements")
    axis.set_ylabel("GB/s")
    figure.legend(loc="outside right center")
    return figure


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")


def main(args: argparse.Namespace) -> int:
    """Draw what the results hold."""
    import matplotlib as mpl  # noqa: PLC0415 -- no other command needs it

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    document = results.load(args.results)
    facts = document["machine"]
    args.out.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for name, draw, rows in zip(
            ("peers", "growth"), (peers, growth), of_commands(document), strict=True
        ):
            if not rows:
                print(f"{name}.svg: left out, these results have no such rows")
                continue
            target = args.out / f"{name}.svg"
            figure = draw(document, plt)
            title = f"{facts['cpu']['model']}, commit {facts['commit'] or 'unknown'}"
            figure.suptitle(title, fontsize=9)
            figure.savefig(target, metadata={"Date": None})
            print(f"{target}: {target.stat().st_size} bytes")
    return 0
