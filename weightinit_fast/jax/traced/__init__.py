"""Draws inside of functions that JAX traces."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from ...initialisers.initializer import Initializer
from ..keys import key_of_words

__all__ = ["draw"]


def draw(
    init: Initializer,
    words: Any,
    shape: tuple[int, ...],
    dtype: np.dtype,
    out_sharding: jax.sharding.Sharding | jax.sharding.PartitionSpec | None,
) -> jax.Array:
    """Draw a tensor with a key that is known when the traced function runs.

    Parameters
    ----------
    init : Initializer
    words : tracer
        The four words of the key, uint32.
    shape, dtype
        Those of the whole tensor. The dtype is one that the engine fills.
    out_sharding
        How the devices share the array, if the caller says so.

    Returns
    -------
    jax.Array
        A tracer.
    """

    def host(words: Any) -> np.ndarray:
        made: np.ndarray = init(shape, dtype=dtype, rng=key_of_words(np.asarray(words)))
        return made

    made: jax.Array = jax.pure_callback(
        host, jax.ShapeDtypeStruct(shape, dtype), words, vmap_method="sequential"
    )
    if out_sharding is None:
        return made
    return jax.lax.with_sharding_constraint(made, out_sharding)
