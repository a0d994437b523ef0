"""sparse: normal draws, of which the same number is zero in every column, or in every unit."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _core
from .._resolve.dtypes import DType
from .._resolve.fans import check_letters
from .._resolve.index import BasicIndex
from .._resolve.keys import Key, RNGLike, key
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import finite, integer, not_negative
from .._resolve.shape import Shape
from .._resolve.target import Target, part_of, resolve
from .._resolve.threads import thread_count
from .law import Law
from .public import initialiser
from .structured import check_matrix

__all__ = ["sparse"]

#: How many elements are compared at a time. Each takes 9 bytes of scratch memory.
_WORD_ITEMS = 1 << 21


class Sparse:
    """N(0, std²), with ceil(sparsity·n) zeros among the n elements of each column or row."""

    __slots__ = ("layout", "sparsity", "std")
    zeroed: bool = False
    by_parts: bool = False

    def __init__(self, sparsity: float, std: float, layout: str | None) -> None:
        self.sparsity: float = sparsity
        self.std: float = std
        self.layout: str | None = layout

    def check(self, target: Target) -> None:
        """Refuse what is no matrix, and a standard deviation that overflows."""
        check_matrix("sparse", target.whole)
        target.check(_core.NORMAL, (0.0, self.std))

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Draw the normals, then set the zeros that the target holds."""
        whole = target.whole
        axis, zeros = self._zeros(whole)
        n = whole[axis]
        part = part_of(target)
        # A line is a column or a row, whichever has its zeros counted. It runs along `axis`.
        lines = part.ranges[1 - axis]  # those that the target holds
        batch = min(len(lines), max(1, _WORD_ITEMS // max(1, n)))
        needed = zeros if target.array.size else 0
        scratch = np.empty((2, batch, n if needed else 0), np.uint32)
        # Both fills share one key, which is drawn here: a Generator advances only once everything
        # else has been found right. threads is read once, since it may be an object that changes.
        threads = None if threads is None else integer(threads, "threads")
        thread_count(threads, 0)
        self.check(target)
        number = _core.stream_number(stream)
        shared = key(rng)
        target.write(_core.NORMAL, (0.0, self.std), shared, number, threads)
        if needed:
            # Axis 0 of the view counts the lines, axis 1 the elements of a line.
            view = part.aligned(target.array)
            view = view.T if axis == 0 else view
            within = _slice(part.ranges[axis])
            steps = (whole[1], 1) if axis == 0 else (1, whole[1])  # within a line, between lines
            for begin in range(0, len(lines), batch):
                chosen = lines[begin : begin + batch]
                is_zero = _zeros_of(n, chosen, steps, zeros, shared, number, scratch, threads)
                place = view[begin : begin + batch]
                np.copyto(place, view.dtype.type(0), where=is_zero[:, within])
        return target.finish()

    def _zeros(self, whole: tuple[int, ...]) -> tuple[int, int]:
        """Return the axis along which zeros are counted, and how many zeros a line has."""
        check_matrix("sparse", whole)
        axis = 0 if self.layout is None else self.layout.index("I")
        # The product sparsity·n is rounded to nearest by the division of two ints. A product of
        # floats would depend on the host's rounding mode.
        numerator, denominator = self.sparsity.as_integer_ratio()
        zeros = math.ceil(numerator * whole[axis] / denominator)
        if zeros and zeros == whole[axis]:
            what = "row" if axis else "column"
            warnings.warn(
                f"sparsity={self.sparsity!r} leaves no element in any {what} of {whole[axis]}: all "
                "weights are zero",
                UserWarning,
                stacklevel=4,  # the line that calls sparse, an Initializer, or its law
            )
        return axis, zeros

    def law(self, whole: tuple[int, ...]) -> Law:
        """Return the distribution of every element."""
        axis, zeros = self._zeros(whole)
        share = 1 - zeros / whole[axis] if whole[axis] else 1.0
        end = math.inf if self.std and share else 0.0
        return Law("sparse", 0.0, self.std * math.sqrt(share), -end, end)


def _sparse(sparsity: float, std: float, layout: str | None) -> Sparse:
    sparsity, std = finite(sparsity, "sparsity"), not_negative(std, "std")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity must be in [0, 1], not {sparsity!r}")
    if layout is not None and check_letters(layout) not in ("OI", "IO"):
        raise ValueError(f"layout must be 'OI' or 'IO' here, not {shown(layout)}")
    return Sparse(sparsity, std, layout)


@initialiser(_sparse)
def sparse(
    shape: Shape | None = None,
    *misplaced: object,
    sparsity: float,
    std: float = 0.01,
    layout: str | None = None,
    dtype: DType | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from N(0, std²), and set equally many elements of each column, or unit, to zero.

    Parameters
    ----------
    sparsity : float
        The share of zeros, in [0, 1]. It has no default. Exactly ceil(sparsity·n) of the n elements
        of each column, or unit, are set to zero; the product is rounded to a float, as in torch.
        (If std is small, float8 rounds further elements to zero.)
    std : float, default 0.01
        The standard deviation of the other elements, >= 0.
    layout : {"OI", "IO"}, optional
        Which axis counts the outputs and which the inputs. With a layout the zeros are counted in
        each unit, so that every unit has exactly ceil(sparsity·fan_in) weights of zero: in each row
        for ``"OI"``, in each column for ``"IO"``. By default they are counted in each column, as in
        torch. A column of a weight that is stored (out, in), as torch's weights are, holds the
        weights of one input; a unit may then keep any number of inputs, even none.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`. The shape has two axes. If index is given, the zeros of a column are still
        found by comparing the words of all its rows, which takes 9 bytes of memory for each row;
        several columns are compared at once, in up to 18 MiB.

    Returns
    -------
    ndarray, or out
        As in `normal`.

    Raises
    ------
    ValueError, TypeError
        Where `normal` raises, and if the shape does not have two axes, sparsity lies outside
        [0, 1], or layout is neither ``"OI"`` nor ``"IO"``.

    Warns
    -----
    UserWarning
        If the sparsity is so high that all weights are zero.

    Notes
    -----
    Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5: units with few
    inputs saturate less and differ more from each other. ``layout=`` gives what the paper
    describes.

    Let i = r·columns + c be the position of the element in row r and column c. Column c is zero in
    the rows r with the smallest pairs (word 2⁶³ + i, r). For ``"OI"``, row r is zero in the columns
    c with the smallest pairs (word 2⁶³ + i, c). The other elements are those of `normal`.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.sparse((10, 4), sparsity=0.25, rng=0)
    >>> (w == 0).sum(axis=0)
    array([3, 3, 3, 3])
    >>> w = wi.sparse((4, 10), sparsity=0.25, layout="OI", rng=0)  # 3 of the 10 in each unit
    >>> (w == 0).sum(axis=1)
    array([3, 3, 3, 3])
    """
    if misplaced or unknown:
        refuse_arguments(sparse, misplaced, unknown)
    rule = _sparse(sparsity, std, layout)
    return rule.fill(resolve(shape, dtype, out, index), rng, stream, threads)


def _zeros_of(
    n: int,
    lines: range,
    steps: tuple[int, int],
    zeros: int,
    rng: Key,
    stream: int,
    scratch: np.ndarray,
    threads: int | None,
) -> np.ndarray:
    """Return a mask of some lines of n elements that is True at the zeros of each line.

    These are the elements with the smallest pairs (word, position).
    """
    count = len(lines)
    forward = lines if lines.step > 0 else lines[::-1]
    words, order = scratch[:, :count]
    within, between = steps
    axes = [(count, forward.step * between, 4 * n), (n, within, 4)]
    if within > forward.step * between:  # the axis with the larger step through the stream is first
        axes.reverse()
    first = (1 << 63) + forward.start * between
    _core.fill(
        words, _core.WORDS, 0, (), rng, stream, first, axes, thread_count(threads, words.size)
    )
    order[...] = words
    order.partition(zeros - 1, axis=1)
    last = order[:, zeros - 1, None]
    is_zero: np.ndarray = words <= last
    # Where several words equal the last one, there are too many: those at the highest positions
    # stay.
    extra = np.count_nonzero(is_zero, axis=1) - zeros
    for line in np.flatnonzero(extra):
        ties = np.flatnonzero(words[line] == last[line])
        is_zero[line, ties[len(ties) - extra[line] :]] = False
    return is_zero if lines.step > 0 else is_zero[::-1]


def _slice(chosen: range) -> slice:
    """Return the slice that selects the positions of a range."""
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)
