"""Initialisers that read their scale from the shape: variance_scaling, and torch's default."""

from typing import Any

from numpy.typing import DTypeLike

from .._resolve.fans import Fans, Mode, WeightAxes, check_mode
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import not_negative
from .._resolve.shape import Shape
from .._resolve.target import resolve
from .public import initialiser, scaled_by
from .rules import DISTRIBUTIONS, Distribution, ScaledBy, scaled

__all__ = ["fan_in_uniform", "variance_scaling"]


# The rules ----------------------------------------------------------------------------------------


def _variance_scaling(
    scale: float,
    mode: Mode,
    distribution: Distribution,
    layout: str | None,
    groups: int,
    transposed: bool,
    fans: Fans | None,
) -> ScaledBy:
    if not isinstance(distribution, str) or distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"distribution must be one of {', '.join(DISTRIBUTIONS)}, not {shown(distribution)}"
        )
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return check_mode(mode), distribution, not_negative(scale, "scale"), 1.0, 0.0, axes


def _fan_in_uniform(
    layout: str | None, groups: int, transposed: bool, fans: Fans | None
) -> ScaledBy:
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return "fan_in", "uniform", 1 / 3, 1.0, 0.0, axes


# The functions ------------------------------------------------------------------------------------


@initialiser(scaled_by(_variance_scaling))
def variance_scaling(
    shape: Shape | None = None,
    *misplaced: object,
    scale: float = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "normal",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw with mean 0 and variance scale/fan: the rule of which Xavier, He and LeCun are cases.

    Parameters
    ----------
    scale : float
        The variance times the fan, >= 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan to use: that of the inputs, that of the outputs, or their arithmetic or geometric
        mean.
    distribution : {"normal", "truncated_normal", "uniform"}
        N(0, std²); or a normal that is truncated at -2 and 2 standard deviations of its parent,
        whose std is larger by 1/0.87962566103423978, so that the variance is scale/fan all the
        same; or U[-b, b) with b = √(3·scale/fan).
    layout, groups, transposed
        What the axes are; see `fans`.
    fans : (int, int), optional
        (fan_in, fan_out), in the place of layout, groups and transposed: for a bias, a flattened
        parameter or a shard, whose shape cannot tell them.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`. The fans are those of the whole shape, also where index is given.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        Where `normal` or `fans` raises, and if scale is negative or not finite, or a name is
        unknown.

    Notes
    -----
    ==============  =========  =========  =================================
    initialiser     scale      mode       source
    ==============  =========  =========  =================================
    ``xavier_*``    gain²      fan_avg    Glorot & Bengio (2010), eq. 12
    ``he_*``        2/(1+a²)   any        He et al. (2015), eq. 10, 14, 15
    ``lecun_*``     1          fan_in     LeCun et al. (1998), eq. 16
    ==============  =========  =========  =================================

    The name is that of Keras and JAX. Their ``*_normal`` of these rules are *truncated* normals; to
    have those, pass their scale and mode here with ``distribution="truncated_normal"``.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.variance_scaling((400, 900), scale=2, distribution="truncated_normal", rng=0)
    >>> round(float(w.std()), 3)  # sqrt(2/900) = 0.0471
    0.047
    >>> bool(abs(w).max() < 2 * 0.0471405 / 0.8796256)
    True
    """
    if misplaced or unknown:
        refuse_arguments(variance_scaling, misplaced, unknown)
    rule = _variance_scaling(scale, mode, distribution, layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_fan_in_uniform))
def fan_in_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from U[-b, b), b = 1/√fan_in, with which torch's Linear and Conv layers begin.

    Parameters
    ----------
    layout, groups, transposed
        What the axes are; see `fans`.
    fans : (int, int), optional
        (fan_in, fan_out), in the place of layout, groups and transposed: for a bias, a flattened
        parameter or a shard, whose shape cannot tell them.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`. The fans are those of the whole shape, also where index is given.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        Where `normal` or `fans` raises.

    Notes
    -----
    torch writes it as ``kaiming_uniform_(a=√5)``, since √(6/((1 + 5)·fan_in)) is this bound. The
    variance, 1/(3·fan_in), is a third of LeCun's and a sixth of He's: LeCun et al. (1998) give
    1/√fan_in for the *standard deviation*. torch draws the bias with the same bound, that of the
    weight's fan_in: ``fan_in_uniform(n, fans=(fan_in, fan_out))``.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.fan_in_uniform((1000, 400), rng=0)
    >>> round(float(abs(w).max()), 5)  # 1/sqrt(400)
    0.05

    The bias of that layer:

    >>> b = wi.fan_in_uniform(1000, fans=(400, 1000), rng=0, stream="bias")
    >>> bool(abs(b).max() < 0.05)
    True
    """
    if misplaced or unknown:
        refuse_arguments(fan_in_uniform, misplaced, unknown)
    rule = _fan_in_uniform(layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)
