"""zeros, ones and constant, and the draws whose scale does not depend on the shape."""

from __future__ import annotations

from typing import Any

import jax
from jax.nn.initializers import Initializer

from ...initialisers.initializer import initializer as bound
from ...initialisers.plain import normal as _normal
from ...initialisers.plain import truncated_normal as _truncated_normal
from ...initialisers.plain import uniform as _uniform
from ..draw import OutSharding
from .made import DTypeLike, Made, MadeConstant, Number, number

__all__ = ["constant", "normal", "ones", "truncated_normal", "uniform", "zeros"]

_ZEROS, _ONES = MadeConstant(0, None), MadeConstant(1, None)

# Constants ----------------------------------------------------------------------------------------


def zeros(
    key: Any, shape: Any, dtype: DTypeLike | None = None, out_sharding: OutSharding = None
) -> jax.Array:
    """Make an array of zeros. The key is not used.

    Parameters
    ----------
    key, shape, dtype, out_sharding
        As the initialisers that the other functions return. Every dtype of JAX is taken.

    Returns
    -------
    jax.Array

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> wi.jax.initializers.zeros(jax.random.key(42), (2, 3))
    Array([[0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    return _ZEROS(key, shape, dtype, out_sharding)


def ones(
    key: Any, shape: Any, dtype: DTypeLike | None = None, out_sharding: OutSharding = None
) -> jax.Array:
    """Make an array of ones. The key is not used.

    Parameters
    ----------
    key, shape, dtype, out_sharding
        As in `zeros`.

    Returns
    -------
    jax.Array

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> wi.jax.initializers.ones(jax.random.key(42), (3,))
    Array([1., 1., 1.], dtype=float32)
    """
    return _ONES(key, shape, dtype, out_sharding)


def constant(value: Any, dtype: DTypeLike | None = None) -> Initializer:
    """Make an initialiser that returns arrays full of a value. It does not use the key.

    Parameters
    ----------
    value : number or array
        The value, or an array that is broadcast. A number is rounded once to the dtype, as
        `weightinit_fast.constant` does. (JAX rounds a number to float32 first, and then to a
        narrower type.) It may be traced.
    dtype : dtype, optional
        The dtype of arrays for which the call names none. Every dtype of JAX is taken.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> wi.jax.initializers.constant(-7)(jax.random.key(42), (3,))
    Array([-7., -7., -7.], dtype=float32)
    """
    return MadeConstant(value, dtype)


# Draws of a given scale ---------------------------------------------------------------------------


def uniform(scale: Number = 1e-2, dtype: DTypeLike | None = None) -> Initializer:
    """Make an initialiser that draws from U[0, scale).

    Parameters
    ----------
    scale : float, default 0.01
        The upper bound, >= 0.
    dtype : dtype, optional
        The dtype of arrays for which the call names none; JAX's default by default.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as
        ``wi.uniform(shape, high=scale, rng=wi.jax.key(key))`` does.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.uniform(10.0)(jax.random.key(42), (2, 3))
    >>> bool((0 <= w).all() and (w < 10).all())
    True
    """
    high = number(scale, "scale")
    init = bound(_uniform, high=high)
    return Made("uniform", {"scale": high}, dtype, lambda _: init)


def normal(stddev: Number = 1e-2, dtype: DTypeLike | None = None) -> Initializer:
    """Make an initialiser that draws from N(0, stddev²).

    Parameters
    ----------
    stddev : float, default 0.01
        The standard deviation, >= 0.
    dtype : dtype, optional
        As in `uniform`.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as
        ``wi.normal(shape, std=stddev, rng=wi.jax.key(key))`` does.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.normal(5.0)(jax.random.key(42), (1000, 1000))
    >>> round(float(w.std()), 1)
    5.0
    """
    std = number(stddev, "stddev")
    init = bound(_normal, std=std)
    return Made("normal", {"stddev": std}, dtype, lambda _: init)


def truncated_normal(
    stddev: Number = 1e-2,
    dtype: DTypeLike | None = None,
    lower: Number = -2.0,
    upper: Number = 2.0,
) -> Initializer:
    """Make an initialiser that draws from a normal distribution between two bounds.

    Parameters
    ----------
    stddev : float, default 0.01
        The standard deviation before the truncation, >= 0. That of the values is smaller: 0.8796
        times it for the default bounds. (`variance_scaling` makes up for that.)
    dtype : dtype, optional
        As in `uniform`.
    lower, upper : float, default -2 and 2
        The bounds, in standard deviations.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as ``wi.truncated_normal(shape,
        std=stddev, lower=lower, upper=upper, rng=wi.jax.key(key))`` does.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.truncated_normal(5.0)(jax.random.key(42), (1000, 1000))
    >>> bool(abs(w).max() < 10), round(float(w.std()), 1)
    (True, 4.4)
    """
    std, low, high = number(stddev, "stddev"), number(lower, "lower"), number(upper, "upper")
    init = bound(_truncated_normal, std=std, lower=low, upper=high)
    arguments = {"stddev": std, "lower": low, "upper": high}
    return Made("truncated_normal", arguments, dtype, lambda _: init)
