"""Drop-ins that read their scale from the shape: Xavier's and Kaiming He's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch.nn.init import calculate_gain
from torch.overrides import has_torch_function_variadic

from ..._resolve.keys import RNGLike
from ..._resolve.numbers import not_negative
from ...initialisers.initializer import Initializer, initializer, rule_of
from ...initialisers.rules import ElementwiseRule, Parameters
from ..refusals import PLAIN
from .dispatch import KEPT, REFUSALS, draw, otherwise

__all__ = ["kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"]


def xavier_uniform_(
    tensor: torch.Tensor,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from U[-c, c) with c = gain·√(6/(fan_in + fan_out)).

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes or more.
    gain : float, default 1.0
        The factor on the bound.
    generator, rng, stream, threads
        As in `uniform_`.
    layout, groups, transposed
        What the axes are, as in `weightinit_fast.fans`. By default the fans are those of torch,
        which does not know the groups of a convolution.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.xavier_uniform_(torch.empty(3, 5), rng=0, stream="fc1.weight")
    >>> bool((w.numpy() == wi.xavier_uniform((3, 5), rng=0, stream="fc1.weight")).all())
    True
    """
    return _fill(
        xavier_uniform_,
        _xavier,
        tensor,
        ("uniform", gain, layout, groups, transposed),
        {"gain": gain},
        generator,
        rng,
        stream,
        threads,
    )


def xavier_normal_(
    tensor: torch.Tensor,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from N(0, gain²·2/(fan_in + fan_out)).

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes or more.
    gain : float, default 1.0
        The factor on the standard deviation.
    generator, rng, stream, layout, groups, transposed, threads
        As in `xavier_uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.xavier_normal_(torch.empty(3, 5), rng=0, stream="fc1.weight")
    >>> bool((w.numpy() == wi.xavier_normal((3, 5), rng=0, stream="fc1.weight")).all())
    True
    """
    return _fill(
        xavier_normal_,
        _xavier,
        tensor,
        ("normal", gain, layout, groups, transposed),
        {"gain": gain},
        generator,
        rng,
        stream,
        threads,
    )


def kaiming_uniform_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from U[-c, c) with c = gain·√(3/fan).

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes or more.
    a : float, default 0
        The slope of leaky_relu on the negative side; it is not read for other nonlinearities.
    mode : {"fan_in", "fan_out"}, default "fan_in"
        Which fan to use.
    nonlinearity : str, default "leaky_relu"
        A name that ``calculate_gain`` knows.
    generator, rng, stream, layout, groups, transposed, threads
        As in `xavier_uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Warns
    -----
    UserWarning
        If the tensor has no elements, as torch does.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = wi.torch.init.kaiming_uniform_(torch.empty(3, 5), a=0.25, rng=0, stream="fc1.weight")
    >>> bool((w.numpy() == wi.he_uniform((3, 5), a=0.25, rng=0, stream="fc1.weight")).all())
    True

    The fan_in of a depthwise convolution's weight is 9, and its fan_out is not 64·9:

    >>> w = torch.empty(64, 1, 3, 3)
    >>> wi.torch.init.kaiming_uniform_(w, mode="fan_out", groups=64).abs().max() > 0.7
    tensor(True)
    """
    return _fill(
        kaiming_uniform_,
        _kaiming,
        tensor,
        ("uniform", a, mode, nonlinearity, layout, groups, transposed),
        {"a": a, "mode": mode, "nonlinearity": nonlinearity},
        generator,
        rng,
        stream,
        threads,
    )


def kaiming_normal_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    rng: RNGLike = None,
    stream: int | str = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    threads: int | None = None,
) -> torch.Tensor:
    """Draw from N(0, gain²/fan).

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor to fill, with two axes or more.
    a, mode, nonlinearity
        As in `kaiming_uniform_`.
    generator, rng, stream, layout, groups, transposed, threads
        As in `xavier_uniform_`.

    Returns
    -------
    torch.Tensor
        The tensor itself.

    Warns
    -----
    UserWarning
        If the tensor has no elements, as torch does.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> w = torch.empty(3, 5)
    >>> w = wi.torch.init.kaiming_normal_(w, nonlinearity="relu", rng=0, stream="fc1.weight")
    >>> bool((w.numpy() == wi.he_normal((3, 5), rng=0, stream="fc1.weight")).all())
    True
    """
    return _fill(
        kaiming_normal_,
        _kaiming,
        tensor,
        ("normal", a, mode, nonlinearity, layout, groups, transposed),
        {"a": a, "mode": mode, "nonlinearity": nonlinearity},
        generator,
        rng,
        stream,
        threads,
    )


# What they share ----------------------------------------------------------------------------------

#: The types of gain and a that the caches below take. Another object, such as a tensor of one
#: element, may change and still be equal to itself.
_NUMBERS = (float, int)

#: Nested tensors have no shape, and raise RuntimeError.
_NO_DRAW = (*REFUSALS, RuntimeError)

# (distribution, gain, layout, groups, transposed)
_Xavier: TypeAlias = tuple[str, float, str | None, int, bool]
# (distribution, a, mode, nonlinearity, layout, groups, transposed)
_Kaiming: TypeAlias = tuple[str, float, str, str, str | None, int, bool]


def _fill(
    ours: Callable[..., torch.Tensor],
    make: Callable[[Any], Initializer],
    tensor: torch.Tensor,
    own: _Xavier | _Kaiming,
    arguments: dict[str, Any],
    generator: torch.Generator | None,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> torch.Tensor:
    """Fill a tensor by the initialiser that make(own) returns.

    ``arguments`` are those that torch's function has besides the tensor and the generator.
    """
    if type(own[1]) in _NUMBERS and type(tensor) in PLAIN:
        try:
            transform, params = _parameters(make, own, tensor.shape)
            if draw(tensor, transform, params, generator, rng, stream, threads):
                return tensor
        except _NO_DRAW:
            pass  # otherwise() raises it again, or torch's own error
    if make is _kaiming and _is_empty(tensor):
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return tensor
    layout, groups, transposed = own[-3:]
    return otherwise(
        ours,
        tensor,
        {**arguments, "generator": generator},
        lambda: make(own),
        threads,
        rng,
        stream,
        layout=layout,
        groups=groups,
        transposed=transposed,
    )


def _xavier(own: _Xavier) -> Initializer:
    """Return the initialiser that the arguments stand for."""
    distribution, gain, layout, groups, transposed = own
    return initializer(
        f"xavier_{distribution}",
        gain=not_negative(gain, "gain"),
        layout=layout,
        groups=groups,
        transposed=transposed,
    )


def _kaiming(own: _Kaiming) -> Initializer:
    """Return the initialiser that the arguments stand for."""
    distribution, a, mode, nonlinearity, layout, groups, transposed = own
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', not {mode!r}")
    gain = calculate_gain(nonlinearity, a)  # type: ignore[arg-type, unused-ignore]
    axes: dict[str, Any] = {"layout": layout, "groups": groups, "transposed": transposed}
    if nonlinearity == "leaky_relu":
        return initializer(f"he_{distribution}", a=0.01 if a is None else a, mode=mode, **axes)
    if nonlinearity == "relu":
        return initializer(f"he_{distribution}", mode=mode, **axes)
    return initializer(
        "variance_scaling", scale=gain**2, distribution=distribution, mode=mode, **axes
    )


@lru_cache(KEPT)
def _parameters(
    make: Callable[[Any], Initializer], own: _Xavier | _Kaiming, whole: tuple[int, ...]
) -> Parameters:
    """Return what the engine is given for a tensor of that shape."""
    rule = rule_of(make(own))
    assert isinstance(rule, ElementwiseRule)
    return rule.parameters(whole)


def _is_empty(tensor: Any) -> bool:
    """Whether it is a tensor without elements whose class leaves it to torch's functions."""
    return (
        isinstance(tensor, torch.Tensor)
        and not has_torch_function_variadic(tensor)
        and not tensor.is_nested
        and 0 in tensor.shape
    )
