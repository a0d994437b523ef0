"""A slow, readable oracle of the orthogonal factor, written from the stream contract alone.

Matrices are NumPy arrays of float32 or float64, and every operation rounds once, in that type.
NumPy has no fma; `fma` here is exact for float32 by odd rounding (see `oracle.fma32`), and for
float64 by the exact error of the product (Dekker) and of the sums (Knuth), rounded to odd.
"""

import numpy as np

from oracles.oracle import fma32

PANEL, BLOCK, SPAN, ROUNDS = 32, 128, 32, 8
FLOOR = {np.dtype("f4"): 2.0**-16, np.dtype("f8"): 2.0**-45}


def _two_sum(a, b):
    """Return the rounded sum and its exact error."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def _two_product(a, b):
    """Return the rounded product and its exact error (Dekker), without overflow or underflow."""
    p = a * b
    split = np.float64(2**27 + 1)
    x, y = a * split, b * split
    a_high, b_high = x - (x - a), y - (y - b)
    a_low, b_low = a - a_high, b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def fma64(a, b, c):
    """Return RN64(a·b + c) of float64 arrays, for numbers far from overflow and underflow.

    The exact value is p + e + c, where p + e is the product. It is u + v + w with u the rounded
    value of all but w; v + w, rounded to odd, is added to u, which rounds correctly (Boldo &
    Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
    """
    a, b, c = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (a, b, c)))
    high, low = _two_product(a, b)
    low_sum, low_error = _two_sum(c, low)
    total, error = _two_sum(high, low_sum)
    rest, rest_error = _two_sum(error, low_error)
    even = np.atleast_1d(rest).view(np.int64).reshape(rest.shape) & 1 == 0
    towards = np.nextafter(rest, np.copysign(np.inf, rest_error))
    return total + np.where((rest_error != 0) & even, towards, rest)


def fma(a, b, c):
    """Return a·b + c, rounded once, in the type of a."""
    return (fma32 if np.asarray(a).dtype == np.float32 else fma64)(a, b, c)


def _in_turn(terms):
    """Return the sum of the terms, added one after the other to the first."""
    total = None
    for term in terms:
        total = term if total is None else total + term
    return total


def _block(x, y):
    """Return xᵀy for the rows of one block: one chain of fma for each element."""
    t = np.zeros((x.shape[1], y.shape[1]), dtype=x.dtype)
    for r in range(len(x)):
        t = fma(x[r][:, None], y[r][None, :], t)
    return t


def inner(x, y):
    """Return the inner products of all columns of x with all columns of y."""
    rows = range(0, len(x), BLOCK)
    spans = [rows[k : k + SPAN] for k in range(0, len(rows), SPAN)]
    return _in_turn(
        _in_turn(_block(x[r : r + BLOCK], y[r : r + BLOCK]) for r in span) for span in spans
    )


def remove(left, y):
    """Return the columns y, from which the columns `left` have been removed."""
    s = inner(left, y)
    for k in range(0, left.shape[1], BLOCK):
        y = y - combine(left[:, k : k + BLOCK], s[k : k + BLOCK])
    return y


def combine(left, s):
    """Return left·s, one chain of fma for each element."""
    t = np.zeros((len(left), s.shape[1]), dtype=left.dtype)
    for k in range(left.shape[1]):
        t = fma(left[:, k : k + 1], s[k : k + 1], t)
    return t


def factor(gram, sigma):
    """Return X, the inverse of the factor of the Gram matrix, and whether the panel is done."""
    real, width = gram.dtype.type, len(gram)
    gram, least = gram.copy(), FLOOR[gram.dtype]
    r, x, v = np.zeros_like(gram), np.zeros_like(gram), np.zeros_like(gram[0])
    squares = np.diagonal(gram).copy()
    done = True
    for i in range(width):
        d = gram[i, i]
        if squares[i] == 0:
            d, done = real(1), False
        elif d < real(least) * squares[i]:
            d, done = real(least) * squares[i], False
        v[i] = real(1) / np.sqrt(d)
        r[i, i + 1 :] = gram[i, i + 1 :] * v[i]
        for k in range(i + 1, width):
            gram[k, k:] = fma(-r[i, k], r[i, k:], gram[k, k:])
    for i in range(width):
        x[i, i] = v[i]
        for j in range(i + 1, width):
            t = np.zeros((), dtype=gram.dtype)
            for k in range(i, j):
                t = fma(x[i, k], r[k, j], t)
            x[i, j] = -t * v[j]
    for j in range(width):
        t = np.zeros((), dtype=gram.dtype)
        for i in range(j + 1):
            t = fma(x[i, j], x[i, j], t)
        done = done and bool(sigma * t <= 8)
    return x, done


def orthogonal_factor(normals):
    """Return the orthogonal factor of a tall or square matrix."""
    q = normals.copy()
    rows, columns = q.shape
    if rows == 0:
        return q
    panels = [slice(c, min(c + PANEL, columns)) for c in range(0, columns, PANEL)]
    for p, panel in enumerate(panels):
        sigma = q.dtype.type(rows)
        for number in range(1, ROUNDS + 1):
            gram = inner(q[:, panel], q[:, panel])
            x, done = factor(gram, sigma)
            q[:, panel] = combine(q[:, panel], x)
            for j in np.flatnonzero(np.diagonal(gram) == 0):
                q[panel.start + j, panel.start + j] = 1
            if done or number == ROUNDS:
                break
            sigma = q.dtype.type(1)
            if p > 0:
                q[:, panel] = remove(q[:, : panel.start], q[:, panel])
        count = (p + 1) & -(p + 1)
        begin = (p + 1 - count) * PANEL
        end = min((p + 1 + count) * PANEL, columns)
        if panel.stop < end:
            q[:, panel.stop : end] = remove(q[:, begin : panel.stop], q[:, panel.stop : end])
    return q


def orthogonal(normals, gain=1.0):
    """Return gain times the orthogonal factor of a matrix of normals, tall or wide."""
    wide = normals.shape[0] < normals.shape[1]
    q = orthogonal_factor(normals.T if wide else normals)
    q = q * normals.dtype.type(gain)
    return q.T if wide else q
