"""Write the Markdown tables of docs/depth-study.md from results.json and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import claims
import numpy as np
import schemes
from claims import factor_order, median, median_and_range, number, percent

NAMES = {
    **{name: look[0] for name, look in schemes.LOOK.items()},
    "he_relu": "He with a = 0",
    "xavier_linear": "Xavier, linear",
    "constant": "constant 1/width",
}
ACTIVATIONS = {"linear": "linear", "tanh": "tanh", "relu": "ReLU", "prelu": "PReLU (0.25)"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def ratio_cell(found: dict[str, Any] | None) -> str:
    """Return the median and range of the ratio, in bold where it holds."""
    if found is None:
        return "–"
    ratio = found["ratio"]
    text = number(ratio["median"])
    if not 1e-3 < ratio["median"] < 1e3:
        return text
    text += f" ({number(ratio['low'])}–{number(ratio['high'])})"
    return f"**{text}**" if found["holds"] else text


def propagation(results: dict[str, Any], which: str) -> str:
    """Return the ratios of the last layer over the first (gradients: the first over the last)."""
    dense = results["propagation"]["dense"]
    rows = [
        [NAMES[name], *(ratio_cell(dense[a].get(name, {}).get(which)) for a in ACTIVATIONS)]
        for name in dense["prelu"]
    ]
    return table(["scheme", *ACTIVATIONS.values()], rows)


def propagation_more(results: dict[str, Any]) -> str:
    """Return the ratios with unequal widths, and by padding."""
    part = results["propagation"]
    narrow, wide = part["settings"]["uneven"]
    channels = part["settings"]["conv_channels"]
    rows = []
    for name, label in (("xavier_linear", "Xavier, linear"), ("he_relu", "He, ReLU")):
        rows.append([f"{label}: widths {narrow} and {wide} in turn", part["uneven"][name]])
    for name, found in part["padding"].items():
        mode, size = name.split()
        kind = "periodic" if mode == "wrap" else "zero"
        rows.append([f"He, ReLU: {channels} filters, {size}×{size} maps, {kind} padding", found])
    return table(
        ["case", "activations, last/first", "gradients, first/last", "factor per layer"],
        [
            [
                label,
                ratio_cell(found["activation"]),
                ratio_cell(found["gradient"]),
                f"{found['activation']['factor']:.3f}",
            ]
            for label, found in rows
        ],
    )


def vgg(results: dict[str, Any]) -> str:
    """Return the whole factors at VGG's widths, predicted and measured."""
    rows = []
    for model, found in results["propagation"]["vgg"].items():
        rows.append(
            [
                f"{model} ({len(found['channels'])})",
                number(found["reckoned"]["activation"]),
                number(found["sigma_small"]["activation"]["ratio"]["median"]),
                number(found["reckoned"]["gradient"]),
                number(found["sigma_small"]["gradient"]["ratio"]["median"]),
                number(found["sigma_small_zero_padding"]["gradient"]["ratio"]["median"]),
                number(found["he"]["activation"]["ratio"]["median"]),
            ]
        )
    head = [
        "model (convolutions)",
        "activations, predicted",
        "activations, measured",
        "gradients, predicted",
        "gradients, measured",
        "gradients, zero padding",
        "He: activations, measured",
    ]
    return table(head, rows)


def vgg_trained(results: dict[str, Any]) -> str:
    """Return how nets train whose layers have the factors of sigma = 0.01 at VGG's widths."""
    rows = []
    for model, found in results["training"]["vgg"].items():
        layers = len(results["propagation"]["vgg"][model]["channels"])
        rows.append([f"{model} ({layers})", loss_cell(found), accuracy_cell(found), rate(found)])
    return table(["factors of model", "training loss", "test accuracy", "learning rate"], rows)


def loss_cell(found: dict[str, Any]) -> str:
    """Return the median and range of the training loss over the seeds."""
    middle, low, high = median_and_range(found["training_loss"])
    text = f"{number(middle)} ({number(low)}–{number(high)})"
    return f"**{text}**" if found["trains"] else text


def accuracy_cell(found: dict[str, Any]) -> str:
    """Return the median and range of the test accuracy over the seeds."""
    middle, low, high = median_and_range(found["test_accuracy"])
    text = f"{100 * middle:.1f} ({100 * low:.0f}–{100 * high:.0f}) %"
    return f"**{text}**" if found["trains"] else text


def rate(found: dict[str, Any]) -> str:
    """Return the chosen learning rate: starred at the grid's edge, a dash where all diverged."""
    if all(v is None for v in found["validation_loss_by_rate"]):
        return "–"
    return f"{number(found['rate'])}{'*' if found['rate_at_edge'] else ''}"


def training(results: dict[str, Any], family: str) -> str:
    """Return loss and accuracy side by side, with one row for each scheme and depth."""
    found = results["training"][family]
    rows = [
        [
            NAMES[name] if i == 0 else "",
            depth,
            loss_cell(by_scheme[name]),
            accuracy_cell(by_scheme[name]),
            rate(by_scheme[name]),
        ]
        for name in schemes.LOOK
        for i, (depth, by_scheme) in enumerate(found.items())
    ]
    return table(["scheme", "depth", "training loss", "test accuracy", "learning rate"], rows)


def limits(results: dict[str, Any]) -> str:
    """Return, for each factor, the depth beyond which a fixed sigma stops training."""
    part = results["training"]
    width = part["settings"]["width"]
    vgg_factors = dict(zip(part["factors"], (64, 128, 256, 512), strict=False))
    rows = []
    for name in factor_order(part):
        limit = claims.limit(part["factors"][name])
        factor = float(name)
        filters = vgg_factors.get(name) if factor < 0.5 else None
        rows.append(
            [
                f"{factor:.2f}" + (f" (0.01 at {filters} filters)" if filters else ""),
                f"{factor * np.sqrt(2):.2f}",
                f"{schemes.factor_std(factor, width):.3f}",
                *claims.limit_cells(limit),
                number(factor ** (limit[0] - 1)) if limit[0] and limit[1] else "–",
                number(factor ** (limit[1] - 1)) if limit[1] else "–",
            ]
        )
    head = [
        "factor σ√(fan_in/2)",
        "σ√fan_in",
        f"σ at width {width}",
        "trains to depth",
        "stopped at depth",
        "whole factor where it trains",
        "whole factor where it stopped",
    ]
    return table(head, rows)


def limit_accuracy(results: dict[str, Any]) -> str:
    """Return the median test accuracy by factor and depth."""
    part = results["training"]
    depths = list(next(iter(part["factors"].values())))
    rows = []
    for name in factor_order(part):
        by_depth = part["factors"][name]
        cells = [
            f"**{percent(median(f['test_accuracy']))}**"
            if f["trains"]
            else percent(median(f["test_accuracy"]))
            for f in (by_depth[d] for d in depths)
        ]
        rows.append([name, *cells])
    return table(["factor \\ depth", *depths], rows)


def symmetry(results: dict[str, Any]) -> str:
    """Return the greatest difference of a layer's units after training, and the accuracy."""
    rows = []
    for activation, by_name in results["training"]["symmetry"].items():
        for name, by_depth in by_name.items():
            for i, (depth, found) in enumerate(by_depth.items()):
                rows.append(
                    [
                        f"{NAMES[name]}, {ACTIVATIONS[activation]}" if i == 0 else "",
                        depth,
                        number(found["unit_gap"]),
                        loss_cell(found),
                        accuracy_cell(found),
                    ]
                )
    head = ["scheme", "depth", "greatest difference of units", "training loss", "test accuracy"]
    return table(head, rows)


def settings(results: dict[str, Any]) -> str:
    """Return what was run, with which versions, and how long it took."""
    p, t = results["propagation"]["settings"], results["training"]["settings"]
    v = results["training"]["versions"]
    blas = ", ".join(f"{b['internal_api']} {b['version']} ({b['architecture']})" for b in v["blas"])
    minutes = results["propagation"]["cpu_minutes"] + results["training"]["cpu_minutes"]
    rates = ", ".join(number(r) for r in t["rates"])
    return "\n".join(
        [
            f"- Propagation: {p['depth']} layers of {p['width']} units, {p['batch']} standard "
            f"normal inputs, {p['seeds']} seeds (for convolutions {p['conv_seeds']}), float64.",
            f"- Training: fully connected networks have width {t['width']} and are trained for "
            f"{t['epochs']} epochs. Convolutional networks have {t['channels']} filters of 3×3 on "
            f"4×4 maps with periodic padding, and are trained for {t['conv_epochs']} epochs. Both "
            f"are trained in float32 by SGD with momentum {number(t['momentum'])} and minibatches "
            f"of {t['batch']}, and their biases begin at zero.",
            f"- Tuning: the learning rates are {rates}. The rate with the lowest mean validation "
            f"loss is chosen, over {len(t['tuning_seeds'])} seeds (for convolutional networks "
            f"{len(t['conv_tuning_seeds'])}) that are used for nothing else. Then "
            f"{len(t['seeds'])} other seeds are trained at that rate.",
            f"- This run: weightinit_fast {v['weightinit_fast']} (stream version "
            f"{v['stream_version']}), NumPy {v['numpy']}, scikit-learn {v['scikit-learn']}, "
            f"Python {v['python']}, {v['machine']}, {blas}, one thread. It took "
            f"{minutes:.0f} minutes of one core.",
            "",
        ]
    )


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write all tables for which there are results; return their paths."""
    parts: dict[str, str] = {}
    if "propagation" in results:
        parts["activations"] = propagation(results, "activation")
        parts["gradients"] = propagation(results, "gradient")
        parts["more"] = propagation_more(results)
        parts["vgg"] = vgg(results)
    if "training" in results:
        for family in ("dense_relu", "dense_tanh", "conv_relu"):
            parts[f"training_{family}"] = training(results, family)
        parts["limits"] = limits(results)
        parts["limit_accuracy"] = limit_accuracy(results)
        parts["symmetry"] = symmetry(results)
    if "propagation" in results and "training" in results:
        parts["vgg_trained"] = vgg_trained(results)
        parts["settings"] = settings(results)
        judged = claims.judge(results)
        parts["claims"] = table(["claim", "what the numbers say", "confirmed"], judged)
        parts["surprises"] = claims.surprises(results)
    (folder / "tables").mkdir(exist_ok=True)
    paths = []
    for name, text in parts.items():
        paths.append(folder / "tables" / f"{name}.md")
        paths[-1].write_text(text, encoding="utf-8")
    return paths
