"""Pictures of the page, as SVG: a tensor's histogram beside its law, and the std by depth."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise

from ..._screen import printable
from ...initialisers.law import Law
from ..messages import counted
from .expected import parent_std
from .report import TensorReport
from .statistics import Histogram

__all__ = ["COLOURS", "Axes", "depth_picture", "histogram_picture", "key_of"]

_WIDTH, _HEIGHT = 123, 32
#: Colours that people with colour blindness can tell apart (Okabe & Ito, 2008), for lines that are
#: drawn on white and on black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c08a00", "#56b4e9", "#8a63d2", "#888888")
#: The most lines of the picture of depth.
_MOST_LINES = len(COLOURS)


def histogram_picture(report: TensorReport) -> str:
    """Return the histogram of a tensor as SVG; the density of its law is a line on top."""
    histogram = report.histogram
    if histogram is None:
        return ""
    wanted = expected_counts(histogram, report)
    top = max(*histogram.counts, *wanted) or 1.0
    step = _WIDTH / len(histogram.counts)

    def height(count: float) -> str:
        return f"{_HEIGHT * (1 - 0.96 * count / top):.4g}"

    bars = f"M0,{_HEIGHT}" + "".join(f"V{height(count)}h{step:.4g}" for count in histogram.counts)
    parts = [f'<path class="bars" d="{bars}V{_HEIGHT}z"/>']
    if histogram.low < 0 < histogram.high:
        zero = -histogram.low / (histogram.high - histogram.low) * _WIDTH
        parts.insert(0, f'<path class="zero" d="M{zero:.4g},0V{_HEIGHT}"/>')
    law = report.law
    if wanted:
        places = (f"{(n + 0.5) * step:.4g},{height(count)}" for n, count in enumerate(wanted))
        parts.append(f'<path class="density" d="M{"L".join(places)}"/>')
    elif law is not None and law.std == 0 and histogram.low <= law.mean <= histogram.high:
        place = (law.mean - histogram.low) / (histogram.high - histogram.low) * _WIDTH
        parts.append(f'<path class="density" d="M{place:.4g},0V{_HEIGHT}"/>')
    label = f"histogram from {histogram.low:.3g} to {histogram.high:.3g}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img">'
        f"<title>{label}</title>{''.join(parts)}</svg>"
    )


def expected_counts(histogram: Histogram, report: TensorReport) -> list[float]:
    """Return how many elements the law would have in each bin; none where its density is not known.

    Structured kinds, such as identities, have no density.
    """
    law, summary = report.law, report.summary
    if law is None or summary is None or law.std == 0:
        return []
    bins = len(histogram.counts)
    width = (histogram.high - histogram.low) / bins
    reached = [_reached(law, histogram.low + n * width) for n in range(bins + 1)]
    if any(math.isnan(value) for value in reached):
        return []
    return [summary.finite * (after - before) for before, after in pairwise(reached)]


def _reached(law: Law, x: float) -> float:
    """Return the probability of an element below x; NaN where it is not known."""
    x = min(max(x, law.low), law.high)
    if law.kind == "uniform":
        return (x - law.low) / (law.high - law.low)
    if law.kind == "normal":
        return 0.5 * math.erfc((law.mean - x) / (law.std * math.sqrt(2)))
    std = parent_std(law) if law.kind == "truncated_normal" else None
    if std is None:
        return math.nan
    ends = (law.low, x, law.high)
    low, at, high = (math.erf((end - law.mean) / (std * math.sqrt(2))) for end in ends)
    return (at - low) / (high - low)


# Depth -------------------------------------------------------------------------------------------


def depth_picture(reports: Sequence[TensorReport]) -> str:
    """Return the std of the layers' weights as a figure, a line for each place in a layer.

    Names that differ in their first number alone are one line: h.0.mlp.weight, h.1.mlp.weight, ...
    A std of 0 has no place on a logarithmic scale. It is a ring on the lower edge, and the line
    has a gap there.
    """
    lines: dict[str, dict[int, TensorReport]] = {}
    for report in reports:
        number = re.search(r"\d{1,9}", report.name)
        if number is None or not report.is_matrix or report.summary is None:
            continue
        if 0 <= report.summary.std < math.inf:
            place = f"{report.name[: number.start()]}*{report.name[number.end() :]}"
            lines.setdefault(place, {})[int(number[0])] = report
    # A tensor of equal elements has the std 0 in all layers, as norms have, and is no weight.
    lines = {
        place: layers
        for place, layers in lines.items()
        if len(layers) > 1 and any(_std(report) > 0 for report in layers.values())
    }
    if not lines:
        return ""
    chosen = sorted(lines, key=lambda place: -len(lines[place]))[:_MOST_LINES]
    chosen = [place for place in lines if place in chosen]
    return _figure({place: lines[place] for place in chosen}, len(lines) - len(chosen))


class Axes:
    """Layers to the right, std upwards on a logarithmic scale, with a line for 0 below it."""

    width: int = 760
    left: int = 62
    bottom: int = 38
    top: int = 8
    right: int = 12
    #: The height of the line for 0 above the lower edge.
    lowest: int = 8

    def __init__(
        self, layers: Sequence[int], stds: Sequence[float], height: int = 260, label: str = "layer"
    ) -> None:
        self.height: int = height
        self.label: str = label
        self.has_zero: bool = 0.0 in stds
        stds = [std for std in stds if std > 0]
        low, high = math.log10(min(stds)), math.log10(max(stds))
        margin = max(0.05, (high - low) * 0.08)
        # A recipe may want a std next to the ends of float64, beyond which there are no ticks.
        self.low: float = max(low - margin, -307.0)
        self.high: float = min(high + margin, 308.0)
        self.first: int = min(layers)
        self.last: int = max(layers)

    def x(self, layer: int) -> float:
        """Return the place of a layer."""
        share = (layer - self.first) / max(1, self.last - self.first)
        return self.left + share * (self.width - self.left - self.right)

    def y(self, std: float) -> float:
        """Return the height of a std."""
        ground = self.height - self.bottom
        if std == 0:
            return ground - self.lowest
        share = (self.high - math.log10(std)) / (self.high - self.low)
        return self.top + share * (ground - self.top - (3 * self.lowest if self.has_zero else 0))

    def path(self, points: Iterable[tuple[int, float]], style: str) -> str:
        """Return a line through the points, which has a gap where the std is 0."""
        line, pen = "", "M"
        for layer, std in points:
            if std > 0:
                line += f"{pen}{self.x(layer):.1f},{self.y(std):.1f}"
            pen = "L" if std > 0 else "M"
        return f'<path d="{line}" fill="none" {style}/>' if line else ""

    def scales(self) -> Iterator[str]:
        """Yield the lines and numbers of both axes."""
        ticks = _ticks(10**self.low, 10**self.high)
        for std in [0.0, *ticks] if self.has_zero else ticks:
            y = self.y(std)
            yield f'<path class="grid" d="M{self.left},{y:.1f}H{self.width}"/>'
            place = f'x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end"'
            yield f"<text {place}>{std:.3g}</text>"
        below = self.height - self.bottom + 16
        for layer in range(self.first, self.last + 1, -(-(self.last - self.first) // 12) or 1):
            yield f'<text x="{self.x(layer):.1f}" y="{below}" text-anchor="middle">{layer}</text>'
        middle = f'x="{self.width / 2:.0f}" y="{self.height - 3}" text-anchor="middle"'
        yield f"<text {middle}>{self.label}</text>"


def _figure(lines: dict[str, dict[int, TensorReport]], left_out: int) -> str:
    reports = [report for layers in lines.values() for report in layers.values()]
    wanted = [report.law.std for report in reports if report.law is not None]
    axes = Axes(
        [number for layers in lines.values() for number in layers],
        [_std(report) for report in reports] + [std for std in wanted if std > 0],
    )
    parts, key = [*axes.scales()], []
    for colour, (place, layers) in zip(COLOURS, lines.items(), strict=False):
        numbers = sorted(layers)
        stds = [(n, _std(layers[n])) for n in numbers]
        laws = [(n, law.std) for n in numbers if (law := layers[n].law) is not None]
        parts.append(axes.path(laws, f'stroke="{colour}" stroke-dasharray="2 4"'))
        parts.append(axes.path(stds, f'stroke="{colour}" stroke-width="2"'))
        for n, std in stds:
            style = f'fill="{colour}"' if std > 0 else f'class="zeros" stroke="{colour}"'
            parts.append(f'<circle cx="{axes.x(n):.1f}" cy="{axes.y(std):.1f}" r="3" {style}/>')
        key.append(key_of(colour, place))
    caption = "Dotted lines are the wanted std. " if wanted else ""
    if axes.has_zero:
        caption += "A ring at the lower edge is a std of 0. "
    if left_out:
        caption += (
            f"{counted(left_out, 'further line')} {'is' if left_out == 1 else 'are'} left out."
        )
    return (
        f'<figure><svg viewBox="0 0 {axes.width} {axes.height}" role="img"><title>Standard '
        f'deviation by layer</title>{"".join(parts)}</svg><ul class="key">{"".join(key)}</ul>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def key_of(colour: str, place: str) -> str:
    """Return the item of a picture's key that names the line of a colour."""
    return (
        f'<li><svg viewBox="0 0 26 12" aria-hidden="true"><path d="M0,6h26" stroke="{colour}" '
        f'stroke-width="3"/></svg><span class="name">{escape(printable(place))}</span></li>'
    )


def _std(report: TensorReport) -> float:
    assert report.summary is not None
    return report.summary.std


def _ticks(low: float, high: float) -> list[float]:
    """Return values of a logarithmic axis: 1, 2 and 5 times powers of ten, or powers alone."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    if len(inside) > 9:
        inside = [10.0**p for p in powers if low <= 10.0**p <= high]
        inside = inside[:: -(-len(inside) // 9)]
    if len(inside) < 2:
        # Both ends are so close to each other that a linear scale serves: multiples of the largest
        # of 1, 2 or 5 times a power of ten of which three at least are inside.
        rough = math.floor(math.log10(high - low))
        for step in (m * 10.0**p for p in (rough, rough - 1) for m in (5, 2, 1)):
            numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
            if len(numbers) >= 3:
                return [float(f"{n * step:.12g}") for n in numbers]
    return inside
