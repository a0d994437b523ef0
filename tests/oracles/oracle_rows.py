"""A slow, readable oracle of rows by id, written from the stream contract alone.

It says which elements of the stream the rows hold, as Python integers, which do not overflow. The
values of these elements are those of the other oracles.
"""

import math

#: Family -> the number of elements in a stream.
STREAM = {"single": 2**64, "double": 2**63}


def row_elements(shape, ids, family="single"):
    """Return, for each row, the numbers of its elements in the stream, in C order.

    ``shape`` is that of the whole tensor, whose first length limits no id.
    """
    size = math.prod(shape[1:])
    for row in ids:
        if not 0 <= row < 2**63:
            raise ValueError(f"{row} is no id of a row")
        if size and row * size + size - 1 >= STREAM[family]:
            raise ValueError(f"row {row} of {size} elements is not within the stream")
    return [[row * size + j for j in range(size)] for row in ids]


def last_id(shape, family="single"):
    """Return the greatest id of a row that lies within the stream."""
    size = math.prod(shape[1:])
    return 2**63 - 1 if size == 0 else min(2**63, STREAM[family] // size) - 1
