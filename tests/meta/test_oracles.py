"""The oracles of types, truncated normals and structure, each checked by a second method."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from oracles import oracle, oracle_structured, oracle_truncated, oracle_types

pytestmark = pytest.mark.meta
KEY = (0x299F31D0A4093822, 0xEC4E6C89082EFA98)
INF = np.inf
NAMES = tuple(oracle_types.TYPES)


def all_patterns(name):
    f = oracle_types.TYPES[name]
    return np.arange(2**f.width).astype(f.bits)


# Types -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "one", "greatest", "tiny"),
    [
        ("float16", 2 * 0x7C00 - 1, 0x3C00, 0x7BFF, 2.0**-24),
        ("bfloat16", 2 * 0x7F80 - 1, 0x3F80, 0x7F7F, 2.0**-133),
        ("float8_e4m3fn", 2 * 0x7F - 1, 0x38, 0x7E, 2.0**-9),
        ("float8_e5m2", 2 * 0x7C - 1, 0x3C, 0x7B, 2.0**-16),
    ],
)
def test_types_by_hand(name, count, one, greatest, tiny):
    f = oracle_types.TYPES[name]
    assert len(oracle_types.values(name)) == count
    patterns = np.array([0, one, greatest, 1], dtype=f.bits)
    assert oracle_types.decode(name, patterns).tolist() == [0, 1, f.largest, tiny]
    assert oracle_types.values(name)[-1] == f.largest
    assert f.tiny == tiny
    assert oracle_types.above(name, 1) == 1 + f.epsilon
    assert oracle_types.below(name, 1) == 1 - f.epsilon / 2


@pytest.mark.parametrize("name", NAMES)
def test_encode_inverts_decode(name):
    patterns = all_patterns(name)
    v = oracle_types.decode(name, patterns)
    number = ~np.isnan(v)
    assert np.array_equal(oracle_types.encode(name, v[number]), patterns[number])
    assert np.isnan(oracle_types.decode(name, oracle_types.encode(name, [np.nan]))).all()
    assert np.array_equal(oracle_types.round_to(name, v), v, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_against_exact_distances(name):
    """Numbers around values and midpoints round to the nearest value, or to the even one."""
    f = oracle_types.TYPES[name]
    rng = np.random.default_rng(5)
    grid = oracle_types.values(name)
    middle = oracle_types.midpoints(name)[1:-1]
    pick = rng.integers(0, len(middle), 400)
    x = np.concatenate(
        [middle[pick], np.nextafter(middle[pick], INF), np.nextafter(middle[pick], -INF)]
    )
    x = np.concatenate([x, rng.uniform(-2, 2, 400), [0.0, -0.0, f.largest, f.tiny / 2, 5e-324]])
    for number, rounded in zip(x.tolist(), oracle_types.round_to(name, x).tolist(), strict=True):
        k = int(np.searchsorted(grid, number))
        near = grid[max(0, k - 1) : k + 1]

        def distance(v, number=number):
            odd = int(oracle_types.encode(name, v)) & 1
            return abs(Fraction(float(v)) - Fraction(number)), odd

        assert rounded == min(near, key=distance), number


@pytest.mark.parametrize("name", NAMES)
def test_rounding_at_the_ends(name):
    f = oracle_types.TYPES[name]
    end = INF if f.has_infinity else f.largest
    inside, outside = np.nextafter(f.overflow, 0), np.nextafter(f.overflow, INF)
    x = np.array([inside, outside, 1e300, INF, -outside, -INF])
    expected = [f.largest, end, end, end, -end, -end]
    assert oracle_types.round_to(name, x).tolist() == expected
    # The tie goes to the even pattern, which is infinity after 0x7B...F, but 448 = 0x7E.
    assert oracle_types.round_to(name, f.overflow) == end
    assert np.signbit(oracle_types.round_to(name, [-0.0, -f.tiny / 2])).all()


@pytest.mark.parametrize("name", NAMES)
def test_rounding_against_other_implementations(name):
    """NumPy judges float16; ml_dtypes judges the others, where it is installed."""
    module = np if name == "float16" else pytest.importorskip("ml_dtypes")
    other = getattr(module, name)
    f = oracle_types.TYPES[name]
    x = oracle_types.awkward_float32(name)
    mine = oracle_types.round_to(name, x)
    with np.errstate(all="ignore"):
        theirs = x.astype(other)
        as_float = theirs.astype(np.float64)
        other_values = all_patterns(name).view(other).astype(np.float64)
    if not f.has_infinity:  # ml_dtypes gives NaN on overflow
        assert (np.abs(mine[np.isnan(as_float) & ~np.isnan(x)]) == f.largest).all()
    number = ~np.isnan(as_float)
    assert number.mean() > 0.5
    patterns = oracle_types.encode(name, mine[number])
    assert np.array_equal(patterns, theirs[number].view(f.bits))
    decoded = oracle_types.decode(name, all_patterns(name))
    assert np.array_equal(decoded, other_values, equal_nan=True)


def test_float16_rounds_float64_once():
    x = oracle_types.midpoints("float16")
    x = np.concatenate([x, np.nextafter(x, INF), np.nextafter(x, -INF), x * (1 + 2.0**-40)])
    with np.errstate(all="ignore"):
        theirs = x.astype(np.float16)
    assert np.array_equal(oracle_types.round_to("float16", x), theirs.astype(np.float64))


def test_neighbours_of_ieee_types():
    for name, t in oracle_types.IEEE.items():
        for x in (0.0, 1.0, -1.0, 0.1, -0.3, 3e38, 1e-45):
            y = oracle_types.above(name, x)
            assert y > x
            assert float(np.nextafter(t(y), t(-INF))) <= x
    assert oracle_types.above("float32", -INF) == -float(np.finfo("f4").max)
    assert oracle_types.below("float32", 1e39) == float(np.finfo("f4").max)


def test_limits_by_hand():
    limits = oracle_types.uniform_limits
    for low, high in ((0.7, 1), (0.3, 0.7), (0.1, 0.3), (-1, 0)):
        assert limits("float32", low, high) == tuple(
            map(float, oracle.uniform_limits(low, high, "f4"))
        )
    assert limits("bfloat16", -1, 0) == (-1, -(2.0**-133))
    # 1 + 2^-8 + 2^-40 rounds up to 1 + 2^-7, but down to 1 if float32 comes first.
    edge = 1 + 2.0**-8 + 2.0**-40
    assert limits("bfloat16", 0, edge) == (0, 1)
    assert limits("bfloat16", edge, 2) == (1 + 2.0**-7, 2 - 2.0**-7)
    assert limits("float8_e4m3fn", -448, 448) == (-448, 416)
    assert limits("float8_e4m3fn", -1, 1) == (-1, 0.9375)
    limits = oracle_types.truncated_limits
    assert limits("float64", 0, 1, -2, 2) == (np.nextafter(-2, 0), np.nextafter(2, 0))
    assert limits("float8_e5m2", 0, 1, -2, 2) == (-1.75, 1.75)
    assert limits("float16", 0, 1, -INF, INF) == (-65504, 65504)
    assert limits("float8_e4m3fn", 0, 1, -INF, INF) == (-448, 448)
    assert limits("bfloat16", 0, 1, 0, edge) == (2.0**-133, 1)
    with pytest.raises(ValueError, match="no bfloat16"):
        limits("bfloat16", 1, 2.0**-9, -1, 1)


# Truncated ---------------------------------------------------------------------------------------

INTERVALS = [(-2, 2), (-8, 8), (0, INF), (3, 4), (5, 8), (-8, -7.5), (-100, 100), (-INF, -8)]
INTERVALS += [(0, 1e-6), (1, 1 + 1e-5), (-INF, INF), (-1, 0.5), (8, INF), (-37, 2)]


@pytest.mark.parametrize(("lower", "upper"), INTERVALS)
def test_fast_truncated_is_exact_enough(lower, upper):
    """z_fast is off by 2^-10 of the contract's bound at most, at extreme words and others."""
    words = np.concatenate(
        [[0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], oracle.words(KEY, 5, range(58))]
    )
    words = words.astype(np.uint32)
    fast = oracle_truncated.z_fast(words, lower, upper)
    for a, b in zip(fast, oracle_truncated.z_exact(words, lower, upper), strict=True):
        assert abs(a - b) < 2.0**-30 * max(1, abs(b))
    assert (np.diff(fast[np.argsort(words)]) >= 0).all()


@pytest.mark.parametrize(("lower", "upper"), [(-2, 2), (5, 8), (-8, -7.5), (-INF, -8), (36, 37)])
@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_exact_truncated_solves_its_equation(lower, upper, dtype):
    """z_exact solves the contract's formula, here in 1500 bits, where cancellation is harmless."""
    bits = 8 * np.dtype(dtype).itemsize
    words = np.array([0, 3, 2 ** (bits - 1), 2**bits - 1], dtype=dtype)
    with mpmath.workprec(1500):
        low, high = mpmath.ncdf(lower), mpmath.ncdf(upper)
        for word, z in zip(
            words.tolist(), oracle_truncated.z_exact(words, lower, upper), strict=True
        ):
            p = mpmath.mpf(2 * word + 1) / 2 ** (bits + 1)
            target = low + p * (high - low)
            error = (mpmath.ncdf(z) - target) / mpmath.npdf(z)  # the error of z, to first order
            assert abs(error) < mpmath.mpf(2) ** -100


def test_truncated_bound_by_hand():
    exact, bound = oracle_truncated.truncated_exact(KEY, 1, np.arange(50), 0.25, 1.5, 3, 4)
    z = (exact - 0.25) / 1.5
    assert ((z > 3) & (z < 4)).all()
    expected = 2.0**-20 * 1.5 * z + 2.0**-23 * exact
    np.testing.assert_allclose(bound, expected, rtol=1e-6)


@pytest.mark.parametrize(("lower", "upper"), [(-2, 2), (0, INF), (3, 4), (-1, 0.5)])
def test_truncated_moments(lower, upper):
    """Compare with quadrature, and with the standard deviation that libraries divide by."""
    mass = mpmath.ncdf(upper) - mpmath.ncdf(lower)
    for k, moment in enumerate(oracle_truncated.moments(lower, upper)):
        integral = mpmath.quad(lambda x, k=k: x**k * mpmath.npdf(x), [lower, upper]) / mass
        assert moment == pytest.approx(float(integral), rel=1e-12, abs=1e-15)
    if (lower, upper) == (-2, 2):
        std = oracle_truncated.moments(-2, 2)[2] ** 0.5
        assert std == pytest.approx(0.8796256610342398, rel=1e-15)


# Structure ---------------------------------------------------------------------------------------


def test_structured_by_hand():
    assert oracle_structured.identity((2, 3), 5).tolist() == [[5, 0, 0], [0, 5, 0]]
    w = oracle_structured.dirac((4, 2, 2), groups=2)
    assert np.argwhere(w).tolist() == [[0, 0, 1], [1, 1, 1], [2, 0, 1], [3, 1, 1]]
    w = oracle_structured.dirac((3, 5, 2, 4), layout="HWIO")
    assert np.argwhere(w).tolist() == [[1, 2, 0, 0], [1, 2, 1, 1]]
    tap = np.array([[1.0, 2], [3, 4], [5, 6]])
    w = oracle_structured.delta_orthogonal(tap, (4, 3, 2, 3), "HWIO")
    assert w[1, 1].tolist() == tap.T.tolist()
    assert np.count_nonzero(w) == 6


def test_sparse_by_hand():
    mask = oracle_structured.ranks_first([5, 3, 9, 3, 5], 3)
    assert mask.tolist() == [True, True, False, True, False]  # the tie of 5 goes to the first row
    zeros = oracle_structured.sparse_zeros(KEY, 3, (10, 4), 0.25)
    assert zeros.sum(axis=0).tolist() == [3] * 4
    words = oracle.words(KEY, 3, np.arange(40, dtype=np.uint64) + np.uint64(2**63)).reshape(10, 4)
    for column, zero in zip(words.T, zeros.T, strict=True):
        assert column[zero].max() < column[~zero].min()


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 2), 0), ((2, 6), 0), ((4, 2, 3), -1), ((3, 4, 5), 1)]
)
def test_orthogonal_by_its_properties(shape, axis):
    rows = shape[axis]
    normals = np.random.default_rng(1).normal(size=(rows, np.prod(shape) // rows))
    w = np.moveaxis(oracle_structured.orthogonal(normals, shape, 2.0, axis), axis, 0).reshape(
        rows, -1
    )
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 4 * np.eye(min(w.shape)), atol=1e-12)
    # R = QᵀA has a positive diagonal. This condition makes the matrix of the normals unique.
    r = (w.T @ normals if w.shape[0] >= w.shape[1] else w @ normals.T) / 2
    assert (np.diag(r) > 0).all()
    np.testing.assert_allclose(np.tril(r, -1), 0, atol=1e-12)
