"""The functions of ``jax.nn.initializers``, by their names, arguments and defaults.

Each of them returns what JAX's own function returns: a callable ``init(key, shape, dtype=None,
out_sharding=None)`` that makes a jax.Array. (``zeros`` and ``ones`` are such callables themselves.)
It can stand wherever Flax, Equinox, Haiku and other libraries take an initialiser, inside and
outside of ``jax.jit`` and the other transformations.

The key of JAX is the key, and the stream is 0. So the values are those of the function of this
package that is named below with ``rng=wi.jax.key(key)``, for every sharding. They are not those of
``jax.random``. The distributions are JAX's, whose normals with a scale from the shape are
truncated.

=====================  ===========================================================================
here                   in weightinit_fast
=====================  ===========================================================================
``zeros``, ``ones``    zeros, ones
``constant``           constant
``uniform``            uniform, from 0 to scale
``normal``             normal
``truncated_normal``   truncated_normal
``variance_scaling``   variance_scaling, with in_axis, out_axis and batch_axis instead of layout
``glorot_*``           variance_scaling with scale 1, mode fan_avg
``lecun_*``            variance_scaling with scale 1, mode fan_in
``he_*``               variance_scaling with scale 2, mode fan_in; ``*_normal`` is truncated
``orthogonal``         orthogonal, with column_axis=-1
``delta_orthogonal``   delta_orthogonal, with layout "WIO", "HWIO" or "DHWIO"
=====================  ===========================================================================

``xavier_*`` is another name of ``glorot_*``, and ``kaiming_*`` of ``he_*``.

Arrays of float32, float64, float16, bfloat16, float8_e4m3fn and float8_e5m2 are drawn here. Every
other dtype is left to JAX's own function, which draws it from ``jax.random`` (complex numbers) or
refuses it (integers).

>>> import jax, jax.numpy as jnp
>>> import weightinit_fast.jax
>>> from weightinit_fast.jax import initializers
>>> init = initializers.he_normal()
>>> w = init(jax.random.key(42), (3, 3, 64, 128), jnp.bfloat16)
>>> w.shape, w.dtype
((3, 3, 64, 128), dtype(bfloat16))
"""

from __future__ import annotations

from jax.nn.initializers import Initializer

from .orthogonal import delta_orthogonal, orthogonal
from .plain import constant, normal, ones, truncated_normal, uniform, zeros
from .scaled import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

# help() and pickles then name each function by this module.
for _name in __all__:
    if _name != "Initializer":
        globals()[_name].__module__ = __name__
del _name
