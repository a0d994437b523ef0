"""docs/coming-from.md, NumPy: both columns of every row are run, and each difference is shown."""

import numpy as np
import pytest
from support.coming_from import PAGE, assert_same_law, draw_here, shape_of, tables

import weightinit_fast as wi

pytestmark = pytest.mark.meta
CALLS, SUBJECTS = tables("NumPy")
NARROW = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]


@pytest.mark.parametrize(("theirs", "ours"), CALLS)
def test_both_columns(theirs, ours):
    names = {"np": np, "rng": np.random.default_rng(1), "shape": shape_of(ours)}
    drawn, here = eval(theirs, names), draw_here(ours)
    assert drawn.dtype == here.dtype
    assert_same_law(drawn, here, ours)


def dtype():
    rng = np.random.default_rng(0)
    assert rng.normal(size=3).dtype == rng.standard_normal(3).dtype == np.float64
    with pytest.raises(TypeError, match="float16"):
        rng.standard_normal(3, "float16")
    assert wi.normal(3, rng=0).dtype == np.float32
    pytest.importorskip("ml_dtypes")
    for name in ("float32", "float64", *NARROW):
        assert wi.normal(3, rng=0, dtype=name).dtype.name == name


def seed():
    assert wi.key(0) != wi.key(np.random.default_rng(0))
    assert (wi.normal(99, rng=0) != wi.normal(99, rng=np.random.default_rng(0))).any()


def generator():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    first = wi.normal(99, rng=rng)
    assert rng.bit_generator.state != before
    assert (first != wi.normal(99, rng=rng)).any()
    assert (first == wi.normal(99, rng=np.random.default_rng(0))).all()


def two_calls():
    rng = np.random.default_rng(0)
    assert (rng.normal(size=99) != rng.normal(size=99)).any()
    assert (wi.normal(99, rng=0, stream="a") == wi.normal(99, rng=0, stream="a")).all()


def bits():
    theirs = np.random.default_rng(0).standard_normal(10**5, "float32")
    assert (theirs == wi.normal(10**5, rng=0)).mean() < 1e-3
    assert (np.full(9, 0.1, "float32") == wi.constant(9, value=0.1)).all()


def out():
    rng, wanted = np.random.default_rng(0), wi.normal((20, 30), rng=0)
    rng.standard_normal(out=np.empty((20, 30)))
    rng.standard_normal(out=np.empty((20, 30), order="F"))
    for array in (
        np.empty((40, 30), "float32")[::2],
        np.empty((30, 20), "float32").T[::-1],
        np.empty((20, 30), np.dtype("float32").newbyteorder()),
    ):
        with pytest.raises((ValueError, TypeError)):
            rng.standard_normal(out=array, dtype="float32")
        assert (wi.normal(out=array, rng=0) == wanted).all()


def part():
    whole = wi.normal((30, 4), rng=0)
    assert (wi.normal((30, 4), rng=0, index=np.s_[10:20]) == whole[10:20]).all()


def workers():
    def theirs(n):
        seeds = np.random.SeedSequence(0).spawn(n)
        return np.concatenate([np.random.default_rng(s).normal(size=60 // n) for s in seeds])

    def ours(n):
        step = 60 // n
        return np.concatenate(
            [wi.normal(60, rng=0, index=np.s_[k : k + step]) for k in range(0, 60, step)]
        )

    assert (theirs(2) != theirs(3)).any()
    assert (ours(2) == ours(3)).all()


def uniforms():
    drawn = np.random.default_rng(0).uniform(1, 1 + 2**-20, 10**5)
    assert drawn.min() >= 1
    assert drawn.max() < 1 + 2**-20
    pytest.importorskip("ml_dtypes")
    for name in ("float32", "float64", *NARROW):
        here = wi.uniform(10**5, low=1, high=2, rng=0, dtype=name).astype("float64")
        assert here.min() >= 1
        assert here.max() < 2


CHECKS = {
    "dtype": dtype,
    "seed": seed,
    "Generator": generator,
    "two calls": two_calls,
    "bits": bits,
    "out=": out,
    "part of an array": part,
    "workers": workers,
    "range of uniforms": uniforms,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_different(subject):
    CHECKS[subject]()


def test_the_page_tells_everything_that_is_checked():
    assert list(CHECKS) == SUBJECTS


def test_the_page_names_the_tests():
    assert "tests/meta/test_coming_from_numpy.py" in PAGE.read_text(encoding="utf-8")
