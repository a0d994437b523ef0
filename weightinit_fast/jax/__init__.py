"""Initialisers for JAX: jax.nn.initializers by another engine. It needs jax, and is imported late.

An element depends on (key, index) alone. So an array has the same values whatever devices share it,
inside and outside of ``jax.jit``, and as an array of NumPy.

>>> import jax
>>> import weightinit_fast as wi
>>> import weightinit_fast.jax  # `wi.jax` is imported when it is first used
>>> jax_key = jax.random.key(0)
>>> w = wi.jax.initializers.normal(0.02)(jax_key, (256, 128))
>>> bool((w == wi.normal((256, 128), std=0.02, rng=wi.jax.key(jax_key))).all())
True
"""

from __future__ import annotations

try:
    # First, so that the error below is the one that is seen, also if a folder is called jax.
    import jax.numpy as _jnp  # noqa: F401
except ImportError as _error:
    raise ImportError(
        "weightinit_fast.jax needs the package jax: run pip install '.[jax]' in the clone, or pip "
        "install jax"
    ) from _error

from ..models.report import Report, ReportRow
from . import initializers
from .initializer import initializer
from .keys import key
from .materialize import explain, materialize, shapes

__all__ = [
    "Report",
    "ReportRow",
    "explain",
    "initializer",
    "initializers",
    "key",
    "materialize",
    "shapes",
]
