"""docs/coming-from.md, JAX: both columns of every row are run, and each difference is shown."""

import numpy as np
import pytest
from adapted import adapter, jax
from support.coming_from import assert_same_law, draw_here, shape_of, tables

import weightinit_fast as wi

CALLS, SUBJECTS = tables("JAX")
NORMALS = ("he_normal", "glorot_normal", "lecun_normal")


def theirs(name, *arguments, **keywords):
    return getattr(jax.nn.initializers, name)(*arguments, **keywords)


def ours(name, *arguments, **keywords):
    return getattr(adapter.initializers, name)(*arguments, **keywords)


@pytest.mark.parametrize(("call", "here"), CALLS)
def test_both_columns(call, here):
    key = jax.random.key(1)
    drawn = draw_here(here, adapter.key(key))
    names = {"key": key, "shape": shape_of(here)}
    assert_same_law(np.asarray(eval(call, names | {"init": jax.nn.initializers})), drawn, here)
    adapted = eval(call, names | {"init": adapter.initializers})
    np.testing.assert_array_equal(np.asarray(adapted), drawn)


def key():
    one = jax.random.key(5)
    for make in (theirs, ours):
        assert make("normal")(one, (99,)).shape == (99,)
    same = wi.normal(99, std=0.01, rng=adapter.key(one))
    assert (np.asarray(ours("normal")(one, (99,))) == same).all()


def seed():
    assert wi.key(0) != adapter.key(jax.random.key(0))


def splitting():
    one = jax.random.key(0)
    for make in (theirs, ours):
        draw = make("normal")
        assert (draw(one, (99,)) == draw(one, (99,))).all()
        first, second = jax.random.split(one)
        assert not (draw(first, (99,)) == draw(second, (99,))).all()
    rng = adapter.key(one)
    a, b = (wi.normal(99, rng=rng, stream=name) for name in "ab")
    assert not (a == b).all()


def bits():
    one = jax.random.key(0)
    drawn = [np.asarray(make("normal")(one, (10**5,))) for make in (theirs, ours)]
    assert (drawn[0] == drawn[1]).mean() < 1e-3
    assert (theirs("constant", 0.1)(one, (9,)) == wi.constant(9, value=0.1)).all()


def normals():
    for name in NORMALS:
        std = {"glorot_normal": 400**-0.5, "he_normal": 200**-0.5}.get(name, 400**-0.5)
        cut = 2 * std / 0.8796256610342398
        for make in (theirs, ours):
            assert abs(make(name)(jax.random.key(0), (400, 400))).max() <= cut * (1 + 1e-6)
        plain = {"glorot_normal": wi.xavier_normal}.get(name) or getattr(wi, name)
        assert abs(plain((400, 400), rng=0)).max() > 1.5 * cut


def layout():
    fans = jax._src.nn.initializers._compute_fans
    assert fans((5, 7)) == wi.fans((5, 7), layout="IO") == (5, 7)
    assert fans((2, 3, 5, 7)) == wi.fans((2, 3, 5, 7), layout="HWIO") == (30, 42)
    assert wi.fans((5, 7)) == (7, 5)


def batch():
    fans = jax._src.nn.initializers._compute_fans
    assert fans((8, 5, 7), batch_axis=0) == wi.fans((8, 5, 7), layout="BIO") == (5, 7)
    two = fans((5, 8, 7), in_axis=0, out_axis=(1, 2))
    assert two == wi.fans((5, 8, 7), layout="IOO") == (5, 56)


def narrow():
    one, shape = jax.random.key(0), (10**6,)
    drawn = [
        np.asarray(make("normal", 1.0)(one, shape, "bfloat16")).astype(np.float32)
        for make in (theirs, ours)
    ]
    assert len(np.unique(drawn[0])) == 128
    assert len(np.unique(drawn[1])) > 2000
    wide = wi.normal(shape, rng=adapter.key(one))
    assert (drawn[1] == np.asarray(jax.numpy.asarray(wide).astype("bfloat16"), np.float32)).all()


def jit():
    one = jax.random.key(0)
    for make in (theirs, ours):
        draw = make("he_normal")
        inside = jax.jit(lambda key: draw(key, (64, 64)))(one)  # noqa: B023  called at once
        assert inside.shape == (64, 64)
    assert (inside == draw(one, (64, 64))).all()


def float64():
    if not jax.config.jax_enable_x64:
        with pytest.warns(UserWarning, match="float64"):
            jax.numpy.zeros(3, "float64")
    assert wi.normal(9, rng=0, dtype="float64").dtype == np.float64


CHECKS = {
    "key": key,
    "seed": seed,
    "splitting": splitting,
    "bits": bits,
    "normals": normals,
    "layout": layout,
    "batch axes": batch,
    "bfloat16": narrow,
    "jax.jit": jit,
    "float64": float64,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_different(subject):
    CHECKS[subject]()


def test_the_page_tells_everything_that_is_checked():
    assert list(CHECKS) == SUBJECTS
