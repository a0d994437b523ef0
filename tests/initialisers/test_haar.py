"""Orthogonal matrices are distributed uniformly (Haar): entries, traces, determinants, angles.

The seeds are fixed, so that a test that passes goes on to pass. Each limit says how unlikely a
uniform matrix is to miss it: a Kolmogorov-Smirnov distance of 2.6 by the root of the size has
p = 2·exp(-2·2.6²) = 3e-6, and five standard errors of a mean have p = 6e-7.
"""

import functools
import math

import numpy as np
import pytest

import weightinit_fast as wf

COUNT = 20_000


def matrices(rows, columns, count=COUNT, dtype="f4"):
    """Return independent matrices, in float64."""
    shape = (count, rows, columns)
    return wf.orthogonal(shape, layout="BOI", dtype=dtype, rng=11, stream="haar").astype("f8")


def distance(sample, distribution):
    """Return the Kolmogorov-Smirnov distance times the root of the size; 1.95 has p = 0.001."""
    u = np.sort(distribution(np.ravel(sample)))
    k = np.arange(len(u))
    return max(np.max(u - k / len(u)), np.max((k + 1) / len(u) - u)) * len(u) ** 0.5


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (3, 1), (2, 3), (5, 5), (5, 2)])
def test_entries(rows, columns, dtype):
    """A column is uniform on the sphere: its entries in 3 dimensions are uniform (Archimedes)."""
    sphere = {3: lambda x: (1 + x) / 2, 5: lambda x: (2 + 3 * x - x**3) / 4}[max(rows, columns)]
    w = matrices(rows, columns, dtype=dtype)
    for i in range(rows):
        for j in range(columns):
            assert distance(w[:, i, j], sphere) < 2.6  # p = 3e-6


def sphere(n):
    """Return the distribution of a coordinate on the sphere in n dimensions."""
    x = np.linspace(-1, 1, 100_001)
    density = (1 - x**2) ** ((n - 3) / 2)
    total = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
    return lambda sample: np.interp(sample, x, total / total[-1])


@pytest.mark.parametrize(("rows", "columns"), [(65, 65), (65, 33), (40, 65), (200, 3)])
def test_entries_of_several_panels(rows, columns):
    """The columns of the first, of a middle and of a narrow last panel are on the sphere too."""
    w = matrices(rows, columns, 3000)
    law = sphere(max(rows, columns))
    for i in {0, rows // 2, rows - 1}:
        for j in {0, columns // 2, columns - 1}:
            assert distance(w[:, i, j], law) < 2.6  # p = 3e-6


def test_products_of_entries():
    """Entries of different rows and columns have the mean products of a uniform matrix."""
    n = 5
    w = matrices(n, n)
    for first, second in (((0, 0), (1, 1)), ((0, 1), (2, 4)), ((4, 3), (3, 4))):
        x, y = w[:, first[0], first[1]], w[:, second[0], second[1]]
        for product, mean in ((x * y, 0), (x**2 * y**2, (n + 1) / (n * (n - 1) * (n + 2)))):
            # p = 6e-7
            assert abs(product.mean() - mean) < 5 * product.std() / COUNT**0.5


@pytest.mark.parametrize("n", [4, 7, 40])
def test_traces(n):
    """Their moments are those of Diaconis and Shahshahani, "On the eigenvalues" (1994).

    The limits are five standard errors or more, p < 6e-7.
    """
    count = COUNT if n < 20 else 2000
    w = matrices(n, n, count)
    first, second = np.einsum("bii->b", w), np.einsum("bij,bji->b", w, w)
    margin = 5 / count**0.5
    assert abs(first.mean()) < margin
    assert abs((first**2).mean() - 1) < 2 * margin
    assert abs((first**3).mean()) < 4 * margin
    assert abs((first**4).mean() - 3) < 10 * margin
    assert abs(second.mean() - 1) < 2 * margin
    assert abs(second.var() - 2) < 6 * margin


def test_traces_of_large_matrices_are_normal():
    """Their distance from normal numbers falls faster than exponentially (Johansson, 1997)."""
    w = matrices(40, 40, 5000)

    def normal(x):
        return np.array([(1 + math.erf(y / 2**0.5)) / 2 for y in x])

    assert distance(np.einsum("bii->b", w), normal) < 2.6  # p = 3e-6
    second = np.einsum("bij,bji->b", w, w)
    assert distance((second - 1) / 2**0.5, normal) < 2.6  # p = 3e-6


def test_determinants():
    """Both signs are equally frequent, p = 6e-7; LAPACK's own signs would fix them."""
    for n in (2, 3, 6):
        signs = np.sign(np.linalg.det(matrices(n, n)))
        assert abs(signs.mean()) < 5 / COUNT**0.5


@functools.cache
def spacings():
    """Return the spacings of eigenvalues of matrices of side 60, one array for each."""
    found = []
    for one in np.angle(np.linalg.eigvals(matrices(60, 60, 400))):
        upper = np.sort(one[(one > 0.3) & (one < np.pi - 0.3)])  # away from the real eigenvalues
        found.append(np.diff(upper) * 60 / (2 * np.pi))
    return found


def test_spacings_of_eigenvalues():
    """They follow Wigner's surmise for the unitary class, which is right to 0.5 %.

    The distance is 2.6 by the root of their number, p = 3e-6 if they were independent; in fact they
    repel each other, and the distance is smaller. Independent angles are far away.
    """
    s = np.concatenate(spacings())
    erf = np.vectorize(math.erf)

    def surmise(x):
        return erf(2 * x / np.pi**0.5) - 4 * x / np.pi * np.exp(-4 * x**2 / np.pi)

    assert distance(s, surmise) < 2.6
    assert distance(s, lambda x: 1 - np.exp(-x)) > 20


def test_ratios_of_spacings():
    """The ratio of neighbouring spacings has the mean 0.5996 of the unitary class, p = 6e-7.

    (Atas et al., "Distribution of the ratio of consecutive level spacings", 2013. Independent
    angles have the mean 0.3863.)
    """
    ratios = np.concatenate(
        [np.minimum(s[1:], s[:-1]) / np.maximum(s[1:], s[:-1]) for s in spacings()]
    )
    assert abs(ratios.mean() - 0.5996) < 5 * ratios.std() / len(ratios) ** 0.5 + 0.003
