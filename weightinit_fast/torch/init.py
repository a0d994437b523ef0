"""Drop-ins for the functions of torch.nn.init, which draw at the speed of memory."""

from __future__ import annotations

import torch

from .._resolve.keys import RNGLike
from ..initialisers.initializer import initializer
from .tensors import fill

__all__ = ["normal_"]


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
    """Draw from the normal distribution N(mean, std²), as torch.nn.init.normal_ does."""
    draws = [(initializer("normal", mean=mean, std=std), tensor, stream)]
    fill(draws, generator if rng is None else rng, threads)
    return tensor
