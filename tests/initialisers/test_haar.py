"""Orthogonal matrices are distributed uniformly (Haar): entries, traces, determinants, angles."""

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


@pytest.mark.parametrize("n", [4, 7, 40])
def test_traces(n):
    """Their moments are those of Diaconis and Shahshahani, "On the eigenvalues" (1994)."""
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


def test_determinants():
    """Both signs are equally frequent; LAPACK's own signs would fix them."""
    for n in (2, 3, 6):
        signs = np.sign(np.linalg.det(matrices(n, n)))
        assert abs(signs.mean()) < 5 / COUNT**0.5


def test_spacings_of_eigenvalues():
    """The ratio of neighbouring spacings has the mean 0.5996 of the unitary class.

    (Atas et al., "Distribution of the ratio of consecutive level spacings", 2013. Independent
    angles have the mean 0.3863.)
    """
    angles = np.angle(np.linalg.eigvals(matrices(60, 60, 400)))
    ratios = []
    for one in angles:
        upper = np.sort(one[(one > 0.3) & (one < np.pi - 0.3)])  # away from the real eigenvalues
        spacings = np.diff(upper)
        ratios.append(
            np.minimum(spacings[1:], spacings[:-1]) / np.maximum(spacings[1:], spacings[:-1])
        )
    ratios = np.concatenate(ratios)
    assert abs(ratios.mean() - 0.5996) < 5 * ratios.std() / len(ratios) ** 0.5 + 0.003
