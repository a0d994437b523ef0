"""Initialisers whose distribution does not depend on the shape: constants, uniform and normal."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._resolve.dtypes import DType
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments
from .._resolve.numbers import finite, not_negative, real
from .._resolve.rows import RowIds
from .._resolve.shape import Shape
from .._resolve.target import resolve
from .public import draw_rule, initialiser
from .rules import Constant, Parameters

__all__ = ["constant", "normal", "ones", "truncated_normal", "uniform", "zeros"]


# The rules ----------------------------------------------------------------------------------------

# Each function checks an initialiser's own parameters. Those that draw return a transform of the
# engine and its parameters, and no rule object: to make an object for every call would take a
# quarter of the time of a small fill.

# Looked up once, since a small fill takes about as long as its call.
_UNIFORM, _NORMAL, _TRUNCATED = _core.UNIFORM, _core.NORMAL, _core.TRUNCATED
_ZERO, _ONE = _core.keep_forever(Constant(0.0)), _core.keep_forever(Constant(1.0))


def _constant(value: float) -> Constant:
    return Constant(real(value, "value"))


def _uniform(low: float, high: float) -> Parameters:
    low, high = finite(low, "low"), finite(high, "high")
    if low < high:
        return _UNIFORM, (low, high)
    if low == high:  # a normal of std 0 gives its mean
        return _NORMAL, (low, 0.0)
    raise ValueError(f"low must not be above high: low={low!r}, high={high!r}")


def _normal(mean: float, std: float) -> Parameters:
    return _NORMAL, (finite(mean, "mean"), not_negative(std, "std"))


def _truncated_normal(mean: float, std: float, lower: float, upper: float) -> Parameters:
    mean, std = finite(mean, "mean"), not_negative(std, "std")
    lower, upper = real(lower, "lower"), real(upper, "upper")
    if not lower < upper:
        raise ValueError(f"lower must be below upper: lower={lower!r}, upper={upper!r}")
    if std == 0:
        return _NORMAL, (mean, 0.0)
    return _TRUNCATED, (mean, std, lower, upper)


# The functions ------------------------------------------------------------------------------------


@initialiser(_constant)
def constant(
    shape: Shape | None = None,
    *misplaced: object,
    value: float,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Set every element to one value.

    Parameters
    ----------
    value : float
        The value, which is rounded once to the dtype. It has no default. It may be infinite or NaN
        if the dtype has such values.
    shape, dtype, out, index, rows, threads
        As in `normal`.
    rng, stream
        Not used. They are accepted so that initialisers are interchangeable, and a Generator does
        not advance.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError
        If a finite value overflows the dtype; and where `normal` raises.
    TypeError, MemoryError
        Where `normal` raises.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.constant((2, 2), value=0.1)
    array([[0.1, 0.1],
           [0.1, 0.1]], dtype=float32)
    """
    if misplaced or unknown:
        refuse_arguments(constant, misplaced, unknown)
    rule = _constant(value)
    return rule.fill(resolve(shape, dtype, out, index, rows, rule.zeroed), rng, stream, threads)


@initialiser(lambda: _ZERO)
def zeros(
    shape: Shape | None = None,
    *misplaced: object,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Set every element to zero, which suits biases and not weights.

    With zero weights, every unit of a layer computes the same value, receives the same gradient and
    takes the same step. The units stay equal, and the layer never learns more than one unit could
    (Goodfellow, Bengio & Courville, "Deep Learning", 2016, section 8.4).

    Parameters
    ----------
    shape, dtype, out, index, rows, threads
        As in `normal`. A new array is one of ``numpy.zeros``, whose pages the operating system
        makes when they are first touched.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Examples
    --------
    Two hidden units that begin with zero weights get the same gradient, whatever the data:

    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> w1, w2 = wi.zeros((2, 3)), wi.zeros((1, 2))
    >>> x = wi.normal((5, 3), rng=0, stream="x")
    >>> hidden = np.tanh(x @ w1.T)
    >>> error = hidden @ w2.T - 1
    >>> grad_w1 = ((error @ w2) * (1 - hidden**2)).T @ x
    >>> bool((grad_w1[0] == grad_w1[1]).all())
    True
    """
    if misplaced or unknown:
        refuse_arguments(zeros, misplaced, unknown)
    return _ZERO.fill(resolve(shape, dtype, out, index, rows, zeroed=True), rng, stream, threads)


@initialiser(lambda: _ONE)
def ones(
    shape: Shape | None = None,
    *misplaced: object,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Set every element to one, which suits the scale of a normalisation layer.

    Parameters
    ----------
    shape, dtype, out, index, rows, threads
        As in `normal`.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.ones(3)
    array([1., 1., 1.], dtype=float32)
    """
    if misplaced or unknown:
        refuse_arguments(ones, misplaced, unknown)
    return _ONE.fill(resolve(shape, dtype, out, index, rows), rng, stream, threads)


@initialiser(draw_rule("uniform", _uniform))
def uniform(
    shape: Shape | None = None,
    *misplaced: object,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from the uniform distribution on [low, high).

    Parameters
    ----------
    low, high : float, default 0.0 and 1.0
        The bounds, finite, low <= high. ``low <= y < high`` holds for every element y, in its own
        dtype and in float64. If both bounds are equal, every element is that value.
    shape, dtype, out, rng, stream, index, rows, threads
        As in `normal`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError
        If low > high, a bound is not finite or overflows the dtype, or no value of the dtype lies
        in [low, high); and where `normal` raises.
    TypeError, MemoryError
        Where `normal` raises.

    Notes
    -----
    Element i is h·s + c, rounded once and clamped into [low, high), where s is the stream's word i
    as a signed fraction in [-1, 1], c is the interval's centre and h its half width. The variance
    is (high - low)²/12.

    In an interval [0, 2ᵏ) this rounding favours one value of the last bit of a float32: about three
    in four of the elements in the upper quarter have an even last bit. The mean, the variance and
    histograms are not affected.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.uniform(3, low=-1, high=1, rng=0)
    array([ 0.96795934,  0.03050912, -0.7080739 ], dtype=float32)
    """
    if misplaced or unknown:
        refuse_arguments(uniform, misplaced, unknown)
    transform, params = _uniform(low, high)
    return resolve(shape, dtype, out, index, rows).draw(transform, params, rng, stream, threads)


@initialiser(draw_rule("normal", _normal))
def normal(
    shape: Shape | None = None,
    *misplaced: object,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from the normal distribution N(mean, std²).

    Under ReLU, each layer multiplies the scale of a signal by about std·√(fan_in/2). If this factor
    is not near 1, the signal of a deep network vanishes or explodes (He et al. 2015, section 2.2).
    `he_normal` and `xavier_normal` choose the std that keeps the scale.

    Parameters
    ----------
    shape : int or sequence of int, optional
        The shape of the whole tensor. The default is the shape of out.
    mean, std : float, default 0.0 and 1.0
        The mean and the standard deviation, finite, std >= 0. Each is rounded once: to float64 if
        the dtype is float64, to float32 for the other dtypes. A std of 0 gives the mean.
    dtype : {float32, float64, float16, bfloat16, float8_e4m3fn, float8_e5m2}, optional
        The type of the elements. The default is that of out, or float32. The last three are given
        by name, or as the types of the package ml_dtypes; the others may have either byte order.
        torch's dtypes are accepted too. Narrow types get the float32 values, rounded once to
        nearest even. float8_e4m3fn saturates at ±448; the other types overflow to infinity.
    out : ndarray or writable buffer, optional
        The memory to fill, in any memory order, with any strides and alignment. An object that
        supports the buffer protocol or CPU DLPack is filled without a copy. An integer or void
        array takes the bits of a bfloat16 or float8 of the same width if dtype names that type.
        Read-only memory, overlapping memory and other dtypes are refused. autograd does not notice
        that a torch tensor is filled; ``torch.autograd.graph.increment_version`` tells it.
    rng : None, int, sequence of int, SeedSequence, BitGenerator, Generator, RandomState or Key
        What to draw from; see `key`. A torch.Generator is accepted too. One int and one stream
        always give the same values: name the streams, or pass a Generator, which advances. The
        default is fresh entropy.
    stream : int in [0, 2**64) or str, default 0
        The number or the name of the tensor: which of the key's streams to draw.
    index : basic index, optional
        Return only this part of the tensor, ``f(shape)[index]``, and draw nothing else. A basic
        index consists of ints, slices, Ellipsis and newaxis. If out is given, the part is written
        there.
    rows : 1-D array or sequence of int, optional
        Return only the rows of these ids, ``f(shape)[rows]``, and draw nothing else. The ids count
        positions of axis 0, in any order, and may repeat. They may lie beyond the shape, in a table
        that grows, up to 2**63 - 1 or the end of the stream. They are copied first. If out is
        given, the rows are written there. index and rows exclude each other.
    threads : int, optional
        The greatest number of threads to use. The default is the smallest of
        ``WEIGHTINIT_FAST_NUM_THREADS`` (or ``OMP_NUM_THREADS``), the limit of threadpoolctl, the
        CPU affinity and the cgroup quota; in a daemonic process of multiprocessing it is one. Small
        fills use one thread. The number never changes a value.

    Returns
    -------
    ndarray, or out
        A new C-order array, or out itself. If index selects a single element of a new array, a
        scalar, as in NumPy's indexing.

    Raises
    ------
    ValueError
        If a parameter is not finite or overflows the dtype, std is negative, or shapes, streams or
        buffers do not fit.
    TypeError
        If an argument has a wrong type.
    MemoryError
        If there is not enough memory for a new array.

    Notes
    -----
    The Box-Muller transform (Box & Muller, Ann. Math. Statist. 29, 1958) turns words i and i + 16
    of each group of 32 into elements i and i + 16; in float64 it is double words i and i + 8 of
    each group of 16. The values depend on the key, the stream and the position alone, and not on
    threads, processor, memory layout or the other elements that are drawn. They reach 7.4 std in
    float32 and 9.4 std in float64. A fill that is interrupted (Ctrl-C) leaves out partly written.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> wi.normal((2, 3), rng=0, stream="layer.weight")
    array([[ 0.37555265,  0.31170657, -0.03272177],
           [ 0.6277488 ,  0.20066442,  2.129224  ]], dtype=float32)

    A part of a table that would not fit into memory:

    >>> wi.normal((10**9, 64), std=0.02, rng=0, index=np.s_[123_456_789, :3])
    array([0.01360745, 0.01673893, 0.00448056], dtype=float32)

    Rows of that table, by their ids:

    >>> wi.normal((10**9, 64), std=0.02, rng=0, rows=[123_456_789, 7, 7])[:, :3]
    array([[ 0.01360745,  0.01673893,  0.00448056],
           [ 0.01543978, -0.01870927,  0.03073188],
           [ 0.01543978, -0.01870927,  0.03073188]], dtype=float32)

    A Generator advances:

    >>> rng = np.random.default_rng(0)
    >>> bool((wi.normal(4, rng=rng) == wi.normal(4, rng=rng)).any())
    False
    """
    if misplaced or unknown:
        refuse_arguments(normal, misplaced, unknown)
    transform, params = _normal(mean, std)
    return resolve(shape, dtype, out, index, rows).draw(transform, params, rng, stream, threads)


@initialiser(draw_rule("truncated_normal", _truncated_normal))
def truncated_normal(
    shape: Shape | None = None,
    *misplaced: object,
    mean: float = 0.0,
    std: float = 1.0,
    lower: float = -2.0,
    upper: float = 2.0,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from N(mean, std²) restricted to mean + std·lower < y < mean + std·upper.

    Parameters
    ----------
    mean, std : float, default 0.0 and 1.0
        The parameters of the *parent* normal, as in `normal`. The values that are drawn have a
        smaller standard deviation, 0.87963·std with the default bounds; `variance_scaling` corrects
        for that.
    lower, upper : float, default -2.0 and 2.0
        The bounds in units of std, lower < upper. They may be infinite.
        (``torch.nn.init.trunc_normal_`` takes absolute bounds, ±2 by default.)
    shape, dtype, out, rng, stream, index, rows, threads
        As in `normal`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError
        If lower >= upper, or one of them is NaN; if the whole interval lies beyond ±8 (±37 in
        float64), where a normal is never drawn; if no value of the dtype lies inside; and where
        `normal` raises.
    TypeError, MemoryError
        Where `normal` raises.

    Notes
    -----
    Element i is mean + std·z with z = Φ⁻¹(Φ(lower) + p·(Φ(upper) - Φ(lower))), where p is (word i +
    ½)/2³² (in float64, (double word i + ½)/2⁶⁴). This inversion takes one word for each element and
    rejects none, whatever the bounds. Probabilities are counted from the nearer tail, so that far
    intervals keep their digits. No element lies on a bound or beyond it, in its own dtype and in
    float64.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.truncated_normal(4, std=0.02, rng=0)
    array([-0.00076678, -0.03565571,  0.00713293,  0.00531903], dtype=float32)
    >>> bool(wi.truncated_normal(10**6, lower=3, upper=4, rng=0).min() > 3)
    True
    """
    if misplaced or unknown:
        refuse_arguments(truncated_normal, misplaced, unknown)
    transform, params = _truncated_normal(mean, std, lower, upper)
    return resolve(shape, dtype, out, index, rows).draw(transform, params, rng, stream, threads)
