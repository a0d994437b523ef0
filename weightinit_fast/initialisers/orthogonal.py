"""orthogonal and delta_orthogonal, where every element of a matrix depends on all the others."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .. import _core
from .._resolve.dtypes import DType
from .._resolve.fans import check_convolution_layout, check_letters, convolution_axes
from .._resolve.index import Axis, BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import integer
from .._resolve.shape import Shape
from .._resolve.target import Target, part_of, resolve
from .gains import Gain
from .gains import gain as gain_of
from .law import Law
from .public import initialiser
from .rules import set_zeros

__all__ = ["delta_orthogonal", "orthogonal"]

#: Which axes of a tensor number its matrices, and which are flattened to their rows and columns.
Axes: TypeAlias = tuple[list[int], list[int], list[int]]

#: No element of a matrix of gain 1 is larger: the squares of a row or column add up to the square
#: of the 2-norm at most, which is below 1 + 10⁻⁵ (docs/accuracy.md). The margin is fourfold.
LARGEST_ELEMENT = 1 + 2e-5

# The rules ----------------------------------------------------------------------------------------


class Orthogonal:
    """gain times matrices with orthonormal rows, or with orthonormal columns if they are tall."""

    __slots__ = ("column_axis", "gain", "layout")
    zeroed: bool = False
    by_parts: bool = False

    def __init__(self, gain: float, column_axis: int, layout: str | None) -> None:
        self.gain: float = gain
        self.column_axis: int = column_axis
        self.layout: str | None = layout

    def check(self, target: Target) -> None:
        """Refuse a shape without such axes, a part of a matrix, and a gain that overflows."""
        _refuse_cut("orthogonal", target, self._axes(target.whole))
        _check_gain(target, self.gain)

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Make the matrices, and write them."""
        self.check(target)
        axes = self._axes(target.whole)
        _write(target, axes, {}, self.gain, rng, stream, threads, None)
        return target.finish()

    def _axes(self, whole: tuple[int, ...]) -> Axes:
        """Return which axes are those of the matrices, of their rows and of their columns."""
        count = len(whole)
        if self.layout is not None:
            letters = self.layout
            if len(letters) != count:
                raise ValueError(
                    f"layout {shown(letters)} has {len(letters)} letters for shape {shown(whole)}"
                )
            batch = [k for k in range(count) if letters[k] in "BG"]
            rows = [k for k in range(count) if letters[k] == "O"]
            return batch, rows, [k for k in range(count) if letters[k] not in "BGO"]
        if count < 2:
            raise ValueError(f"orthogonal needs a shape of two axes or more, not {shown(whole)}")
        axis = self.column_axis
        if not -count <= axis < count:
            raise ValueError(
                f"column_axis={shown(axis)} is none of the axes of shape {shown(whole)}"
            )
        axis %= count
        return [], [axis], [k for k in range(count) if k != axis]

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element, which is the same at all positions."""
        _, rows, columns = self._axes(whole)
        std = self.gain / math.sqrt(max(_size(whole, rows), _size(whole, columns)) or 1)
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
        """Refuse a shape that does not fit, a part of a kernel, and a gain that overflows."""
        _refuse_cut("delta_orthogonal", target, self._axes(target.whole)[0])
        _check_gain(target, self.gain)

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Make the matrices, set the zeros, and write the matrices to the centres."""
        self.check(target)
        axes, kernel = self._axes(target.whole)
        centre = {axis: (target.whole[axis] - 1) // 2 for axis in kernel}
        clear = functools.partial(set_zeros, target, threads)
        _write(target, axes, centre, self.gain, rng, stream, threads, clear)
        return target.finish()

    def _axes(self, whole: tuple[int, ...]) -> tuple[Axes, list[int]]:
        """Return which axes are those of the matrices, of rows and of columns, and the kernel's."""
        letters = self.layout
        batch = []
        if letters is not None and len(letters) == len(whole):
            batch = [k for k in range(len(letters)) if letters[k] in "BG"]
        kept = [k for k in range(len(whole)) if k not in batch]
        one = None if letters is None else letters.translate({ord("B"): None, ord("G"): None})
        if letters is not None and not batch:
            one = letters
        o_axis, i_axis, kernel = convolution_axes(tuple(whole[k] for k in kept), one)
        o_axis, i_axis, kernel = kept[o_axis], kept[i_axis], [kept[k] for k in kernel]
        if whole[o_axis] < whole[i_axis]:
            raise ValueError(
                f"delta_orthogonal needs O >= I, but shape {shown(whole)} has "
                f"O={whole[o_axis]} and I={whole[i_axis]}"
            )
        return (batch, [o_axis], [i_axis]), kernel

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element at a random position."""
        (batch, _, columns), _ = self._axes(whole)
        # Each of the I columns has the norm gain, so that the squares add up to I·gain².
        items = math.prod(whole) // (_size(whole, batch) or 1)
        mean_square = _size(whole, columns) / (items or 1)
        std = self.gain * math.sqrt(mean_square)
        return Law("delta_orthogonal", 0.0, std, -self.gain, self.gain)


def _orthogonal(gain: Gain, column_axis: int, layout: str | None) -> Orthogonal:
    column_axis = integer(column_axis, "column_axis")
    if layout is not None:
        check_letters(layout)
        if column_axis:
            raise ValueError("layout= says which axes the rows have: pass no column_axis=")
    return Orthogonal(gain_of(gain), column_axis, layout)


def _delta_orthogonal(gain: Gain, layout: str | None) -> DeltaOrthogonal:
    if isinstance(layout, str):
        check_letters(layout)
        check_convolution_layout(layout.replace("B", "").replace("G", ""))
    else:
        check_convolution_layout(layout)
    return DeltaOrthogonal(gain_of(gain), layout)


# The functions ------------------------------------------------------------------------------------


@initialiser(_orthogonal)
def orthogonal(
    shape: Shape | None = None,
    *misplaced: object,
    gain: Gain = 1.0,
    column_axis: int = 0,
    layout: str | None = None,
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
    layout : str, optional
        What each axis is, in place of column_axis: the axes ``O`` are flattened to the matrix's
        rows, and all others to its columns, except ``B`` and ``G``: along these axes (experts,
        gates) there is one orthogonal matrix at each position.
    shape, dtype, out, rng, stream, threads
        As in `normal`. The shape has two axes or more.
    index
        As in `normal`, but it selects whole matrices, of which only those are made: every element
        of a matrix depends on all the others. Without a layout there is only one.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError, TypeError
        Where `normal` raises, and if the shape has fewer than two axes, column_axis is none of
        them, the layout does not fit, gain is negative, not finite or unknown, or gain times
        1.00002 overflows the dtype, or index cuts a matrix.

    Notes
    -----
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014. The matrix is uniformly distributed among all orthogonal
    matrices of its shape. It is the factor Q of the QR factorisation of a matrix of normals, which
    is transposed first if it is wide. The signs of Q's columns are those for which R's diagonal is
    positive; otherwise the distribution would not be uniform (Mezzadri, "How to generate random
    matrices from the classical compact groups", Notices of the AMS 54, 2007).

    The bits are the same everywhere, since the order of every operation is fixed; no LAPACK is
    used. The computation is in float64 for float64 and in float32 for every other dtype. Beyond
    the output it takes at most 1.2 times the memory of a matrix of that type, and 64 KiB for each
    thread. Where several matrices are made at once, each thread has a matrix of its own.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> w = wi.orthogonal((300, 100), rng=0)
    >>> bool(np.abs(w.T @ w - np.eye(100)).max() < 1e-5)
    True
    >>> gates = wi.orthogonal((4, 64, 64), layout="BOI", rng=0)  # four matrices
    >>> bool(np.abs(gates[2] @ gates[2].T - np.eye(64)).max() < 1e-5)
    True
    """
    if misplaced or unknown:
        refuse_arguments(orthogonal, misplaced, unknown)
    rule = _orthogonal(gain, column_axis, layout)
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
        default is ``"OI"`` followed by kernel axes; JAX stores ``"HWIO"``. Along axes ``B`` and
        ``G`` there is one kernel at each position.
    shape, dtype, out, rng, stream, threads
        As in `orthogonal`. The shape has 3 to 5 axes beside ``B`` and ``G``, and at least as many
        outputs as inputs.
    index
        As in `orthogonal`: it selects whole kernels.

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


# The matrices -------------------------------------------------------------------------------------


def _size(whole: tuple[int, ...], axes: list[int]) -> int:
    return math.prod(whole[axis] for axis in axes)


def _refuse_cut(name: str, target: Target, axes: Axes) -> None:
    """Refuse an index that selects a part of a matrix."""
    if target.part is None or 0 in target.whole:
        return
    for axis, chosen in enumerate(target.part.ranges):
        if axis not in axes[0] and len(chosen) != target.whole[axis]:
            raise ValueError(
                f"index= of {name} takes whole matrices, because every element of a matrix depends "
                f"on all the others, but it cuts axis {axis} of shape {shown(target.whole)}: make "
                "the whole and cut it"
            )


def _check_gain(target: Target, gain: float) -> None:
    """Refuse a gain that overflows the dtype, or with which an element of a matrix could."""
    target.check(_core.CONSTANT, (gain,))
    largest = gain * LARGEST_ELEMENT
    try:
        if math.isinf(largest):
            raise ValueError
        target.check(_core.CONSTANT, (largest,))
    except ValueError:
        raise ValueError(
            f"gain={gain!r} is so near the end of {target.kind.name} that rounding errors could "
            f"take an element of the matrix beyond it; gain times {LARGEST_ELEMENT} must be finite"
        ) from None


def _write(
    target: Target,
    axes: Axes,
    centre: dict[int, int],
    gain: float,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
    clear: Callable[[], None] | None,
) -> None:
    """Write gain times orthogonal matrices into the target, at one position of some axes.

    ``centre`` has that position for each axis that is not in ``axes``. ``clear`` sets all elements
    to zero before.
    """
    if target.array.size == 0:  # no matrix; but the arguments are read as in every other call
        resolve((0,), np.float32, None, None).draw(_core.NORMAL, (0.0, 1.0), rng, stream, threads)
        return
    whole, part = target.whole, part_of(target)
    strides = part.aligned(target.array).strides
    batch, rows, columns = axes
    m, n = _size(whole, rows), _size(whole, columns)
    wide = m < n
    # The engine makes the tall matrix and writes it row after row: the step of an axis is the one
    # through the tall matrix.
    steps = dict(zip(columns, _steps(whole, columns, m if wide else 1), strict=True))
    steps |= dict(zip(rows, _steps(whole, rows, 1 if wide else n), strict=True))
    numbers = dict(zip(batch, _steps(whole, batch, 1), strict=True))
    first = start = 0
    matrix_axes, batch_axes = [], []
    for axis, chosen in enumerate(part.ranges):
        count, step, stride = len(chosen), chosen.step, strides[axis]
        if axis in centre:
            start += chosen.index(centre[axis]) * stride
            continue
        if step < 0:
            chosen, step = chosen[::-1], -step  # noqa: PLW2901
            start += (count - 1) * stride
            stride = -stride
        if axis in numbers:
            first += chosen.start * numbers[axis]
            batch_axes.append((count, step * numbers[axis], stride))
        else:
            matrix_axes.append((count, step * steps[axis], stride))
    _core.orthogonal(
        target.array,
        target.kind.code,
        gain,
        rng,
        stream,
        max(m, n),
        min(m, n),
        wide,
        _merged(batch_axes),
        first,
        _merged(matrix_axes),
        start,
        threads,
        clear,
    )


def _steps(whole: tuple[int, ...], axes: list[int], innermost: int) -> list[int]:
    """Return the step of each of these axes, which are flattened in C order."""
    steps = []
    for axis in reversed(axes):
        steps.append(innermost)
        innermost *= whole[axis]
    return steps[::-1]


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
