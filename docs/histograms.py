"""Draw the reference pages' pictures: output of the installed package beside the exact laws.

For each initialiser, ``write(folder)`` writes a picture, and a piece of Markdown that shows the
picture and the numbers that were measured.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import weightinit_fast as wi

__all__ = ["HEAT_MAPS", "HISTOGRAMS", "write"]

SHAPE = (500, 2000)  # (out, in), with fans that differ, and with a million draws
BINS = 100
LEAST = 1000  # the ratio is shown for bins with at least so many expected draws
BLUE, RED, GREY = "#4477aa", "#cc3311", "#888888"
STYLE = {
    "svg.hashsalt": "weightinit_fast",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.facecolor": "white",
}


#: The initialisers whose draws are shown as histograms, with the parameters of their pictures.
HISTOGRAMS = (
    wi.initializer(wi.uniform, low=-1, high=1),
    wi.initializer(wi.normal, std=0.02),
    wi.initializer(wi.truncated_normal, std=0.02),
    wi.initializer(wi.variance_scaling, scale=2, distribution="truncated_normal"),
    wi.initializer(wi.xavier_uniform),
    wi.initializer(wi.xavier_normal),
    wi.initializer(wi.he_uniform),
    wi.initializer(wi.he_normal),
    wi.initializer(wi.lecun_uniform),
    wi.initializer(wi.lecun_normal),
    wi.initializer(wi.fan_in_uniform),
)


def ends(law: wi.Law) -> tuple[float, float]:
    """Return the values at which a picture begins and ends."""
    return max(law.low, law.mean - 4.5 * law.std), min(law.high, law.mean + 4.5 * law.std)


def below(law: wi.Law, y: np.ndarray) -> np.ndarray:
    """Return the distribution function of a law at y.

    A Law does not hold the parameters of a truncated normal's parent. All truncated normals of this
    file are cut at two standard deviations of the parent on either side of its mean.
    """
    if law.kind == "uniform":
        return (y - law.low) / (law.high - law.low)
    std = (law.high - law.low) / 4 if law.kind == "truncated_normal" else law.std
    scale = std * math.sqrt(2)
    mass = math.erf((law.high - law.mean) / scale)
    return np.array([math.erf((v - law.mean) / scale) / mass for v in y.tolist()]) / 2 + 0.5


def _call(init: wi.Initializer, shape: tuple[int, ...]) -> str:
    name = init.function.__name__
    words = [repr(shape), *(f"{key}={value!r}" for key, value in init.own.items())]
    return f"wi.{name}({', '.join(words)}, rng=0, stream={name!r})"


def _save(figure: Any, folder: Path, name: str, alt: str, caption: str) -> None:
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    text = f":::{{figure}} /_generated/{name}.svg\n:alt: {alt}\n\n{caption}\n:::\n"
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def histogram(init: wi.Initializer, folder: Path) -> None:
    """Draw a histogram and the density, and below them the ratio of counts to expected counts."""
    name, law = init.function.__name__, init.law(SHAPE)
    draws = np.sort(init(SHAPE, rng=0, stream=name).ravel().astype(np.float64))
    n = draws.size
    edges = np.linspace(*ends(law), BINS + 1)
    counts = np.histogram(draws, edges)[0]
    expected = n * np.diff(below(law, edges))
    width = np.diff(edges)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(6.4, 3.9), height_ratios=(3, 1), layout="constrained"
    )
    top.stairs(counts / n / width, edges, fill=True, color=BLUE, alpha=0.45, label="draws")
    fine = np.linspace(*ends(law), 8 * BINS + 1)
    middle = (fine[1:] + fine[:-1]) / 2
    top.plot(middle, np.diff(below(law, fine)) / np.diff(fine), color=RED, lw=1.2, label="density")
    top.set_ylim(bottom=0)
    top.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    full = np.flatnonzero(expected >= LEAST)
    some = slice(full[0], full[-1] + 1)
    band, part = 2 / np.sqrt(expected[some]), edges[full[0] : full[-1] + 2]
    bottom.stairs(1 + band, part, baseline=1 - band, fill=True, color=GREY, alpha=0.3)
    bottom.stairs(counts[some] / expected[some], part, baseline=None, color=BLUE)
    bottom.set(ylim=(0.9, 1.1), ylabel="ratio", xlabel="value")
    steps = np.arange(n + 1) / n
    there = below(law, draws)
    distance = max(np.max(steps[1:] - there), np.max(there - steps[:-1])) * math.sqrt(n)
    caption = (
        f"`{_call(init, SHAPE)}`: above, {n:,} draws in {BINS} bins and the density. Below, "
        f"the number of draws in a bin divided by the expected number, where that is {LEAST:,} or "
        f"more; the grey band is two standard errors wide on either side. The mean is "
        f"{draws.mean():.2g}, the standard deviation {draws.std():.6g} (by the formula "
        f"{law.std:.6g}), and the extremes are {draws[0]:.6g} and {draws[-1]:.6g}. "
        f"Kolmogorov's √n·D is {distance:.2f}; with the true distribution it stays below "
        f"{math.sqrt(-math.log(0.025) / 2):.2f} in 19 samples of 20."
    )
    _save(figure, folder, name, f"Histogram of {name} with its density", caption)


def _heat(axes: Any, matrix: np.ndarray, title: str) -> None:
    limit = float(np.abs(matrix).max()) or 1.0
    axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GREY)


def _panels(n: int) -> tuple[Any, list[Any]]:
    figure, axes = plt.subplots(1, n, figsize=(2.2 * n, 2.5), layout="constrained", squeeze=False)
    return figure, list(axes[0])


def identity(folder: Path) -> None:
    """Draw three shapes of the identity."""
    shapes = [(8, 8), (5, 8), (8, 5)]
    figure, axes = _panels(3)
    for panel, shape in zip(axes, shapes, strict=True):
        _heat(panel, wi.identity(shape), str(shape))
    calls = ", ".join(f"`wi.identity({shape})`" for shape in shapes)
    caption = f"{calls}: red is 1 and white is 0."
    _save(figure, folder, "identity", "Heat maps of the identity", caption)


def _kernels(name: str, weight: np.ndarray, call: str, folder: Path) -> None:
    """Draw a convolution's (O, I) matrix at each kernel position."""
    positions = weight.shape[2]
    figure, axes = _panels(positions)
    limit = np.abs(weight).max()
    for k, panel in enumerate(axes):
        _heat(panel, weight[:, :, k], f"w[:, :, {k}]")
        panel.images[0].set_clim(-limit, limit)
    used = [f"`w[:, :, {k}]`" for k in range(positions) if weight[:, :, k].any()]
    caption = (
        f"`{call}`: the (O, I) matrix at each of the {positions} kernel positions. All of them are "
        f"zero except {' and '.join(used)}."
    )
    _save(figure, folder, name, f"Heat maps of {name} by kernel position", caption)


def dirac(folder: Path) -> None:
    """Draw a grouped dirac."""
    _kernels("dirac", wi.dirac((12, 6, 3), groups=2), "wi.dirac((12, 6, 3), groups=2)", folder)


def delta_orthogonal(folder: Path) -> None:
    """Draw a delta-orthogonal kernel."""
    weight = wi.delta_orthogonal((16, 12, 3), rng=0)
    _kernels("delta_orthogonal", weight, "wi.delta_orthogonal((16, 12, 3), rng=0)", folder)


def orthogonal(folder: Path) -> None:
    """Draw an orthogonal matrix, its Gram matrix, and singular values beside those of normals."""
    weight = wi.orthogonal((16, 32), rng=0)
    figure, axes = _panels(3)
    _heat(axes[0], weight, "w")
    _heat(axes[1], weight @ weight.T, "w @ w.T")
    large = wi.orthogonal((256, 256), rng=0).astype(np.float64)
    values = np.linalg.svd(large, compute_uv=False)
    scaled = wi.lecun_normal((256, 256), rng=0).astype(np.float64)
    axes[2].plot(np.linalg.svd(scaled, compute_uv=False), color=GREY, label="lecun_normal")
    axes[2].plot(values, color=BLUE, label="orthogonal")
    axes[2].set_title("singular values, 256 × 256", fontsize=9)
    axes[2].set_ylim(bottom=0)
    axes[2].legend(frameon=False)
    caption = (
        f"Left and middle: `wi.orthogonal((16, 32), rng=0)` and its product with its transpose. "
        f"Right: the singular values of `wi.orthogonal((256, 256), rng=0)`, which differ from 1 by "
        f"at most {np.abs(values - 1).max():.1g}, and those of normals with the same mean square."
    )
    _save(figure, folder, "orthogonal", "An orthogonal matrix and singular values", caption)


def sparse(folder: Path) -> None:
    """Draw a sparse matrix, and say how many zeros its columns have."""
    call = "wi.sparse((20, 30), sparsity=0.8, rng=0)"
    weight = wi.sparse((20, 30), sparsity=0.8, rng=0)
    figure, axes = plt.subplots(figsize=(4.6, 3.1), layout="constrained")
    _heat(axes, weight, "")
    zeros = sorted({int(n) for n in (weight == 0).sum(axis=0)})
    caption = (
        f"`{call}`: white is zero. {' or '.join(map(str, zeros))} of the {len(weight)} elements of "
        f"each column are zero, and the others have the standard deviation "
        f"{weight[weight != 0].std():.2g}."
    )
    _save(figure, folder, "sparse", "Heat map of a sparse matrix", caption)


HEAT_MAPS: dict[str, Callable[[Path], None]] = {
    "identity": identity,
    "dirac": dirac,
    "sparse": sparse,
    "orthogonal": orthogonal,
    "delta_orthogonal": delta_orthogonal,
}


def write(folder: Path) -> None:
    """Write all pictures and their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("Agg")
    with mpl.rc_context(STYLE):
        for init in HISTOGRAMS:
            histogram(init, folder)
        for draw in HEAT_MAPS.values():
            draw(folder)


if __name__ == "__main__":
    write(Path(__file__).parent / "_generated")
