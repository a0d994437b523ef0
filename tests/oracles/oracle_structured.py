"""Oracle of the initialisers whose elements depend on their place: identity, dirac, sparse, QR.

The caller supplies the normals of an orthogonal matrix, since the contract fixes normals to a
bound, and the QR to the precision of the normals.
"""

import functools
import itertools
import math

import numpy as np

from . import oracle


def identity(shape, gain=1.0):
    """Return the gain on the main diagonal, in float64."""
    w = np.zeros(shape)
    for k in range(min(shape)):
        w[k, k] = gain
    return w


def stored(weight, layout):
    """Bring a weight of axes O, I, kernel into the order that the layout names."""
    if layout is None:
        return weight
    kernel = [letter for letter in layout if letter not in "OI"]
    return weight.transpose([["O", "I", *kernel].index(letter) for letter in layout])


def canonical(shape, layout):
    """Return the shape of the same weight as O, I, and the kernel axes in their stored order."""
    if layout is None:
        return tuple(shape)
    sizes = dict(zip(layout, shape, strict=True))
    return (sizes.pop("O"), sizes.pop("I"), *sizes.values())


def dirac(shape, groups=1, layout=None):
    """Return the weight of ``torch.nn.init.dirac_``, which keeps the channels of each group."""
    out, into, *kernel = canonical(shape, layout)
    assert out % groups == 0
    per_group = out // groups
    w = np.zeros((out, into, *kernel))
    centre = tuple(k // 2 for k in kernel)
    if 0 not in kernel:
        for g, d in itertools.product(range(groups), range(min(per_group, into))):
            w[(g * per_group + d, d, *centre)] = 1
    return stored(w, layout)


def ranks_first(words, count):
    """Return the mask of the ``count`` smallest pairs (word, row) of one column."""
    order = sorted((int(word), row) for row, word in enumerate(words))
    mask = np.zeros(len(words), dtype=bool)
    mask[[row for _, row in order[:count]]] = True
    return mask


@functools.lru_cache(maxsize=64)
def sparse_zeros(key, stream, shape, sparsity, axis=0):
    """Return the mask of the zeros, which words of the upper half of the stream choose.

    The zeros are counted along an axis: 0, in each column, or 1, in each row (layout="OI").
    """
    rows, columns = shape
    i = np.arange(rows * columns, dtype=np.uint64) + np.uint64(2**63)
    words = oracle.words(key, stream, i).reshape(shape) if i.size else np.zeros(shape)
    count = math.ceil(sparsity * shape[axis])
    mask = np.zeros(shape, dtype=bool)
    if axis == 0:
        for column in range(columns):
            mask[:, column] = ranks_first(words[:, column], count)
    else:
        for row in range(rows):
            mask[row] = ranks_first(words[row], count)
    return mask


def orthogonal(normals, shape, gain=1.0, column_axis=0):
    """Return the contract's matrix in float64, from normals of shape (d_c, rest)."""
    rows = shape[column_axis]
    others = [n for axis, n in enumerate(shape) if axis != column_axis % len(shape)]
    a = np.asarray(normals, dtype=np.float64)
    assert a.shape == (rows, math.prod(others))
    wide = a.shape[0] < a.shape[1]
    q, r = np.linalg.qr(a.T if wide else a)
    q = q * np.sign(np.diag(r))
    return np.moveaxis(gain * (q.T if wide else q).reshape(rows, *others), 0, column_axis)


def delta_orthogonal(matrix, shape, layout=None):
    """Return zeros with the (O, I) matrix at the centre tap."""
    out, into, *kernel = canonical(shape, layout)
    w = np.zeros((out, into, *kernel), dtype=matrix.dtype)
    w[(slice(None), slice(None), *((k - 1) // 2 for k in kernel))] = matrix
    return stored(w, layout)
