"""Drop-ins whose distribution does not depend on the shape: uniform and normal."""

from __future__ import annotations

import torch

from ... import _core
from ..._resolve.keys import RNGLike
from ..._resolve.numbers import finite, not_negative
from ...initialisers.initializer import Initializer, initializer
from ..bounds import bounded, warn_of_far_mean
from ..refusals import PLAIN
from .dispatch import REFUSALS, draw, otherwise

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
    """Draw from the uniform distribution on [a, b), as ``torch.nn.init.uniform_`` does.

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
    try:
        low, high = finite(a, "a"), finite(b, "b")
        if low < high and draw(tensor, _UNIFORM, (low, high), generator, rng, stream, threads):
            return tensor
    except REFUSALS:
        pass  # otherwise() raises it again, or torch's own error
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
    """Draw from the normal distribution N(mean, std²), as ``torch.nn.init.normal_`` does.

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
    try:
        params = finite(mean, "mean"), not_negative(std, "std")
        if draw(tensor, _NORMAL, params, generator, rng, stream, threads):
            return tensor
    except REFUSALS:
        pass  # otherwise() raises it again, or torch's own error
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
    """Draw from N(mean, std²) restricted to [a, b], as ``torch.nn.init.trunc_normal_`` does.

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
    try:
        params = bounded(mean, std, a, b, tensor) if type(tensor) in PLAIN else ()
        if params and draw(tensor, _TRUNCATED, params, generator, rng, stream, threads):
            warn_of_far_mean(mean, std, a, b, 3)
            return tensor
    except REFUSALS:
        pass  # otherwise() raises it again, or torch's own error

    def make() -> Initializer:
        centre, scale, lower, upper = bounded(mean, std, a, b, tensor)
        warn_of_far_mean(mean, std, a, b, 5)
        return initializer("truncated_normal", mean=centre, std=scale, lower=lower, upper=upper)

    return otherwise(trunc_normal_, tensor, arguments, make, threads, rng, stream)
