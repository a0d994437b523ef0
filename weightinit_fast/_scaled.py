"""Initialisers that read their scale from the shape: variance_scaling, and torch's default."""

from typing import Any, Literal, TypeAlias

from numpy.typing import DTypeLike

from . import _core
from ._buffers import whole_shape
from ._fans import Mode, Shape, fan_of, fans_of
from ._fill import fill, truncated
from ._keys import RNGLike
from ._numbers import not_negative
from ._parts import BasicIndex

__all__ = ["Distribution", "Rule", "fan_in_uniform", "scaled", "variance_scaling"]

Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]

# A rule for the variance, gain²·scale / ((1 + slope²)·fan): mode, distribution, scale, gain, slope.
Rule: TypeAlias = tuple[Mode, Distribution, float, float, float]


def scaled(
    rule: Rule,
    layout: str | None,
    groups: int,
    transposed: bool,
    shape: Shape | None,
    dtype: DTypeLike | None,
    out: Any,
    rng: RNGLike,
    stream: int | str,
    index: BasicIndex,
    threads: int | None,
) -> Any:
    """Draw by a rule, with the fans of the global shape: the way of every scaled initialiser."""
    whole = whole_shape(shape, dtype, out)
    fan_in, fan_out = fans_of(whole, layout, groups, transposed)
    mode, distribution, scale, gain, slope = rule
    # An empty weight may have no fan; it has no element to scale either.
    fan = fan_of(mode, fan_in, fan_out) or 1
    if distribution == "uniform":
        bound = _core.spread(_core.UNIFORM, scale, gain, slope, fan)
        # A bound of 0 leaves 0, which an empty interval would not.
        transform = _core.UNIFORM if bound else _core.NORMAL
        params: tuple[float, ...] = (-bound, bound) if bound else (0.0, 0.0)
    elif distribution == "normal":
        std = _core.spread(_core.NORMAL, scale, gain, slope, fan)
        transform, params = _core.NORMAL, (0.0, std)
    elif distribution == "truncated_normal":
        std = _core.spread(_core.TRUNCATED, scale, gain, slope, fan)
        transform, params = truncated(0.0, std, -2.0, 2.0)
    else:
        raise ValueError(
            f"distribution must be normal, truncated_normal or uniform, not {distribution!r}"
        )
    return fill(transform, params, shape, dtype, out, rng, stream, index, threads)


def variance_scaling(
    shape: Shape | None = None,
    *,
    scale: float = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "normal",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Draw with mean 0 and variance scale/fan: what Xavier, He and LeCun are cases of.

    Parameters
    ----------
    scale : float
        The variance times the fan, >= 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan: of the inputs, the outputs, their arithmetic or their geometric mean.
    distribution : {"normal", "truncated_normal", "uniform"}
        N(0, std²); the normal between -2 and 2 deviations of a parent whose std is larger by
        1/0.87962566103423978, so that the variance is scale/fan all the same; or U[-b, b) with
        b = √(3·scale/fan).
    layout, groups, transposed
        What the axes are; see `fans`.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`. The fans are those of the whole shape, also under index.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `normal` and `fans`; if scale is negative or not finite, or a name unknown.

    Notes
    -----
    ==============  =========  =========  =================================
    initialiser     scale      mode       source
    ==============  =========  =========  =================================
    ``xavier_*``    gain²      fan_avg    Glorot & Bengio (2010), eq. 12
    ``he_*``        2/(1+a²)   any        He et al. (2015), eq. 10, 14, 15
    ``lecun_*``     1          fan_in     LeCun et al. (1998), eq. 16
    ==============  =========  =========  =================================

    The name is that of Keras and JAX, whose ``*_normal`` of these rules are *truncated* normals:
    to have those, pass their scale and mode here with ``distribution="truncated_normal"``.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.variance_scaling((400, 900), scale=2, distribution="truncated_normal", rng=0)
    >>> round(float(w.std()), 3)  # sqrt(2/900) = 0.0471
    0.047
    >>> bool(abs(w).max() < 2 * 0.0471405 / 0.8796256)
    True
    """
    rule = (mode, distribution, not_negative(scale, "scale"), 1.0, 0.0)
    return scaled(rule, layout, groups, transposed, shape, dtype, out, rng, stream, index, threads)


def fan_in_uniform(
    shape: Shape | None = None,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Draw from U[-b, b), b = 1/√fan_in: what torch's Linear and Conv layers begin with.

    Parameters
    ----------
    layout, groups, transposed
        What the axes are; see `fans`.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`. The fans are those of the whole shape, also under index.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `normal` and `fans`.

    Notes
    -----
    torch writes it as ``kaiming_uniform_(a=√5)``, since √(6/((1 + 5)·fan_in)) is this bound. The
    variance, 1/(3·fan_in), is a third of LeCun's and a sixth of He's: LeCun et al. (1998) give
    1/√fan_in for the *deviation*. torch draws the bias with the same bound, that of the weight's
    fan_in: ``uniform(n, low=-b, high=b)``.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.fan_in_uniform((1000, 400), rng=0)
    >>> round(float(abs(w).max()), 5)  # 1/sqrt(400)
    0.05
    """
    rule: Rule = ("fan_in", "uniform", 1 / 3, 1.0, 0.0)
    return scaled(rule, layout, groups, transposed, shape, dtype, out, rng, stream, index, threads)
