"""Initialisers whose elements hang together: orthogonal matrices, alone or in a convolution."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from ._buffers import Target, as_target
from ._fans import Gain, Shape, convolution_axes
from ._fans import gain as gain_of
from ._fill import fill
from ._keys import RNGLike
from ._numbers import integer
from ._parts import BasicIndex

__all__ = ["delta_orthogonal", "orthogonal"]


def orthogonal(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    column_axis: int = 0,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Draw an orthogonal matrix, uniformly among all, times gain: linear units keep their scale.

    Parameters
    ----------
    gain : float or str
        Factor on the matrix, >= 0, or a nonlinearity's name; see `gain`.
    column_axis : int
        The axis that stays; the others are flattened to one. The matrix of shape
        (shape[column_axis], rest) has orthonormal rows, or columns where it is tall. The default is
        torch's; JAX's is -1.
    shape, dtype, out, rng, stream, threads
        As in `normal`; two axes or more. `threads` is for the normals: the factorisation runs on
        as many as NumPy's LAPACK takes.
    index
        Refused: every element hangs on all the others. Cut the whole instead.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `normal`; if shape has fewer than two axes, column_axis is none of them, or index is
        given.

    Notes
    -----
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014. The QR factorisation of normals of that shape (transposed
    where wide), with the signs that make R's diagonal positive: without them the matrix would not
    be uniform (Mezzadri, "How to generate random matrices from the classical compact groups",
    Notices of the AMS 54, 2007).

    The normals are the same everywhere. The factorisation is NumPy's: its last bits depend on the
    LAPACK that NumPy was built with, on the processor and on its threads, and are not promised.
    float64 is factorised in float64, every other dtype in float32.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> w = wi.orthogonal((300, 100), rng=0)
    >>> bool(np.abs(w.T @ w - np.eye(100)).max() < 1e-5)
    True
    """
    gain = gain_of(gain)
    _refuse_index(index, "orthogonal")
    target = as_target(shape, dtype, out, None)
    whole = target.array.shape
    if len(whole) < 2:
        raise ValueError(f"orthogonal needs a shape of two axes or more, not {whole!r}")
    axis = integer(column_axis, "column_axis")
    if not -len(whole) <= axis < len(whole):
        raise ValueError(f"column_axis={axis} is no axis of shape {whole!r}")
    axis %= len(whole)
    rest = whole[:axis] + whole[axis + 1 :]
    matrix = _matrix((whole[axis], math.prod(rest)), gain, target, rng, stream, threads)
    view = np.moveaxis(target.array, axis, 0)
    view[...] = _stored(matrix, target).reshape(view.shape)
    return target.finish(None)


def delta_orthogonal(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> Any:
    """Draw an orthogonal matrix into the centre of a convolution's kernel, zeros around it.

    Parameters
    ----------
    gain : float or str
        Factor on the matrix, >= 0, or a nonlinearity's name; see `gain`.
    layout : str, optional
        What the axes are: O, I and kernel letters, as in `fans`; default ``"OI"`` + kernel. JAX's
        is ``"HWIO"`` and its like.
    shape, dtype, out, rng, stream, threads
        As in `orthogonal`; 3 to 5 axes, and no fewer outputs than inputs.
    index
        Refused, as in `orthogonal`.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `orthogonal`; if the layout does not fit, or O < I.

    Notes
    -----
    Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington, "Dynamical isometry and a mean field
    theory of CNNs", ICML 2018: with it, networks of 10,000 layers train. The (O, I) matrix is that
    of `orthogonal`, so that the norm of a signal is kept; the centre is (k - 1)//2 along each
    kernel axis, as in JAX.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> w = wi.delta_orthogonal((8, 4, 3, 3), rng=0)
    >>> bool(np.abs(w[:, :, 1, 1].T @ w[:, :, 1, 1] - np.eye(4)).max() < 1e-5)
    True
    >>> int(np.count_nonzero(w))
    32
    """
    gain = gain_of(gain)
    _refuse_index(index, "delta_orthogonal")
    target = as_target(shape, dtype, out, None)
    whole = target.array.shape
    o_axis, i_axis, kernel = convolution_axes(whole, layout)
    if whole[o_axis] < whole[i_axis]:
        raise ValueError(f"delta_orthogonal needs O >= I: shape {whole!r}")
    matrix = _matrix((whole[o_axis], whole[i_axis]), gain, target, rng, stream, threads)
    stored = _stored(matrix, target)  # whatever may fail fails before this writes
    target.array.fill(0)
    if target.array.size:
        centre = tuple((whole[axis] - 1) // 2 for axis in kernel)
        target.array.transpose([*kernel, o_axis, i_axis])[centre] = stored
    return target.finish(None)


def _refuse_index(index: BasicIndex, name: str) -> None:
    if index is not None:
        raise ValueError(f"index={index!r}: {name} couples all elements; make the whole and cut it")


def _matrix(
    shape: tuple[int, int],
    gain: float,
    target: Target,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> np.ndarray:
    """Return gain times an orthogonal matrix in the precision of the target's family."""
    _core.check(_core.CONSTANT, target.kind.code, (gain,))
    family = np.dtype(np.float64 if target.array.itemsize == 8 else np.float32)
    normals: np.ndarray = fill(
        _core.NORMAL, (0.0, 1.0), shape, family, None, rng, stream, None, threads
    )
    if normals.size == 0:
        return normals
    wide = shape[0] < shape[1]
    q, r = np.linalg.qr(normals.T if wide else normals)
    q *= np.where(np.diagonal(r) < 0, -gain, gain).astype(family)
    matrix: np.ndarray = q.T if wide else q
    return matrix


def _stored(matrix: np.ndarray, target: Target) -> np.ndarray:
    """Return a matrix as the target stores it, rounded once."""
    if target.array.itemsize >= 4:
        return matrix
    bits = np.empty(matrix.shape, target.array.dtype)
    _core.narrow(np.ascontiguousarray(matrix), bits, target.kind.code)
    return bits
