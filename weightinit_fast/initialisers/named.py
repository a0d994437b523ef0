"""The rules of Xavier (Glorot), He (Kaiming) and LeCun, which are cases of variance_scaling."""

from __future__ import annotations

from typing import Any

from .._resolve.dtypes import DType
from .._resolve.fans import Fans, Mode, WeightAxes, check_mode
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments
from .._resolve.numbers import finite
from .._resolve.rows import RowIds
from .._resolve.shape import Shape
from .._resolve.target import resolve
from .gains import Gain
from .gains import gain as gain_of
from .public import initialiser, register_aliases, scaled_rule
from .rules import Distribution, VarianceRule, scaled_parameters

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
) -> VarianceRule:
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
) -> VarianceRule:
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
) -> VarianceRule:
    axes = WeightAxes.read(layout, groups, transposed, fans)
    return "fan_in", distribution, 1.0, 1.0, 0.0, axes


# The functions ------------------------------------------------------------------------------------


@initialiser(scaled_rule(_xavier, "uniform"))
def xavier_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
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
    """Draw from U[-b, b) with b = gain·√(6/(fan_in + fan_out)), for linear and tanh units.

    Parameters
    ----------
    gain : float or str, default 1.0
        The factor on the bound, >= 0, or the name of a nonlinearity; see `gain`.
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
        Where `normal` or `fans` raises, and if gain is negative, not finite or unknown.

    Notes
    -----
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, eq. 16, where gain is 1. The variance is 2·gain²/(fan_in + fan_out).

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_xavier, "normal"))
def xavier_normal(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
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
    """Draw from N(0, 2·gain²/(fan_in + fan_out)), for linear and tanh units.

    Parameters
    ----------
    gain : float or str, default 1.0
        The factor on the standard deviation, >= 0, or the name of a nonlinearity; see `gain`.
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
        Where `normal` or `fans` raises, and if gain is negative, not finite or unknown.

    Notes
    -----
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, eq. 12: a compromise between 1/fan_in, which keeps the variance of the
    activations, and 1/fan_out, which keeps that of the gradients.

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_he, "uniform"))
def he_uniform(
    shape: Shape | None = None,
    *misplaced: object,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from U[-b, b) with b = √(6/((1 + a²)·fan)), for ReLU and PReLU units.

    Parameters
    ----------
    a : float, default 0.0
        The slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU, with which He et al.
        start it.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default "fan_in"
        Which fan to use: fan_in keeps the scale of the activations, and fan_out that of the
        gradients; the other two are the arithmetic and the geometric mean of both.
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
        Where `normal` or `fans` raises, and if a is not finite or the mode is unknown.

    Notes
    -----
    He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10 and 14, and eq. 15 for the slope a.
    The paper uses a normal distribution; this uniform one has the same variance, 2/((1 + a²)·fan).

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_he, "normal"))
def he_normal(
    shape: Shape | None = None,
    *misplaced: object,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from N(0, 2/((1 + a²)·fan)), for ReLU and PReLU units.

    Parameters
    ----------
    a : float, default 0.0
        The slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU, with which He et al.
        start it.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default "fan_in"
        Which fan to use: fan_in keeps the scale of the activations, and fan_out that of the
        gradients; the other two are the arithmetic and the geometric mean of both.
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
        Where `normal` or `fans` raises, and if a is not finite or the mode is unknown.

    Notes
    -----
    He et al., "Delving deep into rectifiers", ICCV 2015. A ReLU halves the mean square of a signal.
    The weights make up for that if ½·fan_in·Var = 1 (eq. 10), and for the gradient if
    ½·fan_out·Var = 1 (eq. 14). With slope a the condition is ½·(1 + a²)·fan·Var = 1 (eq. 15). For
    ReLU and fan_in, the *variance* is 2/fan_in and the *standard deviation* is √(2/fan_in).

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_lecun, "uniform"))
def lecun_uniform(
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
    """Draw from U[-b, b) with b = √(3/fan_in), for SELU and for scaled tanh units.

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
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16. The variance is 1/fan_in.

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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


@initialiser(scaled_rule(_lecun, "normal"))
def lecun_normal(
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
    """Draw from N(0, 1/fan_in), for SELU and for scaled tanh units.

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
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16: with a standard deviation of
    fan_in^(-1/2) the sums that a unit computes have variance 1, and the scaled tanh of that paper,
    1.7159·tanh(2x/3), roughly keeps it. Klambauer et al., "Self-normalizing neural networks", 2017,
    start networks of SELU units in the same way. JAX's and Keras's lecun_normal is truncated; see
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
    target = resolve(shape, dtype, out, index, rows)
    transform, params = scaled_parameters(target.whole, rule)
    return target.draw(transform, params, rng, stream, threads)


glorot_uniform = xavier_uniform
glorot_normal = xavier_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal
register_aliases(
    glorot_uniform=glorot_uniform,
    glorot_normal=glorot_normal,
    kaiming_uniform=kaiming_uniform,
    kaiming_normal=kaiming_normal,
)
