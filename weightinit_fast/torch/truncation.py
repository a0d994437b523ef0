"""The interval of torch's trunc_normal_, which states its bounds as values, for the engine.

The drop-in and fast_init read it by the same functions.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import numpy as np
import torch

from .._resolve.numbers import finite, not_negative, real

__all__ = ["bounded", "warn_of_far_mean"]

#: How many intervals are kept. A model has few of them, and they take longer to compute than a
#: small layer to draw.
_KEPT = 1024


def bounded(
    mean: float, std: float, a: float, b: float, tensor: torch.Tensor
) -> tuple[float, float, float, float]:
    """Return mean, std, lower and upper, the last two in units of std."""
    mean, std = finite(mean, "mean"), not_negative(std, "std")
    if std == 0:
        raise ValueError("std must be positive")
    single = tensor.dtype is not torch.float64
    return mean, std, *_in_units(mean, std, real(a, "a"), real(b, "b"), single)


@lru_cache(_KEPT)
def _in_units(mean: float, std: float, a: float, b: float, single: bool) -> tuple[float, float]:
    """Return the bounds in units of std, such that the engine's own bounds lie in [a, b].

    Its bounds are mean + std·lower and mean + std·upper, with mean and std rounded to float32 if
    ``single``, which is so for all types but float64.
    """
    if not a < b:
        raise ValueError(f"a must be below b: a={a!r}, b={b!r}")
    lower, upper = (a - mean) / std, (b - mean) / std
    if single:
        mean, std = float(np.float32(mean)), float(np.float32(std))
    if mean + std * lower < a:
        lower = _moved(mean, std, a, 1)
    if mean + std * upper > b:
        upper = _moved(mean, std, b, -1)
    return lower, upper


def _moved(mean: float, std: float, limit: float, sign: int) -> float:
    """Return a bound in units of std so near to a limit as the rounding lets it, and within."""
    bound = (limit - mean) / std
    step = max(math.ulp(bound), math.ulp(max(abs(limit), abs(mean))) / std)
    while sign * (mean + std * bound) < sign * limit:
        bound += sign * step
    return bound


def warn_of_far_mean(mean: float, std: float, a: float, b: float, stacklevel: int) -> None:
    """Warn as torch does; the warning names the line that calls trunc_normal_."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=stacklevel,
        )
