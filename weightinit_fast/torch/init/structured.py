"""Drop-ins that are more than draws of single elements: eye_, dirac_, orthogonal_ and sparse_."""

from __future__ import annotations

import torch
from torch.overrides import has_torch_function_variadic

from ..._resolve.keys import RNGLike
from ..._resolve.numbers import real
from ...initialisers.initializer import initializer
from ..refusals import PLAIN
from .dispatch import THEIRS, otherwise

__all__ = ["dirac_", "eye_", "orthogonal_", "sparse_"]

_IDENTITY = initializer("identity")
_FEW = 1 << 16


def eye_(tensor: torch.Tensor, *, threads: int | None = None) -> torch.Tensor:
    """Set a matrix to one on its main diagonal and to zero elsewhere.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes.
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
    >>> wi.torch.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    few = type(tensor) in PLAIN and tensor.numel() < _FEW
    if few and threads is None and not has_torch_function_variadic(tensor):
        return THEIRS["eye_"](tensor)  # the same values, in a fifth of the time
    return otherwise(eye_, tensor, {}, lambda: _IDENTITY, threads)


def dirac_(
    tensor: torch.Tensor,
    groups: int = 1,
    *,
    layout: str | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """Set the weight of a convolution so that it copies its input channels to its outputs.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with 3 to 5 axes.
    groups : int, default 1
        The number of groups, each of which copies its own channels. It divides the axis of outputs.
    layout : str, optional
        What each axis is, as in `weightinit_fast.dirac`.
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
    >>> wi.torch.init.dirac_(torch.empty(2, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]],
    <BLANKLINE>
            [[0., 0., 0.],
             [0., 1., 0.]]])
    """
    return otherwise(
        dirac_,
        tensor,
        {"groups": groups},
        lambda: initializer("dirac", groups=groups, layout=layout),
        threads,
        layout=layout,
    )


def orthogonal_(
    tensor: torch.Tensor,
    gain: float = 1,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw gain times a random orthogonal matrix, as ``torch.nn.init.orthogonal_`` does.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes or more. All axes but the first are the matrix's columns.
    gain : float, default 1
        The factor on the matrix.
    generator, rng, stream, threads
        As in `uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Notes
    -----
    Every element depends on all the others. So a process that holds a part of a DTensor makes the
    whole matrix in CPU memory and keeps its part.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.orthogonal_(torch.empty(100, 30), rng=0)
    >>> bool((w.T @ w - torch.eye(30)).abs().max() < 1e-5)
    True
    """
    return otherwise(
        orthogonal_,
        tensor,
        {"gain": gain, "generator": generator},
        lambda: initializer("orthogonal", gain=real(gain, "gain")),
        threads,
        rng,
        stream,
    )


def sparse_(
    tensor: torch.Tensor,
    sparsity: float,
    std: float = 0.01,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    layout: str | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from N(0, std²), and set equally many elements of each column to zero.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes.
    sparsity : float
        The share of each column that is set to zero.
    std : float, default 0.01
        The standard deviation of the other elements.
    layout : {"OI", "IO"}, optional
        With "OI" the zeros are counted in each row, so that every unit of a Linear layer has
        equally many; see `weightinit_fast.sparse`. By default they are counted in each column, as
        in torch.
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
    >>> w = wi.torch.init.sparse_(torch.empty(10, 4), 0.25, rng=0)
    >>> (w == 0).sum(dim=0)
    tensor([3, 3, 3, 3])
    """
    return otherwise(
        sparse_,
        tensor,
        {"sparsity": sparsity, "std": std, "generator": generator},
        lambda: initializer("sparse", sparsity=sparsity, std=std, layout=layout),
        threads,
        rng,
        stream,
        layout=layout,
    )
