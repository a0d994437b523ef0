"""The initialisations that are studied. Every initial value of a weight comes from weightinit_fast.

A scheme is a function that fills ``out`` from (rng, stream). All schemes of one layer use the same
stream, so that they scale the same normals, and two curves differ by the scale alone.
"""

import math
from collections.abc import Callable
from typing import Any

import weightinit_fast as wi

Scheme = Callable[..., Any]

#: The slope of PReLU's negative side, with which He et al. (2015) start it.
SLOPE = 0.25


def zeros(out: Any, layout: str, rng: int, stream: str) -> None:
    """Fill with zeros."""
    wi.zeros(out=out)


def constant(value: float) -> Scheme:
    """Return a scheme with one non-zero value everywhere: equal units that do pass a signal on."""

    def fill(out: Any, layout: str, rng: int, stream: str) -> None:
        wi.constant(value=value, out=out)

    return fill


def fixed(std: float) -> Scheme:
    """Return a scheme that draws from N(0, std^2), whatever the shape."""

    def fill(out: Any, layout: str, rng: int, stream: str) -> None:
        wi.normal(std=std, out=out, rng=rng, stream=stream)

    return fill


def xavier(out: Any, layout: str, rng: int, stream: str) -> None:
    """Fill by Xavier's rule, with the variance 2 / (fan_in + fan_out)."""
    wi.xavier_normal(layout=layout, out=out, rng=rng, stream=stream)


def he(a: float = 0.0) -> Scheme:
    """Return a scheme of He's rule, with the variance 2 / ((1 + a^2) fan_in)."""

    def fill(out: Any, layout: str, rng: int, stream: str) -> None:
        wi.he_normal(a=a, layout=layout, out=out, rng=rng, stream=stream)

    return fill


def factor_std(factor: float, fan_in: int) -> float:
    """Return the std for which std * sqrt(fan_in / 2) is ``factor``."""
    return factor * math.sqrt(2 / fan_in)


#: Each scheme's label for tables and pictures, colour and line style, in the order of the legends.
LOOK = {
    "zeros": ("zeros", "#777777", "-"),
    "sigma_small": ("σ = 0.01", "#0072b2", "-"),
    "sigma_factor": ("σ√(fan_in/2) = 0.7", "#56b4e9", "--"),
    "sigma_one": ("σ = 1", "#d55e00", "-"),
    "xavier": ("Xavier", "#009e73", "-"),
    "he": ("He", "#aa3377", "-"),
}


def study(fan_in: int) -> dict[str, Scheme]:
    """Return the six schemes of the study. ``fan_in`` gives the sigma whose factor is 0.7."""
    return {
        "zeros": zeros,
        "sigma_small": fixed(0.01),
        "sigma_factor": fixed(factor_std(0.7, fan_in)),
        "sigma_one": fixed(1.0),
        "xavier": xavier,
        "he": he(),
    }
