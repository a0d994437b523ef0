"""The oracle of the orthogonal factor, checked by exact arithmetic and by NumPy's QR."""

from fractions import Fraction

import numpy as np
import pytest
from oracles import oracle_orthogonal as oracle

pytestmark = pytest.mark.meta
DTYPES = ("f4", "f8")
LIMIT = {"f4": 1e-5, "f8": 1e-14}


def deviation(q):
    """Return the 2-norm of QᵀQ − 1."""
    q = q.astype("f8")
    return np.linalg.norm(q.T @ q - np.eye(q.shape[1]), 2)


def test_fma64_equals_fractions():
    """Sums that cancel, of which the product's last digits are all that is left, are among them."""
    random = np.random.default_rng(1)
    a, b, c = (random.standard_normal(3000) * 2.0 ** random.integers(-30, 30, 3000) for _ in "abc")
    cancelling = -a * b * (1 + 2.0**-50 * random.integers(-4, 5, 3000))
    c = np.where(random.random(3000) < 0.5, cancelling, c)
    expected = [
        float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)
    ]
    assert oracle.fma64(a, b, c).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_inner_products_are_summed_in_the_order_of_the_contract(dtype):
    """Ones and a number that is lost where it is added to a large sum tell the order."""
    large = {"f4": 2.0**24, "f8": 2.0**53}[dtype]
    x = np.ones((4096 + 130, 1), dtype)
    x[0] = large
    y = np.ones_like(x)
    # The first block loses its other 127 ones; 31 blocks of 128 follow, and a span of 128 + 2.
    expected = x.dtype.type(large) + x.dtype.type(31 * 128)
    assert oracle.inner(x, y)[0, 0] == expected + x.dtype.type(130)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (8, 8), (40, 7), (70, 70), (130, 40), (300, 33)])
def test_the_factor_is_that_of_numpy(dtype, shape):
    normals = np.random.default_rng(2).standard_normal(shape).astype(dtype)
    q = oracle.orthogonal(normals)
    assert deviation(q) <= LIMIT[dtype]
    exact, r = np.linalg.qr(normals.astype("f8"))
    exact *= np.sign(np.diagonal(r))
    np.testing.assert_allclose(q, exact, rtol=0, atol=LIMIT[dtype] * np.linalg.cond(r))


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_that_depend_on_others_become_orthogonal_ones(dtype):
    a = np.random.default_rng(3).standard_normal((50, 40)).astype(dtype)
    a[:, 3] = 0
    a[:, 5] = a[:, 4]
    a[:, 35] = a[:, 2] + a[:, 33]
    a[:, 38] = 0
    assert deviation(oracle.orthogonal_factor(a)) <= LIMIT[dtype]
    assert deviation(oracle.orthogonal_factor(np.zeros((40, 40), dtype))) == 0
