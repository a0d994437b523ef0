"""The bounds of truncated normals: torch gives them as values, the engine takes them in std."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import numpy as np
import torch

from .._resolve.numbers import finite, not_negative, real

__all__ = ["bounded", "in_units", "warn_of_far_mean"]


def bounded(
    mean: float, std: float, a: float, b: float, tensor: torch.Tensor
) -> tuple[float, float, float, float]:
    """Return mean, std, lower and upper, the last two in units of std."""
    mean, std = finite(mean, "mean"), not_negative(std, "std")
    if std == 0:
        raise ValueError("std must be positive")
    single = getattr(tensor, "dtype", None) is not torch.float64  # or no tensor at all
    return mean, std, *in_units(mean, std, real(a, "a"), real(b, "b"), single)


@lru_cache(1024)  # a model repeats its bounds from layer to layer
def in_units(mean: float, std: float, a: float, b: float, single: bool) -> tuple[float, float]:
    """Return the bounds in units of std, such that the engine's own bounds lie in [a, b].

    Its bounds are mean + std·lower and mean + std·upper, with mean and std rounded to float32 if
    ``single``, which is so for all types but float64.
    """
    if not a < b:
        raise ValueError(f"a must be below b: a={a!r}, b={b!r}")
    lower, upper = (a - mean) / std, (b - mean) / std
    if single:
        with np.errstate(over="ignore"):  # the engine refuses what overflows
            mean, std = float(np.float32(mean)), float(np.float32(std))
    if std == 0:
        return lower, upper
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
