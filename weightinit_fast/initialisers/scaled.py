"""variance_scaling, the general rule that reads its scale from the shape; and torch's default."""

from __future__ import annotations

from typing import Any

from .._resolve.dtypes import DType
from .._resolve.fans import Fans, Mode, WeightAxes, check_mode
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import not_negative
from .._resolve.rows import RowIds
from .._resolve.shape import Shape
from .._resolve.target import resolve
from .public import initialiser, scaled_rule
from .rules import DISTRIBUTIONS, Distribution, VarianceRule, scaled_parameters

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
) -> VarianceRule:
    if not isinstance(distribution, str) or distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"distribution must be one of {', '.join(DISTRIBUTIONS)}, not {shown(distribution)}"
        )
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return check_mode(mode), distribution, not_negative(scale, "scale"), 1.0, 0.0, axes


def _fan_in_uniform(
    layout: str | None, groups: int, transposed: bool, fans: Fans | None
) -> VarianceRule:
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return "fan_in", "uniform", 1 / 3, 1.0, 0.0, axes


# The functions ------------------------------------------------------------------------------------


@initialiser(scaled_rule(_variance_scaling))
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
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw with mean 0 and variance scale/fan; Xavier's, He's and LeCun's rules are cases of this.

    Parameters
    ----------
    scale : float, default 1.0
        The variance times the fan, >= 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default "fan_in"
        Which fan to use: fan_in, fan_out, or their arithmetic or geometric mean.
    distribution : {"normal", "truncated_normal", "uniform"}, default "normal"
        The distribution, whose variance is scale/fan in all three cases: N(0, scale/fan); or a
        normal that is truncated at -2 and 2 standard deviations of its parent, whose standard
        deviation is √(scale/fan)/0.87962566103423978; or U[-b, b) with b = √(3·scale/fan).
    layout, groups, transposed
        What the axes of the weight are, as in `fans`.
    fans : (int, int), optional
        (fan_in, fan_out), instead of layout, groups and transposed: for a bias, a flattened
        parameter or a shard, from whose shape the fans cannot be read.
    shape, dtype, out, rng, stream, index, rows, threads
        As in `normal`. The fans are those of the whole shape, even if index or rows is given.

    Returns
    -------
    ndarray, or out
        As in `normal`.

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

    Keras and JAX have this function under the same name. Their ``*_normal`` functions of the rules
    in the table draw *truncated* normals. To draw those, pass the scale and the mode of the rule
    here, with ``distribution="truncated_normal"``.

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_fan_in_uniform))
def fan_in_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from U[-b, b) with b = 1/√fan_in, as torch's Linear and Conv layers do by default.

    Parameters
    ----------
    layout, groups, transposed
        What the axes of the weight are, as in `fans`.
    fans : (int, int), optional
        (fan_in, fan_out), instead of layout, groups and transposed: for a bias, a flattened
        parameter or a shard, from whose shape the fans cannot be read.
    shape, dtype, out, rng, stream, index, rows, threads
        As in `normal`. The fans are those of the whole shape, even if index or rows is given.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError, TypeError
        Where `normal` or `fans` raises.

    Notes
    -----
    torch writes it as ``kaiming_uniform_(a=√5)``, whose bound √(6/((1 + 5)·fan_in)) is the same.
    The variance, 1/(3·fan_in), is a third of LeCun's and a sixth of He's: in LeCun et al. (1998),
    1/√fan_in is the *standard deviation*. torch draws the bias with the same bound, from the fan_in
    of the weight: ``fan_in_uniform(n, fans=(fan_in, fan_out))``.

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)
