"""The initialisations that are studied. Every initial value of a weight comes from weightinit_fast.

A scheme is an Initializer, and ``fill`` fills a weight by it. All schemes of one layer use the same
stream, so that they scale the same normals, and two curves differ by the scale alone.
"""

import math
from typing import Any

import weightinit_fast as wi

#: The slope of PReLU's negative side, with which He et al. (2015) start it.
SLOPE = 0.25

ZEROS = wi.initializer(wi.zeros)
#: Xavier's rule, with the variance 2 / (fan_in + fan_out).
XAVIER = wi.initializer(wi.xavier_normal)


def constant(value: float) -> wi.Initializer:
    """Return a scheme with one non-zero value everywhere: equal units that do pass a signal on."""
    return wi.initializer(wi.constant, value=value)


def fixed(std: float) -> wi.Initializer:
    """Return a scheme that draws from N(0, std^2), whatever the shape."""
    return wi.initializer(wi.normal, std=std)


def he(a: float = 0.0) -> wi.Initializer:
    """Return a scheme of He's rule, with the variance 2 / ((1 + a^2) fan_in)."""
    return wi.initializer(wi.he_normal, a=a)


def fill(scheme: wi.Initializer, out: Any, layout: str, rng: int, stream: str) -> None:
    """Fill a weight, whose axes ``layout`` names for the schemes that read their scale from it."""
    if scheme.function in (wi.xavier_normal, wi.he_normal):
        scheme = wi.initializer(scheme, layout=layout)
    scheme(out=out, rng=rng, stream=stream)


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


def study(fan_in: int) -> dict[str, wi.Initializer]:
    """Return the six schemes of the study. ``fan_in`` gives the sigma whose factor is 0.7."""
    return {
        "zeros": ZEROS,
        "sigma_small": fixed(0.01),
        "sigma_factor": fixed(factor_std(0.7, fan_in)),
        "sigma_one": fixed(1.0),
        "xavier": XAVIER,
        "he": he(),
    }
