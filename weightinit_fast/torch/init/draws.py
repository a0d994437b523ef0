"""Drop-ins whose distribution does not depend on the shape: uniform and normal."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import numpy as np
import torch

from ... import _core
from ..._resolve.keys import RNGLike
from ..._resolve.numbers import finite, not_negative, real
from ...initialisers.initializer import Initializer, initializer
from ...initialisers.rules import Parameters
from ..tensors import KINDS
from .dispatch import KEPT, REFUSALS, draw, fast_target, otherwise

__all__ = ["normal_", "trunc_normal_", "uniform_"]

# Looked up once, since a small fill takes about as long as its call.
_UNIFORM, _NORMAL, _TRUNCATED = _core.UNIFORM, _core.NORMAL, _core.TRUNCATED


def uniform_(
    tensor: torch.Tensor,
    a: float = 0.0,
    b: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from the uniform distribution on [a, b), as torch.nn.init.uniform_ does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    a, b : float, default 0.0 and 1.0
        The bounds.
    generator : torch.Generator, optional
        What the key is drawn from, where no rng is given.
    rng, stream, threads
        As in `weightinit_fast.uniform`; see `weightinit_fast.torch.init`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = torch.empty(3)
    >>> wi.torch.init.uniform_(w, -1, 1, rng=0)
    tensor([ 0.9680,  0.0305, -0.7081])
    """
    target = fast_target(tensor)
    if target is not None:
        try:
            low, high = finite(a, "a"), finite(b, "b")
            if low < high:
                parameters = _UNIFORM, (low, high)
                return draw(target, tensor, parameters, generator, rng, stream, threads)
        except REFUSALS:
            pass  # otherwise raises it again, or torch's own error
    arguments = {"a": a, "b": b, "generator": generator}
    return otherwise(
        uniform_,
        tensor,
        arguments,
        lambda: initializer("uniform", low=a, high=b),
        threads,
        rng,
        stream,
    )


def normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from the normal distribution N(mean, std²), as torch.nn.init.normal_ does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    mean, std : float, default 0.0 and 1.0
        The mean and the standard deviation.
    generator, rng, stream, threads
        As in `uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.normal_(torch.empty(256, 128), std=0.02, rng=0, stream="wte.weight")
    >>> same = wi.normal((256, 128), std=0.02, rng=0, stream="wte.weight")
    >>> bool((w.numpy() == same).all())
    True
    """
    target = fast_target(tensor)
    if target is not None:
        try:
            parameters = _NORMAL, (finite(mean, "mean"), not_negative(std, "std"))
            return draw(target, tensor, parameters, generator, rng, stream, threads)
        except REFUSALS:
            pass  # otherwise raises it again, or torch's own error
    arguments = {"mean": mean, "std": std, "generator": generator}
    return otherwise(
        normal_,
        tensor,
        arguments,
        lambda: initializer("normal", mean=mean, std=std),
        threads,
        rng,
        stream,
    )


def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from N(mean, std²) restricted to [a, b], as torch.nn.init.trunc_normal_ does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    mean, std : float, default 0.0 and 1.0
        The mean and the standard deviation of the distribution before it is restricted.
    a, b : float, default -2.0 and 2.0
        The bounds, as values and not in units of std. Every element lies between them, in its own
        dtype and in float64.
    generator, rng, stream, threads
        As in `uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Warns
    -----
    UserWarning
        If the mean lies more than two std outside of [a, b], as torch does. The distribution is
        right all the same, as it is drawn by inversion.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.trunc_normal_(torch.empty(64, 64), std=0.02, a=-0.04, b=0.04, rng=0)
    >>> same = wi.truncated_normal((64, 64), std=0.02, lower=-2, upper=2, rng=0)
    >>> bool((w.numpy() == same).all())
    True
    """
    arguments = {"mean": mean, "std": std, "a": a, "b": b, "generator": generator}
    target = fast_target(tensor)
    if target is not None:
        try:
            parameters = _truncated(
                finite(mean, "mean"),
                not_negative(std, "std"),
                real(a, "a"),
                real(b, "b"),
                target.kind.word_bits,
            )
            _warn_of_far_mean(mean, std, a, b)
            return draw(target, tensor, parameters, generator, rng, stream, threads)
        except REFUSALS:
            pass  # otherwise raises it again, or torch's own error

    def make() -> Initializer:
        kind = KINDS.get(tensor.dtype)
        _, (centre, scale, lower, upper) = _truncated(
            finite(mean, "mean"),
            not_negative(std, "std"),
            real(a, "a"),
            real(b, "b"),
            32 if kind is None else kind.word_bits,
        )
        _warn_of_far_mean(mean, std, a, b)
        return initializer("truncated_normal", mean=centre, std=scale, lower=lower, upper=upper)

    return otherwise(trunc_normal_, tensor, arguments, make, threads, rng, stream)


@lru_cache(KEPT)
def _truncated(mean: float, std: float, a: float, b: float, word_bits: int) -> Parameters:
    """Return the parameters of a truncated normal with bounds that are values."""
    if std == 0:
        raise ValueError("std must be positive")
    if not a < b:
        raise ValueError(f"a must be below b: a={a!r}, b={b!r}")
    # The engine rounds mean and std to float32 for float32 and narrower types.
    single = word_bits == 32
    centre = float(np.float32(mean)) if single else mean
    scale = float(np.float32(std)) if single else std
    lower, upper = (a - mean) / std, (b - mean) / std
    if centre + scale * lower < a:
        lower = (a - centre) / scale
        while centre + scale * lower < a:
            lower = math.nextafter(lower, math.inf)
    if centre + scale * upper > b:
        upper = (b - centre) / scale
        while centre + scale * upper > b:
            upper = math.nextafter(upper, -math.inf)
    return _TRUNCATED, (mean, std, lower, upper)


def _warn_of_far_mean(mean: float, std: float, a: float, b: float) -> None:
    """Warn as torch does; the warning names the line that calls trunc_normal_."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
