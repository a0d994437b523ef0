"""orthogonal and delta_orthogonal, where every element of a matrix depends on all the others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from .._resolve.dtypes import DType
from .._resolve.fans import check_convolution_layout, convolution_axes
from .._resolve.index import Axis, BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import integer
from .._resolve.shape import Shape
from .._resolve.target import Target, resolve
from .gains import Gain
from .gains import gain as gain_of
from .law import Law
from .public import initialiser

__all__ = ["delta_orthogonal", "orthogonal"]

# The rules ----------------------------------------------------------------------------------------


class Orthogonal:
    """gain times a matrix with orthonormal rows, or with orthonormal columns if it is tall."""

    __slots__ = ("column_axis", "gain")
    zeroed: bool = False
    by_parts: bool = False

    def __init__(self, gain: float, column_axis: int) -> None:
        self.gain: float = gain
        self.column_axis: int = column_axis

    def check(self, target: Target) -> None:
        """Refuse a part, a shape without such an axis, and a gain that overflows."""
        _refuse_part("orthogonal", target)
        self._axes(target.whole)
        target.check(_core.CONSTANT, (self.gain,))

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Make the matrix, and write its rows along column_axis."""
        self.check(target)
        axis, _, _ = self._axes(target.whole)
        if target.array.size:
            matrix = np.moveaxis(target.array, axis, 0)
            _write(matrix, self.gain, target, rng, stream, threads, clear=False)
        return target.finish()

    def _axes(self, whole: tuple[int, ...]) -> tuple[int, int, int]:
        """Return column_axis, its length, and the product of the other lengths."""
        if len(whole) < 2:
            raise ValueError(f"orthogonal needs a shape of two axes or more, not {shown(whole)}")
        axis = self.column_axis
        if not -len(whole) <= axis < len(whole):
            raise ValueError(
                f"column_axis={shown(axis)} is none of the axes of shape {shown(whole)}"
            )
        axis %= len(whole)
        return axis, whole[axis], math.prod(whole[:axis] + whole[axis + 1 :])

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element, which is the same at all positions."""
        _, rows, columns = self._axes(whole)
        std = self.gain / math.sqrt(max(rows, columns) or 1)
        return Law("orthogonal", 0.0, std, -self.gain, self.gain)


class DeltaOrthogonal:
    """gain times a matrix with orthonormal columns at the centre of a kernel, zero elsewhere."""

    __slots__ = ("gain", "layout")
    zeroed: bool = True
    by_parts: bool = False

    def __init__(self, gain: float, layout: str | None) -> None:
        self.gain: float = gain
        self.layout: str | None = layout

    def check(self, target: Target) -> None:
        """Refuse a part, a shape that does not fit, and a gain that overflows."""
        _refuse_part("delta_orthogonal", target)
        self._axes(target.whole)
        target.check(_core.CONSTANT, (self.gain,))

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Make the matrix, set the zeros, and write the matrix to the centre."""
        self.check(target)
        whole = target.whole
        o_axis, i_axis, kernel = self._axes(whole)
        if target.array.size:
            centre = tuple((whole[axis] - 1) // 2 for axis in kernel)
            matrix = target.array.transpose([*kernel, o_axis, i_axis])[centre]
            _write(matrix, self.gain, target, rng, stream, threads, clear=not target.zeroed)
        return target.finish()

    def _axes(self, whole: tuple[int, ...]) -> tuple[int, int, list[int]]:
        """Return the O axis, the I axis and the kernel axes."""
        o_axis, i_axis, kernel = convolution_axes(whole, self.layout)
        if whole[o_axis] < whole[i_axis]:
            raise ValueError(
                f"delta_orthogonal needs O >= I, but shape {shown(whole)} has "
                f"O={whole[o_axis]} and I={whole[i_axis]}"
            )
        return o_axis, i_axis, kernel

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element at a random position."""
        _, i_axis, _ = self._axes(whole)
        # Each of the I columns has the norm gain, so that the squares add up to I·gain².
        mean_square = whole[i_axis] / (math.prod(whole) or 1)
        std = self.gain * math.sqrt(mean_square)
        return Law("delta_orthogonal", 0.0, std, -self.gain, self.gain)


def _orthogonal(gain: Gain, column_axis: int) -> Orthogonal:
    return Orthogonal(gain_of(gain), integer(column_axis, "column_axis"))


def _delta_orthogonal(gain: Gain, layout: str | None) -> DeltaOrthogonal:
    return DeltaOrthogonal(gain_of(gain), check_convolution_layout(layout))


# The functions ------------------------------------------------------------------------------------


@initialiser(_orthogonal)
def orthogonal(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
    column_axis: int = 0,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw gain times a random orthogonal matrix, which keeps the norm of a signal.

    Parameters
    ----------
    gain : float or str, default 1.0
        The factor on the matrix, >= 0, or the name of a nonlinearity; see `gain`.
    column_axis : int, default 0
        The axis of the matrix's rows; the other axes are flattened to its columns. The matrix of
        shape (shape[column_axis], product of the other lengths) has orthonormal rows, or
        orthonormal columns if it is tall. The default is torch's; JAX's is -1.
    shape, dtype, out, rng, stream, threads
        As in `normal`. The shape has two axes or more.
    index
        Refused, because every element depends on all the others. Make the whole tensor and cut it.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError, TypeError
        Where `normal` raises, and if the shape has fewer than two axes, column_axis is none of
        them, gain is negative, not finite or unknown, or index is given.

    Notes
    -----
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014. The matrix is uniformly distributed among all orthogonal
    matrices of its shape. It is the factor Q of the QR factorisation of a matrix of normals, which
    is transposed first if it is wide. The signs of Q's columns are those for which R's diagonal is
    positive; otherwise the distribution would not be uniform (Mezzadri, "How to generate random
    matrices from the classical compact groups", Notices of the AMS 54, 2007).

    The bits are the same everywhere, since the order of every operation is fixed; no LAPACK is
    used. The computation is in float64 for float64 and in float32 for every other dtype, and takes
    memory for a second matrix of that type.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> w = wi.orthogonal((300, 100), rng=0)
    >>> bool(np.abs(w.T @ w - np.eye(100)).max() < 1e-5)
    True
    """
    if misplaced or unknown:
        refuse_arguments(orthogonal, misplaced, unknown)
    rule = _orthogonal(gain, column_axis)
    return rule.fill(resolve(shape, dtype, out, index), rng, stream, threads)


@initialiser(_delta_orthogonal)
def delta_orthogonal(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
    layout: str | None = None,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw an orthogonal matrix at the centre of a convolution's kernel, with zeros elsewhere.

    Parameters
    ----------
    gain : float or str, default 1.0
        The factor on the matrix, >= 0, or the name of a nonlinearity; see `gain`.
    layout : str, optional
        What each axis is: one O, one I, and other letters for the kernel axes, as in `fans`. The
        default is ``"OI"`` followed by kernel axes; JAX stores ``"HWIO"``.
    shape, dtype, out, rng, stream, threads
        As in `orthogonal`. The shape has 3 to 5 axes, and at least as many outputs as inputs.
    index
        Refused, as in `orthogonal`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError, TypeError
        Where `orthogonal` raises, and if the layout does not fit, or there are fewer outputs than
        inputs.

    Notes
    -----
    Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington, "Dynamical isometry and a mean field
    theory of CNNs", ICML 2018, train networks of 10,000 layers with it. The matrix at the centre is
    what `orthogonal` draws for the shape (O, I), which keeps the norm of a signal. The centre is
    (k - 1)//2 along each kernel axis, as in JAX.

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
    if misplaced or unknown:
        refuse_arguments(delta_orthogonal, misplaced, unknown)
    rule = _delta_orthogonal(gain, layout)
    return rule.fill(resolve(shape, dtype, out, index, zeroed=rule.zeroed), rng, stream, threads)


# The matrix ---------------------------------------------------------------------------------------


def _refuse_part(name: str, target: Target) -> None:
    """Refuse index=, even one that selects the whole, since it may reorder the elements."""
    if target.part is not None:
        raise ValueError(
            f"{name} takes no index=, because every element depends on all the others: make the "
            "whole tensor and cut it"
        )


def _write(
    matrix: np.ndarray,
    gain: float,
    target: Target,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
    clear: bool,
) -> None:
    """Write gain times an orthogonal matrix to a view of the target's array.

    The first axis of the view has the rows, the others have the columns. ``clear`` sets the rest of
    the array to zero.
    """
    rows, *others = matrix.shape
    columns = math.prod(others)
    wide = rows < columns
    # The engine makes the tall matrix and writes it row after row: the step of an axis is the one
    # through the tall matrix.
    step = rows if wide else 1
    axes = [(rows, 1 if wide else columns, matrix.strides[0])]
    for n, stride in zip(reversed(others), reversed(matrix.strides[1:]), strict=True):
        axes.append((n, step, stride))
        step *= n
    _core.orthogonal(
        target.array,
        target.kind.code,
        gain,
        rng,
        stream,
        max(rows, columns),
        min(rows, columns),
        wide,
        _merged(axes),
        _core.address(matrix) - _core.address(target.array),
        threads,
        target.array if clear else None,
    )


def _merged(axes: list[Axis]) -> list[Axis]:
    """Return the axes in the order of their steps, outermost first, merged where they are one."""
    result: list[Axis] = []
    for n, step, stride in sorted(axes, key=lambda axis: -axis[1]):
        if n == 1:
            continue
        if result and result[-1][1:] == (n * step, n * stride):
            result[-1] = (result[-1][0] * n, step, stride)
        else:
            result.append((n, step, stride))
    return result
