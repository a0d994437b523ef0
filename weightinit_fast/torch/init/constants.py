"""Drop-ins that set every element to one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..._core import CONSTANT, fill_tensor
from ..._resolve.numbers import real
from ...initialisers.initializer import initializer
from .dispatch import REFUSALS, otherwise

__all__ = ["constant_", "ones_", "zeros_"]


def constant_(tensor: torch.Tensor, val: float, *, threads: int | None = None) -> torch.Tensor:
    """Set every element to one value, as ``torch.nn.init.constant_`` does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    val : float
        The value, which is rounded once to the dtype.
    threads : int, optional
        As in `weightinit_fast.normal`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> wi.torch.init.constant_(torch.empty(2), 0.1)
    tensor([0.1000, 0.1000])
    """
    return _set(constant_, tensor, val, {"val": val}, threads)


def ones_(tensor: torch.Tensor, *, threads: int | None = None) -> torch.Tensor:
    """Set every element to one, as ``torch.nn.init.ones_`` does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    threads : int, optional
        As in `weightinit_fast.normal`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> wi.torch.init.ones_(torch.empty(3))
    tensor([1., 1., 1.])
    """
    return _set(ones_, tensor, 1.0, {}, threads)


def zeros_(tensor: torch.Tensor, *, threads: int | None = None) -> torch.Tensor:
    """Set every element to zero, as ``torch.nn.init.zeros_`` does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill.
    threads : int, optional
        As in `weightinit_fast.normal`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> wi.torch.init.zeros_(torch.empty(3))
    tensor([0., 0., 0.])
    """
    return _set(zeros_, tensor, 0.0, {}, threads)


def _set(
    ours: Callable[..., torch.Tensor],
    tensor: torch.Tensor,
    value: float,
    arguments: dict[str, Any],
    threads: int | None,
) -> torch.Tensor:
    """Set every element; ``arguments`` are those of torch's function besides the tensor."""
    try:
        if fill_tensor(tensor, CONSTANT, (real(value, "val"),), None, 0, threads):
            return tensor
    except REFUSALS:
        pass  # otherwise() raises it again, or torch's own error
    return otherwise(ours, tensor, arguments, lambda: initializer("constant", value=value), threads)
