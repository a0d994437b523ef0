"""sparse: normal draws, with the same number of zeros for every input or for every unit."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from .._resolve.fans import check_letters
from .._resolve.index import BasicIndex
from .._resolve.keys import Key, RNGLike, key
from .._resolve.messages import refuse_arguments, shown
from .._resolve.numbers import finite, integer, not_negative
from .._resolve.shape import Shape
from .._resolve.target import Target, covered, resolve
from .._resolve.threads import thread_count
from .law import Law
from .public import initialiser
from .structured import check_matrix

__all__ = ["sparse"]

_WORD_ITEMS = 1 << 21  # of columns looked at in one go: 9 bytes each


class Sparse:
    """N(0, std²), and ceil(sparsity·n) zeros among the n elements of each column, or row."""

    __slots__ = ("layout", "sparsity", "std")
    zeroed = False

    def __init__(self, sparsity: float, std: float, layout: str | None) -> None:
        self.sparsity = sparsity
        self.std = std
        self.layout = layout

    def fill(self, target: Target, rng: RNGLike, stream: int | str, threads: int | None) -> Any:
        """Draw the normals, then set the zeros that the target holds."""
        whole = target.whole
        axis, zeros = self._zeros(whole)
        n = whole[axis]
        part = covered(target)
        # The lines run along `axis`; each has its own zeros. Those that the target holds:
        lines = part.ranges[1 - axis]
        some = min(len(lines), max(1, _WORD_ITEMS // max(1, n)))
        needed = zeros if target.array.size else 0
        scratch = np.empty((2, some, n if needed else 0), np.uint32)
        # The key is drawn here, and shared by both fills: so everything else is checked before.
        thread_count(threads, 0)
        threads = None if threads is None else integer(threads, "threads")  # asked for once
        _core.check(_core.NORMAL, target.kind.code, (0.0, self.std))
        number = _core.stream_number(stream)
        shared = key(rng)
        target.write(_core.NORMAL, (0.0, self.std), shared, number, threads)
        if needed:
            # (lines, elements of a line): the view is turned so that lines come first.
            view = part.aligned(target.array)
            view = view.T if axis == 0 else view
            within = _slice(part.ranges[axis])
            steps = (whole[1], 1) if axis == 0 else (1, whole[1])  # within a line, between lines
            for begin in range(0, len(lines), some):
                chosen = lines[begin : begin + some]
                zero = _zeros_of(n, chosen, steps, zeros, shared, number, scratch, threads)
                place = view[begin : begin + some]
                np.copyto(place, view.dtype.type(0), where=zero[:, within])
        return target.finish()

    def _zeros(self, whole: tuple[int, ...]) -> tuple[int, int]:
        """Return the axis along which zeros are counted, and how many there are."""
        check_matrix("sparse", whole)
        axis = 0 if self.layout is None else self.layout.index("I")
        # sparsity·n rounded to nearest, whatever the host's rounding mode.
        numerator, denominator = self.sparsity.as_integer_ratio()
        zeros = math.ceil(numerator * whole[axis] / denominator)
        if zeros and zeros == whole[axis]:
            what = "row" if axis else "column"
            warnings.warn(
                f"sparsity={self.sparsity!r} leaves no element in any {what} of {whole[axis]}: all "
                "weights are zero",
                UserWarning,
                stacklevel=4,
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
    dtype: DTypeLike | None = None,
    out: Any = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
    **unknown: object,
) -> Any:
    """Draw from N(0, std²), and set the same number of elements of each column to zero.

    Parameters
    ----------
    sparsity : float
        In [0, 1]. Exactly ceil(sparsity·n) of the n elements of each column are set to zero; the
        product is a float, as in torch. (float8 rounds more elements to zero, if std is small.)
    std : float
        Standard deviation of the other elements, >= 0.
    layout : {"OI", "IO"}, optional
        Which axis is the outputs' and which the inputs'. With a layout the zeros are counted for
        each output, so that every unit has exactly ceil(sparsity·fan_in) inputs of weight zero: in
        each row for ``"OI"``, in each column for ``"IO"``. Without one they are counted in each
        column, as in torch, whatever its axes are: of a weight stored (out, in), as torch's are, a
        column is an input, and a unit may be left with any number of inputs, even none.
    shape, dtype, out, rng, stream, index, threads
        As in `normal`; two axes. Under index, the zeros of the selected columns are found by the
        words of all their rows, which takes 9 bytes a row, of many columns at once up to 18 MiB.

    Returns
    -------
    ndarray, or out

    Raises
    ------
    ValueError, TypeError
        As `normal`; if the shape does not have two axes, or sparsity lies outside [0, 1].

    Warns
    -----
    UserWarning
        If the sparsity leaves no element: all weights are zero then.

    Notes
    -----
    Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5: units with few
    inputs saturate less and differ more. ``layout=`` gives what the paper describes. Column c is
    zero in the rows r with the smallest (word 2⁶³ + i, r), where i = r·columns + c is the element's
    position; for ``"OI"``, row r is zero in the columns c with the smallest (word 2⁶³ + i, c). The
    other elements are those of `normal`.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> w = wi.sparse((10, 4), sparsity=0.25, rng=0)
    >>> (w == 0).sum(axis=0)
    array([3, 3, 3, 3])
    >>> w = wi.sparse((4, 10), sparsity=0.25, layout="OI", rng=0)  # 3 of 10 inputs a unit
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
    """Return, for each of some lines of n elements, where its smallest (word, position) are."""
    count = len(lines)
    forward = lines if lines.step > 0 else lines[::-1]
    words, order = scratch[:, :count]
    within, between = steps
    axes = [(count, forward.step * between, 4 * n), (n, within, 4)]
    if within > forward.step * between:  # outermost first
        axes.reverse()
    first = (1 << 63) + forward.start * between
    _core.fill(
        words, _core.WORDS, 0, (), rng, stream, first, axes, thread_count(threads, words.size)
    )
    order[...] = words
    order.partition(zeros - 1, axis=1)
    last = order[:, zeros - 1, None]
    zero: np.ndarray = words <= last
    extra = np.count_nonzero(zero, axis=1) - zeros
    for line in np.flatnonzero(extra):  # equal words: those at higher positions stay
        ties = np.flatnonzero(words[line] == last[line])
        zero[line, ties[len(ties) - extra[line] :]] = False
    return zero if lines.step > 0 else zero[::-1]


def _slice(chosen: range) -> slice:
    """Return the slice that selects what a range holds."""
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)
