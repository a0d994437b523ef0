"""Rows of a tensor that are equal, and rows and columns of zeros, found in one pass.

A row is what one index of the first axis selects: the weights of one output in torch's layouts, the
vector of one id in an embedding. Two equal rows get equal gradients for ever, if their inputs and
outputs are symmetric. A tensor counts as a matrix here: the first axis, and all others together.

Each row is hashed to 64 bits by a sum over its 32-bit words w_j, of c_j·w_j modulo 2**64, with
multipliers c_j that depend on j alone. Two rows that differ have the same hash with a probability
of about 2**-33 or less, and the first pair that is reported is read again and compared. Sums can be
taken in any order, so that rows need not be contiguous.

At most MOST_ROWS hashes are kept, which are 16 MiB. In a larger table only rows with the least
hashes are kept: equal rows have equal hashes, and are kept or left out together.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..readers import ElementReader, StoredTensor

__all__ = ["MOST_ROWS", "Block", "Rows", "RowsFound", "as_matrix", "blocks"]

#: The most hashes that are kept.
MOST_ROWS = 1 << 21
#: The most columns that are watched for being zero, a byte each.
_MOST_COLUMNS = 1 << 24
#: The most rows and columns of zeros whose numbers are kept.
_MOST_NUMBERS = 8


class Block(NamedTuple):
    """Elements of a matrix, as they are stored, and where they are in it."""

    row: int
    column: int
    elements: np.ndarray  # of two axes

    @property
    def flat(self) -> np.ndarray:
        """The elements in the order of the file."""
        return self.elements.ravel("K")


class RowsFound(NamedTuple):
    """What is known of a tensor's rows.

    ``looked_at`` is the share of rows that were compared with each other: 1, or less for tables of
    very many rows, or 0. ``equal`` counts the rows that equal an earlier one, and ``first`` is such
    a pair. Rows of zeros are not compared; ``zero_rows`` counts them, and ``first_zero_rows`` has
    the numbers of the first ones. So it is with columns of zeros.
    """

    looked_at: float
    equal: int
    first: tuple[int, int] | None
    zero_rows: int
    zero_columns: int
    first_zero_rows: tuple[int, ...] = ()
    first_zero_columns: tuple[int, ...] = ()


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the number of rows and of columns; axes of one index do not count."""
    axes = [size for size in shape if size != 1] or [1]
    columns = 1
    for size in axes[1:]:
        columns *= size
    return axes[0], columns


def blocks(tensor: StoredTensor, items: int) -> Iterator[Block]:
    """Yield a tensor's elements in the order of the file, in blocks of at most ``items``."""
    rows, columns = as_matrix(tensor.shape)
    # The axis that varies fastest in the file is that of the columns, or with Fortran's order that
    # of the rows.
    fast = rows if tensor.fortran_order else columns
    slow = columns if tensor.fortran_order else rows
    with ElementReader(tensor) as reader:
        lines = max(1, items // max(1, fast))
        for line in range(0, slow if fast else 0, lines):
            together = min(lines, slow - line)
            for begin in range(0, fast, items):
                length = min(items, fast - begin)
                elements = reader.read(line * fast + begin, together * length)
                elements = elements.reshape(together, length)
                if tensor.fortran_order:
                    yield Block(begin, line, elements.T)
                else:
                    yield Block(line, begin, elements)


class Rows:
    """Takes the blocks of one tensor."""

    def __init__(self, tensor: StoredTensor, items: int) -> None:
        self._tensor = tensor
        rows, columns = as_matrix(tensor.shape)
        self.rows: int = rows
        self.columns: int = columns
        whole_rows = not tensor.fortran_order and self.columns <= items
        self._all = self.rows <= MOST_ROWS
        self.compares: bool = self.rows > 1 and self.columns > 1 and (self._all or whole_rows)
        self._divisor = 1
        while self.rows > MOST_ROWS // 2 * self._divisor and not self._all:
            self._divisor *= 2
        kept = self.rows if self._all else MOST_ROWS
        self._hashes = np.zeros(kept if self.compares else 0, np.uint64)
        self._kept = self.rows if self._all else 0
        self._ids = np.zeros(0 if self._all or not self.compares else MOST_ROWS, np.int64)
        self._watched = self.columns <= _MOST_COLUMNS and self.rows > 1
        self._filled_columns = np.zeros(self.columns if self._watched else 0, bool)
        self._filled_rows = np.zeros(self.rows if self.compares and self._all else 0, bool)
        self._zero_rows = 0
        self._first_zero_rows: list[int] = []
        self._multipliers = _Multipliers(0, 0, np.zeros(0, np.uint64))

    def add(self, block: Block, zeros: int) -> None:
        """Take a block, of which that many elements are zero."""
        row, column, elements = block
        height, width = elements.shape
        if self._watched:
            place = slice(column, column + width)
            if not zeros:
                self._filled_columns[place] = True
            elif zeros < elements.size and not self._filled_columns[place].all():
                self._filled_columns[place] |= _is_filled(elements, self._tensor.dtype).any(axis=0)
        if not self.compares:
            return
        hashes = self._hash(elements, column)
        filled: np.ndarray = np.ones(height, bool)
        if zeros:
            filled = np.any(_is_filled(elements, self._tensor.dtype), axis=1)
        if self._all:
            self._hashes[row : row + height] += hashes
            self._filled_rows[row : row + height] |= filled
            return
        empty = height - int(np.count_nonzero(filled))
        self._zero_rows += empty
        if empty and len(self._first_zero_rows) < _MOST_NUMBERS:
            self._first_zero_rows += [row + int(n) for n in np.flatnonzero(~filled)[:_MOST_NUMBERS]]
        # The low bits of a hash would not do: they are zero where those of all words are.
        chosen = np.flatnonzero(filled & (hashes < np.uint64((1 << 64) // self._divisor)))
        chosen = chosen[: self._hashes.size - self._kept]
        place = slice(self._kept, self._kept + chosen.size)
        self._hashes[place], self._ids[place] = hashes[chosen], chosen + row
        self._kept += chosen.size

    def _hash(self, elements: np.ndarray, column: int) -> np.ndarray:
        """Return the sum of multipliers times words, for each row of a block."""
        size = elements.dtype.itemsize
        words = 2 if size == 8 else 1
        width = elements.shape[1]
        if self._multipliers[:2] != (column, width):
            numbers = np.arange(column * words, (column + width) * words, dtype=np.uint64)
            self._multipliers = _Multipliers(column, width, _mixed(numbers))
        multipliers = self._multipliers.values
        if words == 1:
            hashes: np.ndarray = np.einsum("ij,j->i", elements.view(f"u{size}"), multipliers)
            return hashes
        whole = elements.view("u8")
        low = np.einsum("ij,j->i", whole & np.uint64(0xFFFFFFFF), multipliers[::2])
        high = np.einsum("ij,j->i", whole >> np.uint64(32), multipliers[1::2])
        total: np.ndarray = low + high
        return total

    def found(self) -> RowsFound:
        """Return what the blocks held, once all have been taken."""
        zero_columns, columns = 0, tuple[int, ...]()
        if self._watched:
            zero_columns, columns = _empty(self._filled_columns)
            columns = tuple(sorted(map(self._column_number, columns)))
        if not self.compares:
            return RowsFound(0.0, 0, None, 0, zero_columns, (), columns)
        # Each array as long as the hashes takes up to 16 MiB, so no list of the rows is made here.
        if self._all:
            zero_rows, rows = _empty(self._filled_rows)
            ordered = self._hashes[self._filled_rows]
        else:
            zero_rows, rows = self._zero_rows, tuple(self._first_zero_rows[:_MOST_NUMBERS])
            ordered = self._hashes[: self._kept].copy()
        ordered.sort()
        again = ordered[1:] == ordered[:-1]
        equal, first = int(np.count_nonzero(again)), None
        if equal:
            repeated = np.unique(ordered[1:][again][:64])
            del ordered, again
            first = self._first_pair(repeated)
        share, equal = 1 / self._divisor, equal if first else 0
        return RowsFound(share, equal, first, zero_rows, zero_columns, rows, columns)

    def _column_number(self, place: int) -> int:
        """Return the number of a column in C order, from its place in the order of the file."""
        if not self._tensor.fortran_order:
            return place
        axes = [size for size in self._tensor.shape if size != 1][1:] or [1]
        index = np.unravel_index(place, axes, order="F")
        return int(np.ravel_multi_index(index, axes))

    def _first_pair(self, repeated: np.ndarray) -> tuple[int, int] | None:
        """Return the first two rows that have one of these hashes and are equal: both are read."""
        pairs = []
        for value in repeated:
            have_it = self._hashes[: self._kept] == value
            if self._all:
                same = np.flatnonzero(have_it & self._filled_rows)[:2]
            else:
                same = self._ids[np.flatnonzero(have_it)[:2]]
            pairs.append((int(same[0]), int(same[1])))
        for pair in sorted(pairs, key=max):
            if self._are_equal(*pair):
                return pair
        return None

    def _are_equal(self, one: int, other: int) -> bool:
        # A reader for each row: whenever one reader went back from the later row to the earlier
        # one, a compressed entry would be decompressed from its beginning.
        with ElementReader(self._tensor) as first, ElementReader(self._tensor) as second:
            if self._tensor.fortran_order:
                # Elements of a row are far from each other: compare those of some columns.
                step, far = max(1, self.columns // 64), self.rows
                places = ((one + far * c, other + far * c) for c in range(0, self.columns, step))
                return all(
                    first.read(a, 1).tobytes() == second.read(b, 1).tobytes() for a, b in places
                )
            items = 1 << 16
            for begin in range(0, self.columns, items):
                count = min(items, self.columns - begin)
                of_one = first.read(one * self.columns + begin, count)
                of_other = second.read(other * self.columns + begin, count)
                if of_one.tobytes() != of_other.tobytes():
                    return False
        return True


def _empty(filled: np.ndarray) -> tuple[int, tuple[int, ...]]:
    """Return how many rows or columns are not filled, and the numbers of the first ones."""
    count = filled.size - int(np.count_nonzero(filled))
    first: list[int] = []
    # By pieces: a list of all empty rows would take eight times the memory of the marks.
    for begin in range(0, filled.size if count else 0, 1 << 16):
        first += [begin + int(n) for n in np.flatnonzero(~filled[begin : begin + (1 << 16)])]
        if len(first) >= _MOST_NUMBERS:
            break
    return count, tuple(first[:_MOST_NUMBERS])


class _Multipliers(NamedTuple):
    column: int
    width: int
    values: np.ndarray


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return odd 64-bit numbers without a pattern: the finaliser of SplitMix64."""
    numbers = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = (numbers ^ (numbers >> np.uint64(31))) | np.uint64(1)
    return mixed


def _is_filled(elements: np.ndarray, dtype: str) -> np.ndarray:
    """Return which elements are neither 0 nor -0."""
    if elements.dtype.kind == "f":
        filled: np.ndarray = elements != 0
        return filled
    bits = elements.dtype.itemsize * 8
    mask = (1 << bits) - 1
    if "float" in dtype and not dtype.endswith("fnuz"):
        mask >>= 1
    filled = (elements & elements.dtype.type(mask)) != 0
    return filled
