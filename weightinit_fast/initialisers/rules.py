"""Rules: an initialiser's own parameters, checked and bound; from them come values and laws.

Every public function that draws asks its rule, or the rule's own check, for the engine's parameters:
``transform, params = rule.parameters(target.whole)`` and ``target.draw(transform, params, ...)``.
An `Initializer` keeps the rule, and its ``fill`` does the same.
"""

import math
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from .. import _core
from .._resolve.fans import Mode, WeightAxes, fan_of
from .._resolve.keys import RNGLike
from .._resolve.target import Target
from .._resolve.threads import thread_count
from .law import Law, truncated_moments

__all__ = ["DISTRIBUTIONS", "Constant", "Distribution", "Draw", "Parameters", "Rule", "Scaled", "set_zeros"]

Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]
#: A transform of the engine, and the parameters that it is given.
Parameters: TypeAlias = tuple[int, tuple[float, ...]]

# Looked up once: a small fill takes about as long as its call.
_NORMAL, _TRUNCATED = _core.NORMAL, _core.TRUNCATED
#: Distribution -> transform.
DISTRIBUTIONS: dict[str, int] = {
    "normal": _core.NORMAL,
    "truncated_normal": _core.TRUNCATED,
    "uniform": _core.UNIFORM,
}


class Rule(Protocol):
    """What every rule can do."""

    @property
    def zeroed(self) -> bool:
        """Whether a new array should come filled with zeros."""

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Write the values where they go, and return what the caller gets."""

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element of a tensor of that shape."""


class _Drawn(Protocol):
    def parameters(self, whole: tuple[int, ...]) -> Parameters: ...


def _draw(
    rule: _Drawn, target: Target, rng: RNGLike, stream: int | str, threads: int | None
) -> Any:
    """Fill a target with one transform of one stream."""
    transform, params = rule.parameters(target.whole)
    return target.draw(transform, params, rng, stream, threads)


class Draw(NamedTuple):
    """A distribution that does not depend on the shape."""

    kind: str
    transform: int
    params: tuple[float, ...]

    zeroed = False
    fill = _draw

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return what the engine is asked for."""
        return self.transform, self.params

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element."""
        return _law(self.kind, self.transform, self.params)


class Constant(NamedTuple):
    """One value for every element; the engine reads no key and no stream for it."""

    value: float

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


class Scaled(NamedTuple):
    """Mean 0 and the variance gain²·scale/((1 + slope²)·fan), with the fan that a mode names."""

    mode: Mode
    distribution: Distribution
    scale: float
    gain: float
    slope: float
    axes: WeightAxes

    zeroed = False
    fill = _draw

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return what the engine is asked for, with the fans of the whole shape."""
        mode, distribution, scale, gain, slope, axes = self
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

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element of a weight of that shape."""
        return _law(self.distribution, *self.parameters(whole))


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
