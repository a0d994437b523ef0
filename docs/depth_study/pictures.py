"""Draw the pictures of docs/depth-study.md from results.json and nothing else."""

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import schemes
from claims import factor_order, limit, median_and_range
from report import ACTIVATIONS

STYLE = {
    "figure.dpi": 110,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
}
#: A signal outside this window has vanished or exploded, and its further course says nothing new.
WINDOW = (1e-10, 1e6)
CHANCE_ACCURACY, CHANCE_LOSS = 0.1, math.log(10)
LOSS_TOP = 10.0


def propagation(results: dict[str, Any]) -> plt.Figure:
    """Draw the std of each layer: activations above, gradients below, a column per nonlinearity."""
    dense = results["propagation"]["dense"]
    figure, axes = plt.subplots(
        2, len(ACTIVATIONS), figsize=(10, 5.6), sharex=True, sharey=True, layout="constrained"
    )
    for column, (activation, title) in enumerate(ACTIVATIONS.items()):
        axes[0, column].set_title(title)
        for row, which in enumerate(("activation", "gradient")):
            axis = axes[row, column]
            for name, (label, colour, line) in schemes.LOOK.items():
                found = dense[activation][name][which]
                layers = range(1, len(found["median"]) + 1)
                # A logarithmic axis has no place for zeros, so they are drawn at its lower edge.
                low, mid, high = (
                    [max(v, WINDOW[0]) for v in found[k]] for k in ("low", "median", "high")
                )
                axis.fill_between(layers, low, high, color=colour, alpha=0.15, linewidth=0)
                axis.plot(layers, mid, line, color=colour, label=label, clip_on=name == "sigma_one")
            axis.set(yscale="log", ylim=WINDOW, xlim=(1, layers[-1]))
    axes[0, 0].set_ylabel("std of activations")
    axes[1, 0].set_ylabel("std of gradients")
    for axis in axes[1]:
        axis.set_xlabel("layer")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def training(results: dict[str, Any]) -> plt.Figure:
    """Draw the training loss above and the test accuracy below, against the depth."""
    part = results["training"]
    families = {
        "dense_relu": "fully connected, ReLU",
        "dense_tanh": "fully connected, tanh",
        "conv_relu": "convolutional, ReLU",
    }
    figure, axes = plt.subplots(
        2, 3, figsize=(10, 5.6), sharex=True, sharey="row", layout="constrained"
    )
    for column, (family, title) in enumerate(families.items()):
        axes[0, column].set_title(title)
        depths = [int(d) for d in part[family]]
        for name, (label, colour, line) in schemes.LOOK.items():
            for row, which in enumerate(("training_loss", "test_accuracy")):
                curves = [median_and_range(found[name][which]) for found in part[family].values()]
                if row == 0:
                    curves = [[min(v, LOSS_TOP) for v in curve] for curve in curves]
                mid, low, high = zip(*curves, strict=True)
                axis = axes[row, column]
                axis.fill_between(depths, low, high, color=colour, alpha=0.15, linewidth=0)
                axis.plot(depths, mid, line, color=colour, label=label, marker="o", markersize=3.5)
        for row, level in enumerate((CHANCE_LOSS, CHANCE_ACCURACY)):
            axes[row, column].axhline(level, color="#999999", linewidth=0.8, linestyle=":")
        axes[0, column].set(yscale="log", xscale="log")
        axes[1, column].set(xlabel="depth", ylim=(0, 1.02))
        axes[1, column].set_xticks(depths, [str(d) for d in depths])
        axes[1, column].minorticks_off()
    axes[0, 0].set_ylabel(f"training loss (diverged: {LOSS_TOP:.0f})")
    axes[1, 0].set_ylabel("test accuracy")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def limits(results: dict[str, Any]) -> plt.Figure:
    """Draw accuracy against depth for each factor, and the depth to which each sigma trains."""
    part = results["training"]
    names = factor_order(part)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    shades = plt.get_cmap("viridis")
    for i, name in enumerate(names):
        depths = [int(d) for d in part["factors"][name]]
        curves = [
            median_and_range(found["test_accuracy"]) for found in part["factors"][name].values()
        ]
        mid, low, high = zip(*curves, strict=True)
        colour = shades(0.9 * i / max(1, len(names) - 1))
        label = f"{float(name) * math.sqrt(2):.2f} ({name})"
        left.fill_between(depths, low, high, color=colour, alpha=0.15, linewidth=0)
        left.plot(depths, mid, "-o", color=colour, label=label, markersize=3.5)
        last, stopped = limit(part["factors"][name])
        x = float(name) * math.sqrt(2)
        if stopped:
            right.plot([x, x], [last or 1, stopped], color=colour, linewidth=3, alpha=0.5)
        right.plot(x, last or 1, "o" if stopped else "^", color=colour, markersize=7)
    left.axhline(CHANCE_ACCURACY, color="#999999", linewidth=0.8, linestyle=":")
    left.set(xlabel="depth", ylabel="test accuracy", ylim=(0, 1.02))
    figure.legend(
        *left.get_legend_handles_labels(),
        title="σ√fan_in (σ√(fan_in/2))",
        loc="outside lower center",
        ncols=len(names),
    )
    top = max(depths)
    # The depths at which a factor has shrunk the signal to one part in 10^3 and in 10^5.
    for level, style in ((1e-3, "--"), (1e-5, ":")):
        grid = [0.15 + 0.008 * k for k in range(120)]
        shrunk = [1 + math.log(level) / math.log(min(f, 0.9999)) for f in grid]
        exponent = round(math.log10(level))
        right.plot(
            [f * math.sqrt(2) for f in grid],
            shrunk,
            style,
            color="#999999",
            linewidth=1,
            label=rf"whole factor $10^{{{exponent}}}$",
        )
    right.set(xlabel="σ√fan_in", ylabel="greatest depth that trains", ylim=(0, top + 3))
    right.legend(loc="upper left", fontsize=8)
    return figure


def vgg(results: dict[str, Any]) -> plt.Figure:
    """Draw sigma = 0.01 at VGG's widths: the std of each layer, and what such nets learn."""
    found, trained = results["propagation"]["vgg"], results["training"]["vgg"]
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
    models = list(found)
    shown = "B" if "B" in models else models[0]
    for axis, which in zip(axes, ("activation", "gradient"), strict=False):
        for scheme in ("sigma_small", "he"):
            label, colour, line = schemes.LOOK[scheme]
            run = found[shown][scheme][which]
            layers = range(1, len(run["median"]) + 1)
            axis.fill_between(layers, run["low"], run["high"], color=colour, alpha=0.15)
            axis.plot(layers, run["median"], line, color=colour, label=label, marker="o", ms=3.5)
        axis.set(yscale="log", xlabel="convolution", ylabel=f"std of {which}s")
        axis.set_title(f"VGG {shown}, {len(layers)} convolutions")
    axes[0].legend(loc="lower left")
    x = range(len(models))
    values = [median_and_range(trained[m]["test_accuracy"]) for m in models]
    colour = schemes.LOOK["sigma_small"][1]
    heights = [v[0] for v in values]
    errors = [[v[0] - v[1] for v in values], [v[2] - v[0] for v in values]]
    axes[2].bar(x, heights, 0.6, yerr=errors, color=colour, alpha=0.7, ecolor="#333333", capsize=3)
    axes[2].axhline(CHANCE_ACCURACY, color="#999999", linewidth=0.8, linestyle=":")
    axes[2].set_xticks(x, [f"{m}\n{len(found[m]['channels'])}" for m in models])
    axes[2].set(ylabel="test accuracy", ylim=(0, 1.02), xlabel="model, convolutions")
    axes[2].set_title("digits, the same factors")
    axes[2].grid(axis="x", visible=False)
    return figure


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw all pictures for which there are results; return their paths."""
    drawers = {"propagation": propagation, "training": training, "limits": limits, "vgg": vgg}
    needs = {"vgg": ("propagation", "training"), "limits": ("training",)}
    paths = []
    plt.switch_backend("Agg")  # no window, whatever matplotlib is set to
    with mpl.rc_context(STYLE):
        for name, drawer in drawers.items():
            if all(part in results for part in needs.get(name, (name,))):
                figure = drawer(results)
                paths.append(folder / f"{name}.png")
                # Without matplotlib's version in it, an equal picture is an equal file.
                figure.savefig(paths[-1], metadata={"Software": None})
                plt.close(figure)
    return paths
