"""Rules: an initialiser's own parameters, checked and bound, which fill a target and have a law.

The functions that draw ask for the engine's parameters and hand them to the target: ``transform,
params = scaled_parameters(target.whole, rule)`` and ``target.draw(transform, params, ...)``. An
`Initializer` keeps its rule as an object of one of the classes below, whose ``fill`` does the same.
"""

import math
from typing import Any, Literal, Protocol, TypeAlias

from .. import _core
from .._resolve.fans import Mode, WeightAxes, fan_of
from .._resolve.keys import RNGLike
from .._resolve.target import Target
from .._resolve.threads import thread_count
from .._resolve.truncation import refuse_far
from .law import Law, truncated_moments

__all__ = [
    "DISTRIBUTIONS",
    "Constant",
    "Distribution",
    "Draw",
    "ElementwiseRule",
    "Parameters",
    "Rule",
    "ScaledDraw",
    "VarianceRule",
    "scaled_parameters",
    "set_zeros",
]

Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]

#: A transform of the engine, and the parameters that it is given.
Parameters: TypeAlias = tuple[int, tuple[float, ...]]

#: The rule of mean 0 and variance gain²·scale/((1 + slope²)·fan), where mode says which fan:
#: (mode, distribution, scale, gain, slope, axes). It is a tuple, because every call makes one.
VarianceRule: TypeAlias = tuple[Mode, Distribution, float, float, float, WeightAxes]

# Looked up once, since a small fill takes about as long as its call.
_NORMAL, _TRUNCATED = _core.NORMAL, _core.TRUNCATED
#: Distribution -> transform.
DISTRIBUTIONS: dict[str, int] = {
    "normal": _core.NORMAL,
    "truncated_normal": _core.TRUNCATED,
    "uniform": _core.UNIFORM,
}


def scaled_parameters(whole: tuple[int, ...], rule: VarianceRule) -> Parameters:
    """Return the transform and its parameters, with the fans of a weight of that whole shape."""
    mode, distribution, scale, gain, slope, axes = rule
    fan_in, fan_out = axes.fans(whole)
    fan = fan_in if mode == "fan_in" else fan_of(mode, fan_in, fan_out)
    transform = DISTRIBUTIONS[distribution]
    # A fan of 0 counts as 1. It belongs to a weight without elements, unless fans= states it.
    spread = _core.spread(transform, scale, gain, slope, fan or 1)
    if transform == _NORMAL or not spread:  # a normal of std 0 gives its mean
        return _NORMAL, (0.0, spread)
    if transform == _TRUNCATED:
        return transform, (0.0, spread, -2.0, 2.0)
    return transform, (-spread, spread)


class Rule(Protocol):
    """The interface of a rule."""

    #: Whether a part of a tensor takes about its share of the time that the whole takes. If not,
    #: every element depends on many others, and who needs several parts should make the whole once.
    by_parts: bool

    @property
    def zeroed(self) -> bool:
        """Whether a new array should come filled with zeros."""

    def check(self, target: Target) -> None:
        """Raise the exception that `fill` raises for a shape or a type that does not fit."""

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Fill the target, and return what the caller of the initialiser gets."""

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element of a tensor of that shape."""


class ElementwiseRule:
    """A rule by which each element depends on nothing but key, stream and its own number.

    One draw of the engine fills the target, so that many targets can be filled by one run of tasks,
    and any range of elements can be drawn by itself (initialisers/ranges.py).
    """

    __slots__ = ()
    zeroed: bool = False
    by_parts: bool = True

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return the transform and its parameters for a tensor of that whole shape."""
        raise NotImplementedError

    def check(self, target: Target) -> None:
        """Raise the exception that `fill` raises for a shape or a type that does not fit."""
        transform, params = self.parameters(target.whole)
        target.check(transform, params)

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Draw every element."""
        transform, params = self.parameters(target.whole)
        return target.draw(transform, params, rng, stream, threads)


class Draw(ElementwiseRule):
    """A distribution that does not depend on the shape."""

    __slots__ = ("_parameters", "kind")

    def __init__(self, kind: str, parameters: Parameters) -> None:
        self.kind: str = kind
        self._parameters: Parameters = parameters

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return the transform and its parameters."""
        return self._parameters

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element."""
        return _law(self.kind, *self._parameters)


class ScaledDraw(ElementwiseRule):
    """A distribution whose scale is read from the shape."""

    __slots__ = ("rule",)

    def __init__(self, rule: VarianceRule) -> None:
        self.rule: VarianceRule = rule

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return the transform and its parameters, with the fans of the whole shape."""
        return scaled_parameters(whole, self.rule)

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element of a weight of that shape."""
        return _law(self.rule[1], *scaled_parameters(whole, self.rule))


class Constant(ElementwiseRule):
    """One value for every element; the engine reads no key and no stream for it."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value: float = value

    def parameters(self, whole: tuple[int, ...]) -> Parameters:
        """Return the transform and its parameter."""
        return _core.CONSTANT, (self.value,)

    @property
    def zeroed(self) -> bool:  # type: ignore[override]
        """Whether a new array should come from numpy.zeros, since the value is +0."""
        return self.value == 0 and math.copysign(1, self.value) > 0

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Set every element, unless the target is a new array of zeros that are wanted."""
        if not target.zeroed:
            return super().fill(target, None, 0, threads)
        set_zeros(target, threads)
        return target.finish()

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the value as a distribution."""
        return Law("constant", self.value, 0.0, self.value, self.value)


def set_zeros(target: Target, threads: int | None) -> None:
    """Set every element to zero, unless the target is a new array of zeros."""
    if target.zeroed:
        thread_count(threads, 0)  # refuses wrong values, as a fill would
    else:
        target.write(_core.CONSTANT, (0.0,), None, 0, threads)


def _law(kind: str, transform: int, params: tuple[float, ...]) -> Law:
    """Return the law of a uniform, normal or truncated normal draw."""
    if transform == _core.UNIFORM:
        low, high = params
        return Law(kind, low / 2 + high / 2, (high / 2 - low / 2) / math.sqrt(3), low, high)
    mean, std, *bounds = params
    if std == 0:
        return Law(kind, mean, 0.0, mean, mean)
    if not bounds:
        return Law(kind, mean, std, -math.inf, math.inf)
    lower, upper = bounds
    refuse_far(lower, upper, 64)  # where no dtype can draw
    unit_mean, unit_std = truncated_moments(lower, upper)
    return Law(kind, mean + std * unit_mean, std * unit_std, mean + std * lower, mean + std * upper)
