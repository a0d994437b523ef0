"""variance_scaling, which reads its scale from the shape, and the rules with names."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

from jax.nn.initializers import Initializer

from ..._resolve.messages import shown
from ...initialisers.initializer import Initializer as Bound
from ...initialisers.initializer import initializer as bound
from ...initialisers.scaled import variance_scaling as _variance_scaling
from .axes import Axes, axes_of, fans_of
from .made import DTypeLike, Made, Number, number

__all__ = [
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
]

Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution: TypeAlias = Literal["truncated_normal", "normal", "uniform"]


def variance_scaling(
    scale: Number,
    mode: Mode,
    distribution: Distribution,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make an initialiser that draws with mean 0 and variance scale/fan.

    Parameters
    ----------
    scale : float
        The variance times the fan, >= 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan to use: fan_in, fan_out, or their arithmetic or geometric mean.
    distribution : {"truncated_normal", "normal", "uniform"}
        The distribution, whose variance is scale/fan in all three cases. The first is truncated at
        -2 and 2 standard deviations of its parent.
    in_axis, out_axis : int or sequence of int, default -2 and -1
        The axes of the inputs and of the outputs.
    batch_axis : int or sequence of int, default ()
        Axes that the fans do not count, such as that of experts. All others are those of the kernel
        of a convolution.
    dtype : dtype, optional
        As in `uniform`.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as ``wi.variance_scaling(shape,
        scale=scale, mode=mode, distribution=distribution, fans=(fan_in, fan_out),
        rng=wi.jax.key(key))`` does.

    Notes
    -----
    The call, and not this function, raises errors about the mode, the distribution and the axes, as
    in JAX.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> init = wi.jax.initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=(-2, -1),
    ...                                             in_axis=0)
    >>> w = init(jax.random.key(42), (512, 8, 64))  # 8 heads of 64, each from all 512 inputs
    >>> round(float(w.std()) * 512**0.5, 2)
    1.0
    """
    axes = {
        "in_axis": axes_of(in_axis, "in_axis"),
        "out_axis": axes_of(out_axis, "out_axis"),
        "batch_axis": axes_of(batch_axis, "batch_axis"),
    }
    value = number(scale, "scale")
    arguments = {"scale": value, "mode": mode, "distribution": distribution}

    def of(whole: tuple[int, ...]) -> Bound:
        fans = fans_of(whole, **axes)
        for name, given, known in (
            ("mode", mode, ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")),
            ("distribution", distribution, ("truncated_normal", "normal", "uniform")),
        ):
            if given not in known:
                raise ValueError(
                    f"invalid {name} for variance scaling initializer: {shown(given)} is none of "
                    f"{', '.join(known)}"
                )
        return _scaled(value, mode, distribution, fans)

    return Made("variance_scaling", arguments | axes, dtype, of)


def glorot_uniform(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make Glorot's uniform initialiser, also known as Xavier's: variance 2/(fan_in + fan_out).

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.glorot_uniform()(jax.random.key(42), (300, 300))
    >>> round(float(abs(w).max()), 3)  # sqrt(6/600) = 0.1
    0.1
    """
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make Glorot's normal initialiser, also known as Xavier's: variance 2/(fan_in + fan_out).

    The normal is truncated, as in JAX.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis,
        dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.glorot_normal()(jax.random.key(42), (500, 500))
    >>> round(float(w.std()), 3)  # sqrt(2/1000)
    0.045
    """
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make LeCun's uniform initialiser: variance 1/fan_in.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.lecun_uniform()(jax.random.key(42), (300, 500))
    >>> round(float(abs(w).max()), 3)  # sqrt(3/300) = 0.1
    0.1
    """
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make LeCun's normal initialiser: variance 1/fan_in. The normal is truncated, as in JAX.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis,
        dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.lecun_normal()(jax.random.key(42), (400, 1000))
    >>> round(float(w.std()), 3)  # sqrt(1/400)
    0.05
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make He's uniform initialiser, also known as Kaiming's: variance 2/fan_in.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.he_uniform()(jax.random.key(42), (600, 300))
    >>> round(float(abs(w).max()), 3)  # sqrt(6/600) = 0.1
    0.1
    """
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
) -> Initializer:
    """Make He's normal initialiser, also known as Kaiming's: variance 2/fan_in.

    The normal is truncated, as in JAX.

    Parameters
    ----------
    in_axis, out_axis, batch_axis, dtype
        As in `variance_scaling`.

    Returns
    -------
    callable
        ``variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis,
        dtype)``.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.he_normal()(jax.random.key(42), (800, 1000))
    >>> round(float(w.std()), 3)  # sqrt(2/800)
    0.05
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal


@lru_cache(maxsize=1024)
def _scaled(scale: float, mode: Mode, distribution: Distribution, fans: tuple[int, int]) -> Bound:
    """Return what variance_scaling draws for a weight of those fans."""
    return bound(_variance_scaling, scale=scale, mode=mode, distribution=distribution, fans=fans)
