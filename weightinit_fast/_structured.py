"""Initialisers that place zeros or ones by position: identity, dirac, sparse."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from ._buffers import Target, as_target, whole_shape
from ._fans import Shape, convolution_axes
from ._fill import draw, fill_constant
from ._keys import Key, RNGLike, key, stream_number
from ._numbers import finite, integer, not_negative
from ._parts import BasicIndex
from ._threads import thread_count

__all__ = ["dirac", "eye", "identity", "sparse"]

_WORD_ITEMS = 1 << 21  # of columns looked at in one go: 9 bytes each


def identity(
    shape: Shape | None = None,
    *,
    gain: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Set a matrix to gain on the main diagonal and zero beside it: it passes its input on.

    Parameters
    ----------
    gain : float
        The value on the diagonal.
    shape, dtype, out, index, threads
        As in `normal`; two axes, of any lengths.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError
        If shape has not two axes, or gain is not finite or overflows the dtype.

    Notes
    -----
    Le, Jaitly & Hinton, "A simple way to initialize recurrent networks of rectified linear units",
    2015: recurrent weights that begin as the identity keep a state until something changes it.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.identity((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    gain = finite(gain, "gain")
    _check_axes("identity", shape, dtype, out)
    target = fill_constant(0.0, shape, dtype, out, index, threads, also=gain)
    part = target.whole_part()
    view, (rows, columns) = part.aligned(target.array), part.ranges
    if len(rows) > len(columns):
        view, rows, columns = view.T, columns, rows
    places = [np.arange(len(rows)), *_find(_positions(rows), columns)]
    _set(view, places, target, gain)
    return target.finish(index)


def dirac(
    shape: Shape | None = None,
    *,
    groups: int = 1,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Set a convolution's weight so that it passes its input channels on.

    Parameters
    ----------
    groups : int
        Of a grouped convolution: each passes on its own channels. Divides the O axis.
    layout : str, optional
        What the axes are: O, I and kernel letters, as in `fans`; default ``"OI"`` + kernel.
    shape, dtype, out, index, threads
        As in `normal`; 3 to 5 axes.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError
        If the number of axes, the layout or groups does not fit.

    Notes
    -----
    Zagoruyko & Komodakis, "DiracNets: training very deep neural networks without
    skip-connections", 2017. As ``torch.nn.init.dirac_``: with n = O/groups, element (g·n + d, d) of
    the centre is 1 for d < min(n, I); the centre is k//2 along each kernel axis. (JAX has no dirac;
    its delta_orthogonal has the centre (k - 1)//2, which differs for even k.) The output equals the
    input under the padding that keeps an odd kernel's centre in place.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.dirac((2, 2, 3))
    array([[[0., 1., 0.],
            [0., 0., 0.]],
    <BLANKLINE>
           [[0., 0., 0.],
            [0., 1., 0.]]], dtype=float32)
    """
    whole = whole_shape(shape, dtype, out)
    o_axis, i_axis, kernel = convolution_axes(whole, layout)
    groups = integer(groups, "groups")
    if groups < 1 or whole[o_axis] % groups:
        raise ValueError(f"groups={groups} does not divide axis O of shape {whole!r}")
    target = fill_constant(0.0, shape, dtype, out, index, threads)
    part = target.whole_part()
    centre = [(part.ranges[axis], part.whole[axis] // 2) for axis in kernel]
    if all(at in chosen for chosen, at in centre):
        view = part.aligned(target.array).transpose([*kernel, o_axis, i_axis])
        view = view[tuple(chosen.index(at) for chosen, at in centre)]
        within = _positions(part.ranges[o_axis]) % max(1, whole[o_axis] // groups)
        places = [np.arange(len(within)), *_find(within, part.ranges[i_axis])]
        _set(view, places, target, 1.0)
    return target.finish(index)


def sparse(
    shape: Shape | None = None,
    *,
    sparsity: float,
    std: float = 0.01,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Draw from N(0, std²) and set the same number of elements of each column to zero.

    Parameters
    ----------
    sparsity : float
        In [0, 1]: exactly ceil(sparsity·rows) elements of each column are set to zero; the product
        is a float, as in torch. (float8 rounds more of them to zero, if std is small.)
    std : float
        Of the others, >= 0.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`; two axes. Under index, the zeros of the selected columns are found by all
        their rows' words, which takes 9 bytes a row, of many columns at once up to 18 MiB.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `normal`; if shape has not two axes or sparsity lies outside [0, 1].

    Notes
    -----
    Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5: units with few
    inputs saturate less and differ more. Column c is zero in the rows r with the smallest
    (word 2⁶³ + i, r), i = r·columns + c; the values are those of `normal`.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.sparse((10, 4), sparsity=0.25, rng=0)
    >>> (w == 0).sum(axis=0)
    array([3, 3, 3, 3])
    """
    sparsity, std = finite(sparsity, "sparsity"), not_negative(std, "std")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity must be in [0, 1], not {sparsity!r}")
    _check_axes("sparse", shape, dtype, out)
    target = as_target(shape, dtype, out, index)
    part = target.whole_part()
    rows, columns = part.ranges
    # sparsity·rows rounded to nearest, whatever the host's rounding mode.
    numerator, denominator = sparsity.as_integer_ratio()
    zeros = math.ceil(numerator * part.whole[0] / denominator)
    some = min(len(columns), max(1, _WORD_ITEMS // max(1, part.whole[0])))
    needed = zeros if target.array.size else 0
    scratch = np.empty((2, some, part.whole[0] if needed else 0), np.uint32)
    thread_count(threads, 0)  # the key is drawn here, and so all else is checked before
    threads = None if threads is None else integer(threads, "threads")  # asked for once
    _core.check(_core.NORMAL, target.kind.code, (0.0, std))
    number, shared = stream_number(stream), key(rng)
    draw(*target[:4], _core.NORMAL, (0.0, std), shared, number, threads)
    if needed:
        view = part.aligned(target.array)
        for begin in range(0, len(columns), some):
            chosen = columns[begin : begin + some]
            zero = _zero_rows(part.whole, chosen, zeros, shared, number, scratch, threads)
            place = view[:, begin : begin + some]
            np.copyto(place, view.dtype.type(0), where=zero.T[_slice(rows)])
    return target.finish(index)


def _zero_rows(
    whole: tuple[int, ...],
    columns: range,
    zeros: int,
    rng: Key,
    stream: int,
    scratch: np.ndarray,
    threads: int | None,
) -> np.ndarray:
    """Return, for each of some columns, in which of all rows its smallest (word, row) are."""
    n = len(columns)
    forward = columns if columns.step > 0 else columns[::-1]
    words, order = scratch[:, :n]
    axes = [(whole[0], whole[1], 4), (n, forward.step, 4 * whole[0])]
    first = (1 << 63) + forward.start
    _core.fill(
        words, _core.WORDS, 0, (), rng, stream, first, axes, thread_count(threads, words.size)
    )
    order[...] = words
    order.partition(zeros - 1, axis=1)
    last = order[:, zeros - 1, None]
    zero: np.ndarray = words <= last
    extra = np.count_nonzero(zero, axis=1) - zeros
    for column in np.flatnonzero(extra):  # equal words: the higher rows stay
        ties = np.flatnonzero(words[column] == last[column])
        zero[column, ties[len(ties) - extra[column] :]] = False
    return zero if columns.step > 0 else zero[::-1]


def _check_axes(name: str, shape: Shape | None, dtype: DTypeLike | None, out: Any) -> None:
    whole = whole_shape(shape, dtype, out)
    if len(whole) != 2:
        raise ValueError(f"{name} needs a shape of two axes such as (n, n), not {whole!r}")


def _positions(chosen: range) -> np.ndarray:
    return np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int64)


def _find(wanted: np.ndarray, chosen: range) -> list[np.ndarray]:
    """Return where in a range each wanted position stands, and whether it does."""
    place, rest = np.divmod(wanted - chosen.start, chosen.step)
    return [place, (rest == 0) & (place >= 0) & (place < len(chosen))]


def _set(view: np.ndarray, places: list[np.ndarray], target: Target, value: float) -> None:
    """Set (row, column) to a value where both are there."""
    row, column, there = places
    one = np.empty(1, view.dtype)
    _core.fill(one, _core.CONSTANT, target.kind.code, (value,), None, 0, 0, None, 1)
    view[row[there], column[there]] = one[0]


def _slice(chosen: range) -> slice:
    """Return the slice that selects what a range holds."""
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)


eye = identity
