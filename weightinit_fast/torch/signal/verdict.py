"""What the numbers of the layers say, in plain sentences.

A series is a run of like layers: of one class, with names that differ in their numbers alone. Only
layers of one series are compared, since a projection has another scale than a norm by design.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..._resolve.messages import shortened
from ...models.inspect.texts import number_text
from ...models.messages import counted
from .rows import Row
from .symmetry import Symmetric

__all__ = ["LIMITS", "Finding", "findings_of", "series_of"]


class Limits(NamedTuple):
    """From where on something counts as wrong. No limit depends on the scale of the signal.

    The whole change of a signal is what stops training in docs/depth-study.md. All of its networks
    whose signal falls by a factor below 170 from end to end train, some of those between 170 and
    1300 do, and none beyond. A rise stops training sooner: with σ = 1 and ReLU, networks with a
    whole factor of 6 train, and those with 180 do not. Chance stays below both limits. In a ReLU
    network of width n and depth d under He's rule, the logarithm of the std has a standard
    deviation of √(5d/n)/2, which for 30 layers of width 64 is a factor of 2.1; five of these
    standard deviations are a factor of 46.
    """

    #: The whole fall, as a factor, from which on a signal vanishes. From this rise of gradients on
    #: they explode. Batch norms make gradients rise by design: by 130 in a ResNet-50 that trains.
    change: float = 1000.0
    #: The whole rise of activations from which on they explode. Smaller falls, and such rises of
    #: gradients, are notes from here on.
    drift: float = 100.0
    #: The change that has to remain without the greatest step of the series. A step alone is no
    #: trend: many models have a layer that is scaled down on purpose.
    steady: float = 10.0
    #: The least number of layers of a series.
    layers: int = 3
    #: The probability, for a whole network, that a symmetric draw makes so many dead units.
    chance: float = 1e-4


LIMITS = Limits()

#: Kinds of findings, worst first.
KINDS = ("NaN", "infinite", "symmetric", "no gradient", "explodes", "vanishes", "dead")
#: Kinds that may be meant so.
NOTES = ("drift", "zero", "no gradient yet", "dead by chance", "not run", "course")
#: The most trends of one kind, and the most names of layers in a sentence.
_MOST_SERIES, _MOST_NAMES = 3, 4
#: The least std of a trend: about the least normal float32, below which digits are lost.
_LEAST_STD = 1e-37


class Finding(NamedTuple):
    """One thing that looks wrong, or a note.

    Attributes
    ----------
    kind : str
        In one or two words, such as ``"vanishes"``.
    layer : str
        The layer where it begins.
    text : str
        A sentence about it.
    """

    kind: str
    layer: str
    text: str

    @property
    def is_note(self) -> bool:
        """Whether it may well be meant so."""
        return self.kind in NOTES


class _Trend(NamedTuple):
    """The greatest change of a series, between two of its layers, as a factor above 1."""

    kind: str
    rows: list[Row]  # in the direction of the signal
    first: float
    last: float

    @property
    def change(self) -> float:
        return abs(math.log(self.last / self.first))

    @property
    def falls(self) -> bool:
        return self.last < self.first

    @property
    def span(self) -> tuple[int, int]:
        numbers = (self.rows[0].number, self.rows[-1].number)
        return min(numbers), max(numbers)


def findings_of(
    rows: Sequence[Row],
    symmetric: Sequence[Symmetric],
    weights: int,
    learning: int,
    not_run: Sequence[str],
) -> tuple[Finding, ...]:
    """Return what looks wrong, worst first, and then the notes.

    Of ``weights`` parameters of two axes or more, ``learning`` have a gradient that is not 0.
    """
    found = [
        *_bad_numbers(rows),
        *_stuck(symmetric, weights, learning),
        *_trends(rows, backward=False),
        *_trends(rows, backward=True),
        *_dead(rows),
        *_zeros(rows),
    ]
    if not any(finding.kind in ("vanishes", "explodes", "drift") for finding in found):
        found += _course(rows)
    if not_run:
        text = f"{counted(len(not_run), 'module')} with parameters did not run: {_listed(not_run)}."
        found.append(Finding("not run", not_run[0], text))
    order = (*KINDS, *NOTES)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


def _bad_numbers(rows: Sequence[Row]) -> Iterator[Finding]:
    """Yield the first NaN and the first infinity of the activations, or else of the gradients."""
    for kind, what, counts in (
        ("NaN", "NaN", [row.nan for row in rows]),
        ("infinite", "infinite", [row.inf for row in rows]),
    ):
        bad = [(row, count) for row, count in zip(rows, counts, strict=True) if count]
        if bad:
            row, count = bad[0]
            total = counted(math.prod(row.shape), "activation")
            text = (
                f"{count:,} of the {total} of {_name(row)} {'is' if count == 1 else 'are'} {what}"
            )
            more = (
                f", and so are some in {counted(len(bad) - 1, 'layer')} after it" if bad[1:] else ""
            )
            yield Finding(kind, row.name, f"{text}{more}.")
    if any(row.nan or row.inf for row in rows):
        return
    back = [row for row in reversed(rows) if row.gradient_bad]
    if back:
        text = (
            f"On the way back, {counted(back[0].gradient_bad, 'element')} of the gradient at "
            f"{_name(back[0])} are NaN or infinite"
        )
        more = (
            f", and so are some in {counted(len(back) - 1, 'layer')} before it" if back[1:] else ""
        )
        yield Finding("NaN", back[0].name, f"{text}{more}.")


def _stuck(symmetric: Sequence[Symmetric], weights: int, learning: int) -> Iterator[Finding]:
    """Yield layers whose units stay equal, and a network that learns nothing."""
    # Equal units without a gradient are stuck only if no weight learns at all. Otherwise they may
    # wait for another layer of zeros to learn first, as in the blocks of a diffusion transformer.
    stuck = [layer for layer in symmetric if layer.learning or not learning]
    if stuck:
        first = stuck[0]
        what = (
            "equal weights and equal gradients" if first.learning else "equal weights, no gradient"
        )
        text = (
            f"{first.symmetric + 1:,} of the {counted(first.units, 'unit')} of layer {first.layer} "
            f"are symmetric ({what}): they stay copies of each other."
        )
        if stuck[1:]:
            text += f" So it is in layers {_listed(layer.layer for layer in stuck[1:])}."
        yield Finding("symmetric", first.layer, text)
    if weights and not learning:
        yield Finding("no gradient", "", "No weight gets a gradient: none of them learns anything.")


# Trends -------------------------------------------------------------------------------------------


def series_of(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the series of like layers, those of weights and blocks first, and the longest first.

    If no three layers of a class have names that differ in numbers alone, its layers with weights
    are one series. They are none where a block of several such layers repeats, as in a transformer
    of two blocks: the queries, keys and values of attention are beside each other, and not in line.
    """
    places: dict[object, list[Row]] = {}
    for row in rows:
        if row.kind != "input" and not row.output:
            places.setdefault(row.place, []).append(row)
    numbered = {members[0].kind for members in places.values() if len(members) >= LIMITS.layers}
    numbered |= {kind for kind in {row.kind for row in rows} if _repeats(kind, places.values())}
    rest: dict[object, list[Row]] = {}
    for row in rows:
        if row.has_weights and not row.output and row.kind not in numbered:
            rest.setdefault(row.kind, []).append(row)
    places |= rest
    series = [members for members in places.values() if len(members) >= LIMITS.layers]

    def rank(members: Sequence[Row]) -> tuple[bool, bool, int]:
        first = members[0]
        return not (first.has_weights or first.is_block), not first.has_weights, -len(members)

    return sorted(series, key=rank)


def _repeats(kind: str, places: Iterable[Sequence[Row]]) -> bool:
    """Whether a block that has several layers of a class comes more than once."""
    spans = sorted(
        (members[0].number, members[-1].number)
        for members in places
        if len(members) > 1 and members[0].kind == kind
    )
    return any(one[1] > other[0] for one, other in itertools.pairwise(spans))


def _trends(rows: Sequence[Row], backward: bool) -> Iterator[Finding]:
    reported: list[_Trend] = []
    for series in series_of(rows):
        for trend in _trends_of(series, backward):
            like = [other for other in reported if other.falls == trend.falls]
            overlap = any(
                trend.span[0] < other.span[1] and other.span[0] < trend.span[1] for other in like
            )
            if not overlap and len(like) < _MOST_SERIES:
                reported.append(trend)
    for trend in reported:
        yield Finding(trend.kind, trend.rows[0].name, _text(trend, backward))


def _trends_of(series: Sequence[Row], backward: bool) -> Iterator[_Trend]:
    """Yield the greatest fall and the greatest rise of a series, where they pass the limits."""
    pairs = [(row, row.gradient_std if backward else row.std) for row in series]
    pairs = [(row, std) for row, std in pairs if _LEAST_STD < std < math.inf]
    if backward:
        pairs.reverse()
    if len(pairs) < LIMITS.layers:
        return
    logs = [math.log(std) for _, std in pairs]
    for kind, sign in (("vanishes", -1), ("explodes", 1)):
        heights = [sign * log for log in logs]
        begin, end = _greatest_rise(heights)
        steps = [
            after - before
            for before, after in zip(heights[begin:end], heights[begin + 1 : end + 1], strict=True)
        ]
        change = sum(steps)
        if change < math.log(LIMITS.drift) or len(steps) + 1 < LIMITS.layers:
            continue
        if change - max(steps) < math.log(LIMITS.steady):
            continue
        members = [row for row, _ in pairs[begin : end + 1]]
        is_drift = change < math.log(LIMITS.change) and (backward or sign < 0)
        yield _Trend("drift" if is_drift else kind, members, pairs[begin][1], pairs[end][1])


def _greatest_rise(heights: Sequence[float]) -> tuple[int, int]:
    """Return the places of the two heights between which the later one is higher by the most."""
    lowest, best = 0, (0, 0)
    for place, height in enumerate(heights):
        if height < heights[lowest]:
            lowest = place
        if height - heights[lowest] > heights[best[1]] - heights[best[0]]:
            best = (lowest, place)
    return best


def _text(trend: _Trend, backward: bool) -> str:
    first, last = trend.rows[0], trend.rows[-1]
    steps = len(trend.rows) - 1
    factor = math.exp(trend.change / steps)
    verb = {"vanishes": "vanish", "explodes": "explode"}.get(
        trend.kind, "fall" if trend.falls else "rise"
    )
    what, where = ("Gradients", "before") if backward else ("Activations", "after")
    return (
        f"{what} {verb} by a factor of {factor:.3g} a layer {where} {_name(first)}: their std "
        f"{'falls' if trend.falls else 'rises'} from {number_text(trend.first)} to "
        f"{number_text(trend.last)} in {last.name}, {counted(steps, 'layer')} "
        f"{'further on the way back' if backward else 'later'}."
    )


# Dead units ---------------------------------------------------------------------------------------


def _dead(rows: Sequence[Row]) -> Iterator[Finding]:
    """Yield the ReLU layers that have more dead units than a symmetric draw makes.

    Whatever the inputs are, a draw that is symmetric about 0 makes a unit that is 0 throughout as
    often as one that never is. Which of the two a unit is, is decided as by a coin.
    """
    relus = [row for row in rows if row.units and row.positions]
    if not relus:
        return
    limit = LIMITS.chance / len(relus)
    wrong = [row for row in relus if row.dead and _tail(row.dead, row.always) < limit]
    wrong = [row for row in relus if row in wrong or row.dead == row.units]
    # Where zeros come in, it is not the units that are dead.
    wrong = [row for row in wrong if row.number == 0 or not _is_zero(rows[row.number - 1])]
    for row in wrong[:1]:
        text = (
            f"{row.dead:,} of the {counted(row.units, 'unit')} of {_name(row)} are dead: they are "
            f"0 for the whole sample. {row.always:,} are never 0, and a symmetric draw makes as "
            "many of the one kind as of the other."
        )
        others = [f"{row.name} ({row.dead:,} of {row.units:,})" for row in wrong[1:]]
        text += f" Dead units are also in {_listed(others)}." if others else ""
        yield Finding("dead", row.name, text)
    # A unit that was seen once is 0 with probability 1/2, which says nothing.
    rest = [row for row in relus if 0 < row.dead < row.units and row.positions > 1]
    rest = [row for row in rest if row not in wrong]
    if rest:
        most = max(rest, key=lambda row: row.dead / row.units)
        dead, units = sum(row.dead for row in rest), sum(row.units for row in relus)
        text = (
            f"{dead:,} of {counted(units, 'ReLU unit')} {'is' if dead == 1 else 'are'} 0 for the "
            f"whole sample, the most in {_name(most)}: {most.dead:,} of {most.units:,}. "
            "It is no more than chance makes."
        )
        yield Finding("dead by chance", most.name, text)


def _tail(dead: int, always: int) -> float:
    """Return the probability that of these units, each by a coin, so many or more are dead.

    Examples
    --------
    >>> round(_tail(3, 0), 9), _tail(0, 3), round(_tail(50, 50), 2), _tail(600, 400) < 1e-9
    (0.125, 1.0, 0.54, True)
    """
    units = dead + always
    log_half = units * math.log(2)
    logs = (
        math.lgamma(units + 1) - math.lgamma(k + 1) - math.lgamma(units - k + 1) - log_half
        for k in range(dead, units + 1)
    )
    return min(1.0, math.fsum(math.exp(log) for log in logs))


# Notes --------------------------------------------------------------------------------------------


def _zeros(rows: Sequence[Row]) -> Iterator[Finding]:
    empty = [row for row in rows if _is_zero(row) and row.kind != "input"]
    if empty:
        text = f"All activations are 0 in {_listed(_name(row) for row in empty)}."
        yield Finding("zero", empty[0].name, text)
    waiting = [row for row in rows if row.gradient_std == 0 and row.kind != "input"]
    if waiting:
        text = (
            f"The gradient is 0 in {_listed(_name(row) for row in waiting)}: zeros stand between "
            "these layers and the end."
        )
        yield Finding("no gradient yet", waiting[0].name, text)


def _course(rows: Sequence[Row]) -> Iterator[Finding]:
    """Yield what the signal does in the longest series."""
    for series in series_of(rows)[:1]:
        first, last = series[0], series[-1]
        forward = _ratio(last.std, first.std)
        back = _ratio(first.gradient_std, last.gradient_std)
        text = f"From {_name(first)} to {last.name}, {counted(len(series) - 1, 'layer')} later, "
        text += f"the std of activations changes by a factor of {forward}"
        text += f", and back from there that of gradients by {back}." if back else "."
        if forward:
            yield Finding("course", first.name, text)


def _ratio(last: float, first: float) -> str:
    return f"{last / first:.2g}" if 0 < first < math.inf and 0 <= last < math.inf else ""


def _listed(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    few = [shortened(name) for name in names]
    more = len(few) - _MOST_NAMES
    return ", ".join(few[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _is_zero(row: Row) -> bool:
    return row.std == 0 and row.mean == 0


def _name(row: Row) -> str:
    return f"{row.name} ({row.kind})"
