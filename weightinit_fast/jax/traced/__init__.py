"""Draws inside of functions that JAX traces.

``primitive`` has the primitive that stands for a draw in a traced function, ``lowering`` what it
becomes in a program of XLA, ``partition`` how the devices of a mesh share it, and ``library`` the
compiled handler, through which the program calls the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..._resolve.dtypes import requested
from ..._resolve.target import region_target
from ...initialisers.initializer import Initializer, rule_of
from ...initialisers.rules import Constant, Rule
from . import library
from .lowering import What
from .primitive import bind

__all__ = ["draw", "sharded"]

OutSharding: TypeAlias = jax.sharding.Sharding | jax.sharding.PartitionSpec

library.register_early()


def draw(
    init: Initializer,
    words: Any,
    shape: tuple[int, ...],
    dtype: np.dtype,
    out_sharding: OutSharding | None,
    stream: int = 0,
) -> jax.Array:
    """Draw a tensor with a key that is known when the traced function runs.

    What is wrong with the shape or the dtype is raised now, as the draw would raise it.

    Parameters
    ----------
    init : Initializer
        What is drawn.
    words : tracer
        The four words of the key, uint32.
    shape, dtype
        Those of the whole tensor. The dtype is one that the engine fills.
    out_sharding
        How the devices share the array, if the caller says so. Otherwise XLA finds the sharding
        that suits the function in which the array is used.
    stream : int
        The number of the stream.

    Returns
    -------
    jax.Array
        A tracer.
    """
    rule = rule_of(init)
    _check(rule, shape, dtype)

    def make(words: Any) -> jax.Array:
        made: jax.Array
        if 0 in shape:
            made = jnp.zeros(shape, dtype)
        elif isinstance(rule, Constant):
            # XLA knows constants better than calls. The engine rounds the value to the type.
            made = jnp.full(shape, init((), dtype=dtype))
        else:
            made = bind(words, What(init, shape, dtype, stream))
        return made

    if out_sharding is None:
        return make(words)
    return sharded(make, words, out_sharding)


def _check(rule: Rule, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise what the draw would raise, when the function is traced."""
    kind, _ = requested(dtype)
    nothing = np.empty(0, kind.storage)
    rule.check(region_target(shape, kind, nothing, (None, 0, 0)))


def sharded(make: Callable[[Any], jax.Array], operand: Any, sharding: OutSharding) -> jax.Array:
    """Call ``make(operand)`` so that the devices share its result as the caller says.

    The operand is traced.

    Axes of a mesh are explicit, if the types of arrays tell how these are sharded, or automatic, if
    XLA finds out, or manual, within jax.shard_map. Where some are explicit, the draw is made as if
    they were automatic, so that XLA shares it.
    """
    mesh = getattr(sharding, "mesh", None) or jax.sharding.get_abstract_mesh()
    explicit = jax.sharding.AxisType.Explicit in (mesh.axis_types or ())
    if not explicit:
        return _constrained(make(operand), sharding)
    if not hasattr(jax.sharding, "auto_axes"):
        raise NotImplementedError(
            "out_sharding over explicit axes of a mesh needs jax 0.7 or newer"
        )
    made: jax.Array = jax.sharding.auto_axes(make, out_sharding=sharding)(operand)
    return made


_constrained: Callable[[jax.Array, OutSharding], jax.Array] = jax.lax.with_sharding_constraint
