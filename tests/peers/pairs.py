"""Pairs of a framework's initialiser and ours, and the formulas that both have to follow."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from layers import Fans, Layer, Stored

import weightinit_fast as wi

STD, BOUND, LOW, HIGH, VALUE, SLOPE = 0.02, 0.1, -0.05, 0.15, 0.3, 0.2
TRUNCATED_STD = 0.8796256610342398  # of N(0, 1) between -2 and 2
ROOT_3 = math.sqrt(3)
Draw = Callable[[Layer, Stored, int], np.ndarray]


class Pair(NamedTuple):
    """A framework's initialiser and ours.

    `draw` is the framework's and takes the layer, its weight as stored, and a number that serves as
    the seed. `formula` gives the standard deviation from the fans, by the framework's source.
    `takes` says what ours is told about the weight: "fans", "column", "dirac", "delta" or nothing.
    `bound` is the largest magnitude in units of the standard deviation; 0 means that there is none.
    `judged` says what is compared: "std", "equal" (all bits), "nonzero" (the std of the elements
    that are not zero), "matrix" (orthogonal) or "centre" (a kernel's centre is orthogonal).
    `kinds` are the layers that the pair applies to; () means all.
    """

    name: str
    draw: Draw
    ours: wi.Initializer
    formula: Callable[[Fans], float]
    takes: str = ""
    bound: float = 0.0
    judged: str = "std"
    kinds: tuple[str, ...] = ()


class Peer(NamedTuple):
    """A framework."""

    name: str
    version: str
    pairs: list[Pair]
    fans: Callable[[Layer, Stored], Fans]


# ---- formulas -------------------------------------------------------------------------------


def by_fan(scale: float, mode: str, least: float = 0.0) -> Callable[[Fans], float]:
    """Return the formula sqrt(scale / fan); no fan counts for less than `least`."""
    return lambda fans: math.sqrt(scale / max(least, _fan(mode, fans)))


def _fan(mode: str, fans: Fans) -> float:
    fan_in, fan_out = fans
    both = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    return both[mode] if mode in both else math.sqrt(fan_in * fan_out)


def always(std: float) -> Callable[[Fans], float]:
    """Return the formula of an initialiser whose deviation does not depend on the fans."""
    return lambda _: std


def truncated_std(lower: float, upper: float) -> float:
    """Return the deviation of N(0, 1) between two bounds."""
    mass = (math.erf(upper / math.sqrt(2)) - math.erf(lower / math.sqrt(2))) / 2
    low, high = (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (lower, upper))
    mean = (low - high) / mass
    return math.sqrt(1 + (lower * low - upper * high) / mass - mean * mean)


# ---- pairs that several frameworks have -----------------------------------------------------


def plain_pairs(
    uniform: tuple[str, Draw, dict[str, float]],
    normal: tuple[str, Draw],
    constants: list[tuple[str, Draw, wi.Initializer]],
) -> list[Pair]:
    """Return the pairs of the initialisers that use no fans."""
    name, draw, bounds = uniform
    std = (bounds["high"] - bounds["low"]) / math.sqrt(12)
    reach = max(abs(bounds["low"]), bounds["high"]) / std
    return [
        Pair(name, draw, wi.initializer(wi.uniform, **bounds), always(std), bound=reach),
        Pair(*normal, wi.initializer(wi.normal, std=STD), always(STD)),
        *(Pair(n, d, ours, always(0), judged="equal") for n, d, ours in constants),
    ]


#: JAX's and Keras's named rules -> scale and mode.
NAMED = {
    "glorot_uniform": (1.0, "fan_avg"),
    "glorot_normal": (1.0, "fan_avg"),
    "he_uniform": (2.0, "fan_in"),
    "he_normal": (2.0, "fan_in"),
    "lecun_uniform": (1.0, "fan_in"),
    "lecun_normal": (1.0, "fan_in"),
}
#: Distribution -> its bound in units of the standard deviation.
_BOUNDS = {"uniform": ROOT_3, "truncated_normal": 2 / TRUNCATED_STD, "normal": 0.0}


def named_pairs(calls: dict[str, tuple[str, Draw]], least: float = 0.0) -> list[Pair]:
    """Return the pairs of the named rules.

    What JAX and Keras call "normal" is truncated, so that it is compared with our truncated normal,
    and once more with our plain normal of the same standard deviation.
    """
    pairs = []
    for name, (label, draw) in calls.items():
        scale, mode = NAMED[name]
        ours, formula = wi.initializer(name), by_fan(scale, mode, least)
        if name.endswith("uniform"):
            pairs.append(Pair(label, draw, ours, formula, "fans", _BOUNDS["uniform"]))
            continue
        distribution = "truncated_normal"
        truncated = wi.initializer(
            wi.variance_scaling, scale=scale, mode=mode, distribution=distribution
        )
        pairs.append(Pair(label, draw, truncated, formula, "fans", _BOUNDS[distribution]))
        pairs.append(Pair(f"{label}: {name}", draw, ours, formula, "fans"))
    return pairs


def scaling_pairs(
    modes: tuple[str, ...],
    distributions: tuple[str, ...],
    call: Callable[[str, str], tuple[str, Draw]],
    least: float = 0.0,
) -> list[Pair]:
    """Return the pairs of variance scaling, one for each mode and distribution."""
    return [
        Pair(
            *call(mode, distribution),
            wi.initializer(wi.variance_scaling, scale=0.5, mode=mode, distribution=distribution),
            by_fan(0.5, mode, least),
            "fans",
            _BOUNDS[distribution],
        )
        for mode in modes
        for distribution in distributions
    ]
