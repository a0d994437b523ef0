"""What the tests of traced draws share: the draws, their bits in NumPy, and two ways to draw."""

import contextlib

import numpy as np
from support.frameworks import Framework

import weightinit_fast as wi

jax = Framework("jax")
jnp = Framework("jax.numpy")
draws = Framework("weightinit_fast.jax.draw", after=jax)
library = Framework("weightinit_fast.jax.traced.library", after=jax)

SHAPE = (16, 24)
INITIALISERS = (
    "normal(mean=0.5, std=0.02)",
    "uniform(low=-1, high=2)",
    "truncated_normal(std=0.1)",
    "truncated_normal(lower=-1.0, upper=3.0)",
    "he_normal(layout='IO')",
    "xavier_uniform(layout='IO')",
    "variance_scaling(scale=2.0, mode='fan_in', distribution='truncated_normal', layout='IO')",
)
#: Those that depend on the whole tensor, or are no draw of the engine: Python makes them.
BY_PYTHON = ("orthogonal", "identity(gain=2.0)", "sparse(sparsity=0.5)")
CONSTANTS = ("zeros", "ones", "constant(value=0.1)")
DTYPES = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def draw(key, init="normal(mean=0.5, std=0.02)", shape=SHAPE, dtype="float32", out_sharding=None):
    """Draw by the adapter."""
    found = np.dtype(getattr(jnp, dtype))
    return draws.draw(wi.initializer(init), key, shape, found, out_sharding)


def bits(key, init="normal(mean=0.5, std=0.02)", shape=SHAPE, dtype="float32"):
    """Return the bytes that NumPy's array has."""
    made = wi.initializer(init)(shape, rng=wi.jax.key(key), dtype=dtype)
    return np.asarray(made).tobytes()


def same(array, *args, **kwargs):
    """Whether an array has the bits of NumPy's."""
    return np.asarray(array).tobytes() == bits(*args, **kwargs)


@contextlib.contextmanager
def by_way(way, monkeypatch):
    """Let draws be calls of the engine ("ffi") or of Python ("callback")."""
    if way == "ffi":
        assert library.why_missing() is None
        yield
        return
    jax.clear_caches()
    monkeypatch.setattr(library._module, "why_missing", lambda: "a test wants it so")
    yield
    jax.clear_caches()
