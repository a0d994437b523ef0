"""identity and dirac, which are zero except at certain positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from .._resolve.dtypes import DType
from .._resolve.fans import check_convolution_layout, check_groups, convolution_axes
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import finite
from .._resolve.shape import Shape
from .._resolve.target import Target, part_of, resolve
from .law import Law
from .public import initialiser, register_aliases
from .rules import set_zeros

__all__ = ["dirac", "eye", "identity"]


# The rules ----------------------------------------------------------------------------------------


class Identity:
    """gain on the main diagonal of a matrix, and zero elsewhere."""

    __slots__ = ("gain",)
    zeroed: bool = True
    by_parts: bool = True

    def __init__(self, gain: float) -> None:
        self.gain: float = gain

    def check(self, target: Target) -> None:
        """Refuse what is no matrix, and a gain that overflows."""
        check_matrix("identity", target.whole)
        target.check(_core.CONSTANT, (self.gain,))

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Set the zeros, then those elements of the diagonal that the target holds."""
        self.check(target)
        set_zeros(target, threads)
        part = part_of(target)
        view, (rows, columns) = part.aligned(target.array), part.ranges
        if len(rows) > len(columns):  # _set looks at every row, so rows are the shorter axis
            view, rows, columns = view.T, columns, rows
        _set(view, np.arange(len(rows)), _find(_positions(rows), columns), target, self.gain)
        return target.finish()

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element at a random position."""
        check_matrix("identity", whole)
        return _share_of("identity", min(whole), math.prod(whole), self.gain)


class Dirac:
    """One at the centre of each kernel that passes a channel on, zero elsewhere."""

    __slots__ = ("groups", "layout")
    zeroed: bool = True
    by_parts: bool = True

    def __init__(self, groups: int, layout: str | None) -> None:
        self.groups: int = groups
        self.layout: str | None = layout

    def check(self, target: Target) -> None:
        """Refuse a shape that the layout or the groups do not fit."""
        self._axes(target.whole)

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Set the zeros, then those ones that the target holds."""
        whole = target.whole
        o_axis, i_axis, kernel, outputs = self._axes(whole)
        set_zeros(target, threads)
        part = part_of(target)
        centre = [(part.ranges[axis], whole[axis] // 2) for axis in kernel]
        if all(at in chosen for chosen, at in centre):
            view = part.aligned(target.array).transpose([*kernel, o_axis, i_axis])
            view = view[tuple(chosen.index(at) for chosen, at in centre)]
            within = _positions(part.ranges[o_axis]) % max(1, outputs)
            _set(view, np.arange(len(within)), _find(within, part.ranges[i_axis]), target, 1.0)
        return target.finish()

    def _axes(self, whole: tuple[int, ...]) -> tuple[int, int, list[int], int]:
        """Return the O axis, the I axis, the kernel axes, and the number of outputs of a group."""
        o_axis, i_axis, kernel = convolution_axes(whole, self.layout)
        if whole[o_axis] % self.groups:
            raise ValueError(
                f"groups={shown(self.groups)} does not divide axis O of shape {shown(whole)}"
            )
        return o_axis, i_axis, kernel, whole[o_axis] // self.groups

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of an element at a random position."""
        _, i_axis, _, outputs = self._axes(whole)
        ones = self.groups * min(outputs, whole[i_axis])
        return _share_of("dirac", ones, math.prod(whole), 1.0)


def _identity(gain: float) -> Identity:
    return Identity(finite(gain, "gain"))


def _dirac(groups: int, layout: str | None) -> Dirac:
    groups = check_groups(groups)
    return Dirac(groups, check_convolution_layout(layout))


# The functions ------------------------------------------------------------------------------------


@initialiser(_identity)
def identity(
    shape: Shape | None = None,
    *misplaced: object,
    gain: float = 1.0,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Set a matrix to gain on its main diagonal and to zero elsewhere.

    Parameters
    ----------
    gain : float, default 1.0
        The value on the diagonal. Here it is no name of a nonlinearity, and may be negative.
    shape, dtype, out, index, threads
        As in `normal`. The shape has two axes, of any lengths.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError
        If the shape does not have two axes, or gain is not finite or overflows the dtype; and where
        `normal` raises.
    TypeError, MemoryError
        Where `normal` raises.

    Notes
    -----
    Le, Jaitly & Hinton, "A simple way to initialize recurrent networks of rectified linear units",
    2015: recurrent weights that begin as the identity keep a state until an input changes it.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.identity((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    if misplaced or unknown:
        refuse_arguments(identity, misplaced, unknown)
    rule = _identity(gain)
    return rule.fill(resolve(shape, dtype, out, index, zeroed=rule.zeroed), rng, stream, threads)


@initialiser(_dirac)
def dirac(
    shape: Shape | None = None,
    *misplaced: object,
    groups: int = 1,
    layout: str | None = None,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Set the weight of a convolution so that it copies its input channels to its outputs.

    Parameters
    ----------
    groups : int, default 1
        The number of groups of a grouped convolution, each of which copies its own channels. It
        divides the O axis.
    layout : str, optional
        What each axis is: one O, one I, and other letters for the kernel axes, as in `fans`. The
        default is ``"OI"`` followed by kernel axes.
    shape, dtype, out, index, threads
        As in `normal`. The shape has 3 to 5 axes.
    rng, stream
        Not used, as in `constant`.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError
        If the number of axes, the layout or groups does not fit; and where `normal` raises.
    TypeError, MemoryError
        Where `normal` raises.

    Notes
    -----
    Zagoruyko & Komodakis, "DiracNets: training very deep neural networks without skip-connections",
    2017. The values are those of ``torch.nn.init.dirac_``. With n = O/groups, the weight from input
    d of group g to output g·n + d is 1 at the centre of the kernel, for d < min(n, I). The centre
    is k//2 along each kernel axis. (JAX has no dirac; its delta_orthogonal has the centre (k -
    1)//2, which differs for even k.) For an odd kernel with "same" padding, and as many outputs as
    inputs, the output of the convolution equals its input.

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
    if misplaced or unknown:
        refuse_arguments(dirac, misplaced, unknown)
    rule = _dirac(groups, layout)
    return rule.fill(resolve(shape, dtype, out, index, zeroed=rule.zeroed), rng, stream, threads)


eye = identity
register_aliases(eye=eye)


# Positions ----------------------------------------------------------------------------------------


def check_matrix(name: str, whole: tuple[int, ...]) -> None:
    """Refuse a shape that does not have two axes."""
    if len(whole) != 2:
        raise ValueError(f"{name} needs a shape of two axes such as (n, n), not {shown(whole)}")


def _positions(chosen: range) -> np.ndarray:
    """Return a range as an array."""
    return np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int64)


def _find(wanted: np.ndarray, chosen: range) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of each wanted position in a range, and whether the range holds it."""
    place, remainder = np.divmod(wanted - chosen.start, chosen.step)
    return place, (remainder == 0) & (place >= 0) & (place < len(chosen))


def _set(
    view: np.ndarray,
    rows: np.ndarray,
    columns: tuple[np.ndarray, np.ndarray],
    target: Target,
    value: float,
) -> None:
    """Set one element of each row to a value, in the column that `_find` found for it, if any."""
    place, found = columns
    one = np.empty(1, view.dtype)
    _core.fill(one, _core.CONSTANT, target.kind.code, (value,), None, 0, 0, None, 1)
    view[rows[found], place[found]] = one[0]


def _share_of(name: str, count: int, items: int, value: float) -> Law:
    """Return the law of an element that is ``value`` at count of items positions, and else 0."""
    share = count / items if items else 0.0
    low, high = min(value, 0.0), max(value, 0.0)
    return Law(name, share * value, abs(value) * math.sqrt(share * (1 - share)), low, high)
