"""Rules: an initialiser's own parameters, checked and bound; from them come values and laws.

The functions that draw ask for the engine's parameters and hand them to the target:
``transform, params = scaled(target.whole, rule)`` and ``target.draw(transform, params, ...)``. An
`Initializer` keeps a rule as an object of the classes below, whose ``fill`` does the same.
"""

import math
from typing import Any, Literal, Protocol, TypeAlias

from .. import _core
from .._resolve.fans import Mode, WeightAxes, fan_of
from .._resolve.keys import RNGLike
from .._resolve.target import Target
from .._resolve.threads import thread_count
from .law import Law, truncated_moments

__all__ = [
    "DISTRIBUTIONS",
    "Constant",
    "Distribution",
    "Draw",
    "Parameters",
    "Rule",
    "Scaled",
    "ScaledBy",
    "scaled",
    "set_zeros",
]

Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]

#: A transform of the engine, and the parameters that it is given.
Parameters: TypeAlias = tuple[int, tuple[float, ...]]

#: Mean 0 and the variance gain²·scale/((1 + slope²)·fan), with the fan that a mode names: (mode,
#: distribution, scale, gain, slope, axes). A tuple, as one is made for every call of a function.
ScaledBy: TypeAlias = tuple[Mode, Distribution, float, float, float, WeightAxes]

# Looked up once: a small fill takes about as long as its call.
_NORMAL, _TRUNCATED = _core.NORMAL, _core.TRUNCATED
#: Distribution -> transform.
DISTRIBUTIONS: dict[str, int] = {
    "normal": _core.NORMAL,
    "truncated_normal": _core.TRUNCATED,
    "uniform": _core.UNIFORM,
}


def scaled(whole: tuple[int, ...], rule: ScaledBy) -> Parameters:
    """Return what the engine is asked for, with the fans of the whole shape."""
    mode, distribution, scale, gain, slope, axes = rule
    fan_in, fan_out = axes.fans(whole)
    fan = fan_in if mode == "fan_in" else fan_of(mode, fan_in, fan_out)
    transform = DISTRIBUTIONS[distribution]
    # An empty weight may have no fan; it has no element to scale either.
    spread = _core.spread(transform, scale, gain, slope, fan or 1)
    if transform == _NORMAL or not spread:  # a normal of std 0 leaves the mean
        return _NORMAL, (0.0, spread)
    if transform == _TRUNCATED:
        return transform, (0.0, spread, -2.0, 2.0)
    return transform, (-spread, spread)


class Rule(Protocol):
    """What every rule can do."""

    @property
    def zeroed(self) -> bool:
        """Whether a new array should come filled with zeros."""

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Write the values where they go, and return what the caller gets."""

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element of a tensor of that shape."""


class Draw:
    """A distribution that does not depend on the shape."""

    __slots__ = ("kind", "parameters")
    zeroed = False

    def __init__(self, kind: str, parameters: Parameters) -> None:
        self.kind = kind
        self.parameters = parameters

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Draw every element."""
        transform, params = self.parameters
        return target.draw(transform, params, rng, stream, threads)

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element."""
        return _law(self.kind, *self.parameters)


class Scaled:
    """A distribution whose scale is read from the shape."""

    __slots__ = ("rule",)
    zeroed = False

    def __init__(self, rule: ScaledBy) -> None:
        self.rule = rule

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Draw every element, with the fans of the whole shape."""
        transform, params = scaled(target.whole, self.rule)
        return target.draw(transform, params, rng, stream, threads)

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element of a weight of that shape."""
        return _law(self.rule[1], *scaled(whole, self.rule))


class Constant:
    """One value for every element; the engine reads no key and no stream for it."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    @property
    def zeroed(self) -> bool:
        """Whether a new array may be one of numpy.zeros, which is lazy."""
        return self.value == 0 and math.copysign(1, self.value) > 0

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Set every element, unless a new array holds the zeros already."""
        if not target.zeroed:
            return target.draw(_core.CONSTANT, (self.value,), None, 0, threads)
        set_zeros(target, threads)
        return target.finish()

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the value as a distribution."""
        return Law("constant", self.value, 0.0, self.value, self.value)


def set_zeros(target: Target, threads: int | None) -> None:
    """Set every element to zero, unless a new array holds the zeros already."""
    if target.zeroed:
        thread_count(threads, 0)  # refused where it is wrong, as in every call
    else:
        target.write(_core.CONSTANT, (0.0,), None, 0, threads)


def _law(kind: str, transform: int, params: tuple[float, ...]) -> Law:
    if transform == _core.UNIFORM:
        low, high = params
        return Law(kind, low / 2 + high / 2, (high / 2 - low / 2) / math.sqrt(3), low, high)
    mean, std, *bounds = params
    if std == 0:
        return Law(kind, mean, 0.0, mean, mean)
    if not bounds:
        return Law(kind, mean, std, -math.inf, math.inf)
    lower, upper = bounds
    shift, share = truncated_moments(lower, upper)
    return Law(kind, mean + std * shift, std * share, mean + std * lower, mean + std * upper)
