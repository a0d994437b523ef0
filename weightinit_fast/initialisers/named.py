"""The named rules, each a case of variance_scaling: Xavier (Glorot), He (Kaiming) and LeCun."""

from typing import Any

from numpy.typing import DTypeLike

from .._resolve.fans import Fans, Mode, WeightAxes, check_mode
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments
from .._resolve.numbers import finite
from .._resolve.shape import Shape
from .._resolve.target import resolve
from .gains import Gain
from .gains import gain as gain_of
from .public import initialiser, scaled_by
from .rules import Distribution, ScaledBy, scaled

__all__ = [
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "xavier_normal",
    "xavier_uniform",
]


# The rules ----------------------------------------------------------------------------------------


def _xavier(
    distribution: Distribution,
    gain: Gain,
    layout: str | None,
    groups: int,
    transposed: bool,
    fans: Fans | None,
) -> ScaledBy:
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return "fan_avg", distribution, 1.0, gain_of(gain), 0.0, axes


def _he(
    distribution: Distribution,
    a: float,
    mode: Mode,
    layout: str | None,
    groups: int,
    transposed: bool,
    fans: Fans | None,
) -> ScaledBy:
    if mode != "fan_in":
        mode = check_mode(mode)
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return mode, distribution, 2.0, 1.0, finite(a, "a"), axes


def _lecun(
    distribution: Distribution,
    layout: str | None,
    groups: int,
    transposed: bool,
    fans: Fans | None,
) -> ScaledBy:
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return "fan_in", distribution, 1.0, 1.0, 0.0, axes


# The functions ------------------------------------------------------------------------------------


@initialiser(scaled_by(_xavier, "uniform"))
def xavier_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
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
    """Draw from U[-b, b), b = gain·√6/√(fan_in + fan_out): for linear and tanh units.

    Parameters
    ----------
    gain : float or str
        The factor on the bound, >= 0, or the name of a nonlinearity; see `gain`.
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
        Where `normal` or `fans` raises, and if gain is negative, not finite or unknown.

    Notes
    -----
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, eq. 16 (with gain 1). The variance is 2·gain²/(fan_in + fan_out).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.xavier_uniform((200, 400), rng=0)
    >>> bool(abs(w).max() < 0.1)  # sqrt(6/600)
    True
    >>> w[0, :3]
    array([ 0.09679594,  0.00305091, -0.07080739], dtype=float32)
    """
    if misplaced or unknown:
        refuse_arguments(xavier_uniform, misplaced, unknown)
    rule = _xavier("uniform", gain, layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_xavier, "normal"))
def xavier_normal(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
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
    """Draw from N(0, 2·gain²/(fan_in + fan_out)): for linear and tanh units.

    Parameters
    ----------
    gain : float or str
        The factor on the standard deviation, >= 0, or the name of a nonlinearity; see `gain`.
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
        Where `normal` or `fans` raises, and if gain is negative, not finite or unknown.

    Notes
    -----
    Glorot & Bengio (2010), eq. 12: the compromise between keeping the variance of activations
    (1/fan_in) and of gradients (1/fan_out).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.xavier_normal((2000, 6000), rng=0)
    >>> round(float(w.std()), 4)  # sqrt(2/8000) = 0.0158
    0.0158
    """
    if misplaced or unknown:
        refuse_arguments(xavier_normal, misplaced, unknown)
    rule = _xavier("normal", gain, layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_he, "uniform"))
def he_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from U[-b, b), b = √(6/((1 + a²)·fan)): for ReLU and PReLU units.

    Parameters
    ----------
    a : float
        The slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU as He et al. begin
        with it.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan to use: fan_in keeps the scale of the activations, fan_out that of the gradients.
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
        Where `normal` or `fans` raises, and if a is not finite or the mode is unknown.

    Notes
    -----
    He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10 and 14 (eq. 15 with slope a), as a
    uniform distribution of the same variance 2/((1 + a²)·fan).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.he_uniform((256, 600), rng=0)
    >>> bool(abs(w).max() < 0.1)  # sqrt(6/600)
    True
    """
    if misplaced or unknown:
        refuse_arguments(he_uniform, misplaced, unknown)
    rule = _he("uniform", a, mode, layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_he, "normal"))
def he_normal(
    shape: Shape | None = None,
    *misplaced: object,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from N(0, 2/((1 + a²)·fan)), std = √(2/fan) for ReLU: for ReLU and PReLU units.

    Parameters
    ----------
    a : float
        The slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU as He et al. begin
        with it.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan to use: fan_in keeps the scale of the activations, fan_out that of the gradients.
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
        Where `normal` or `fans` raises, and if a is not finite or the mode is unknown.

    Notes
    -----
    He et al., "Delving deep into rectifiers", ICCV 2015: a ReLU halves the second moment, so that
    ½·fan_in·Var = 1 keeps it (eq. 10), and ½·fan_out·Var = 1 that of the gradient (eq. 14); with
    slope a, ½·(1 + a²)·fan·Var = 1 (eq. 15). The variance is 2/fan_in, the standard deviation
    √(2/fan_in).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.he_normal((64, 3, 7, 7), rng=0, stream="conv1.weight")
    >>> round(float(w.std()), 2)  # sqrt(2/147) = 0.117
    0.12
    """
    if misplaced or unknown:
        refuse_arguments(he_normal, misplaced, unknown)
    rule = _he("normal", a, mode, layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_lecun, "uniform"))
def lecun_uniform(
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
    """Draw from U[-b, b), b = √(3/fan_in): for SELU and for scaled tanh units.

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
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16, as a uniform distribution of
    the same variance 1/fan_in.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.lecun_uniform((256, 300), rng=0)
    >>> bool(abs(w).max() < 0.1)  # sqrt(3/300)
    True
    """
    if misplaced or unknown:
        refuse_arguments(lecun_uniform, misplaced, unknown)
    rule = _lecun("uniform", layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_by(_lecun, "normal"))
def lecun_normal(
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
    """Draw from N(0, 1/fan_in): for SELU and for scaled tanh units.

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
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16: a std of fan_in^(-1/2) keeps a
    sum's variance at 1, where their tanh (1.7159·tanh(2x/3)) is steepest. Klambauer et al. (2017)
    start self-normalising networks (SELU) from the same. JAX and Keras truncate theirs: see
    `variance_scaling`.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.lecun_normal((3000, 1000), rng=0)
    >>> round(float(w.std()), 4)  # sqrt(1/1000) = 0.0316
    0.0316
    """
    if misplaced or unknown:
        refuse_arguments(lecun_normal, misplaced, unknown)
    rule = _lecun("normal", layout, groups, transposed, fans)
    target = resolve(shape, dtype, out, index)
    transform, params = scaled(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


glorot_uniform = xavier_uniform
glorot_normal = xavier_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal
