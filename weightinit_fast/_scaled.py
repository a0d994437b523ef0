"""Initialisers that read their scale from the shape: Xavier (Glorot) and He (Kaiming).

Both are std = √(2·gain² / ((1 + a²)·fan)): Xavier with a = 0 and fan = fan_in + fan_out, He with
gain 1 and the fan of its mode. The uniform ones have the bound √3·std.
"""

from typing import Any

from numpy.typing import DTypeLike

from . import _core
from ._buffers import BasicIndex
from ._fans import Mode, Shape, as_shape, fan_of, fans
from ._fill import fill
from ._keys import RNGLike
from ._numbers import finite

__all__ = [
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "xavier_normal",
    "xavier_uniform",
]


def _whole_shape(shape: Shape | None, out: Any) -> tuple[int, ...]:
    """Return the shape that fans are read from: the global one, or out's."""
    if shape is not None:
        return as_shape(shape)
    if out is None:
        raise TypeError("shape or out= is needed")
    found = getattr(out, "shape", None)
    return as_shape(memoryview(out).shape if found is None else tuple(found))  # type: ignore[arg-type]


def _xavier(
    scale: float,
    gain: float,
    shape: Shape | None,
    out: Any,
    layout: str | None,
    groups: int,
    transposed: bool,
) -> float:
    gain = finite(gain, "gain")
    if gain < 0:
        raise ValueError(f"gain must not be negative: {gain!r}")
    whole = _whole_shape(shape, out)
    fan_in, fan_out = fans(whole, layout=layout, groups=groups, transposed=transposed)
    # An empty weight may have no fan; it has no element to scale either.
    return _core.deviation(scale, gain, 0.0, fan_in + fan_out or 1)


def _he(
    scale: float,
    a: float,
    mode: Mode,
    shape: Shape | None,
    out: Any,
    layout: str | None,
    groups: int,
    transposed: bool,
) -> float:
    a = finite(a, "a")
    whole = _whole_shape(shape, out)
    fan_in, fan_out = fans(whole, layout=layout, groups=groups, transposed=transposed)
    return _core.deviation(scale, 1.0, a, fan_of(mode, fan_in, fan_out) or 1)


def _within(bound: float) -> tuple[int, tuple[float, float]]:
    """Return the draw from [-bound, bound); a bound of 0 leaves 0."""
    return (_core.UNIFORM, (-bound, bound)) if bound else (_core.CONSTANT, (0.0, 0.0))


def xavier_uniform(
    shape: Shape | None = None,
    *,
    gain: float = 1.0,
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
    """Draw from U[-b, b), b = gain·√6/√(fan_in + fan_out): for linear and tanh units.

    Parameters
    ----------
    gain : float
        Factor on the bound, >= 0; see `gain`.
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
        As `normal` and `fans`; if gain is negative or not finite.

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
    bound = _xavier(6.0, gain, shape, out, layout, groups, transposed)
    transform, params = _within(bound)
    return fill(transform, params, shape, dtype, out, rng, stream, index, threads)


def xavier_normal(
    shape: Shape | None = None,
    *,
    gain: float = 1.0,
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
    """Draw from N(0, 2·gain²/(fan_in + fan_out)): for linear and tanh units.

    Parameters
    ----------
    gain : float
        Factor on the standard deviation, >= 0; see `gain`.
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
        As `normal` and `fans`; if gain is negative or not finite.

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
    std = _xavier(2.0, gain, shape, out, layout, groups, transposed)
    return fill(_core.NORMAL, (0.0, std), shape, dtype, out, rng, stream, index, threads)


def he_uniform(
    shape: Shape | None = None,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from U[-b, b), b = √(6/((1 + a²)·fan)): for ReLU and PReLU units.

    Parameters
    ----------
    a : float
        Slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU as He et al. start it.
    mode : {"fan_in", "fan_out", "fan_avg"}
        Which fan: fan_in keeps the scale of activations, fan_out that of gradients.
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
        As `normal` and `fans`; if a is not finite or the mode unknown.

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
    bound = _he(6.0, a, mode, shape, out, layout, groups, transposed)
    transform, params = _within(bound)
    return fill(transform, params, shape, dtype, out, rng, stream, index, threads)


def he_normal(
    shape: Shape | None = None,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
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
    """Draw from N(0, 2/((1 + a²)·fan)), std = √(2/fan) for ReLU: for ReLU and PReLU units.

    Parameters
    ----------
    a : float
        Slope of the rectifier's negative side: 0 for ReLU, 0.25 for PReLU as He et al. start it.
    mode : {"fan_in", "fan_out", "fan_avg"}
        Which fan: fan_in keeps the scale of activations, fan_out that of gradients.
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
        As `normal` and `fans`; if a is not finite or the mode unknown.

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
    std = _he(2.0, a, mode, shape, out, layout, groups, transposed)
    return fill(_core.NORMAL, (0.0, std), shape, dtype, out, rng, stream, index, threads)


glorot_uniform = xavier_uniform
glorot_normal = xavier_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal
