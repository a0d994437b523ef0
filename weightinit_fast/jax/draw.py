"""draw: an Initializer of the package, drawn into a jax.Array with a key of JAX."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeAlias

import jax
import numpy as np

from .._resolve.dtypes import requested
from .._resolve.messages import shown
from .._resolve.shape import as_shape
from .._resolve.target import range_target
from ..initialisers.initializer import Initializer, rule_of
from ..models.filling import fill_all
from . import traced
from .buffers import Pieces
from .keys import key_of_words, words_of
from .shards import current_mesh, over_devices

__all__ = ["OutSharding", "draw"]

#: What out_sharding= takes.
OutSharding: TypeAlias = jax.sharding.Sharding | jax.sharding.PartitionSpec | None

_spec: Any = jax.sharding.PartitionSpec  # which has no types


def draw(
    init: Initializer,
    key: Any,
    shape: Any,
    dtype: Any,
    out_sharding: OutSharding = None,
) -> jax.Array:
    """Draw a tensor with a key of JAX, inside and outside of functions that JAX traces.

    Parameters
    ----------
    init : Initializer
        What is drawn.
    key : jax.Array
        One key, typed or as raw words. The stream is 0.
    shape : sequence of int
        The shape of the whole tensor.
    dtype : numpy.dtype
        One of the types that the engine fills, as JAX would make it: with ``jax_enable_x64`` off,
        it is not float64.
    out_sharding : Sharding or PartitionSpec, optional
        How the devices share the array. A PartitionSpec is one of the mesh of ``jax.set_mesh``. By
        default the array is where the key is. If the key is not committed to a device, it is on all
        devices of the mesh of ``jax.set_mesh``, or else on JAX's default device.

    Returns
    -------
    jax.Array
        The same values for every sharding, as ``init(shape, dtype=dtype, rng=wi.jax.key(key))``.
    """
    whole = as_shape(shape)
    kind, found = requested(dtype)
    rule = rule_of(init)
    rule.check(range_target(whole, kind, np.empty(0, kind.storage), 0))
    words = words_of(key)
    if isinstance(words, jax.core.Tracer):
        return traced.draw(init, words, whole, np.dtype(found), out_sharding)
    sharding = _sharding_of(key) if out_sharding is None else placed(out_sharding)
    pieces = Pieces(init, whole, np.dtype(found), sharding)
    if len(pieces.targets) == 1:
        rule.fill(pieces.targets[0], key_of_words(words), 0, None)
    else:
        fill_all(((init, target, 0) for target in pieces.targets), key_of_words(words))
    return pieces.assemble()


def placed(out_sharding: OutSharding) -> jax.sharding.Sharding | None:
    """Return a sharding over devices that exist; None if it is over a mesh of one device."""
    if not isinstance(out_sharding, (jax.sharding.Sharding, jax.sharding.PartitionSpec)):
        raise TypeError(
            f"out_sharding must be a Sharding or a PartitionSpec, not {shown(out_sharding)}"
        )
    return over_devices(out_sharding)


def _sharding_of(key: Any) -> jax.sharding.Sharding | None:
    """Return where the array of a known key goes: where the functions of jax.random would put it.

    A key that was not put anywhere on purpose is used on all devices of the mesh of jax.set_mesh.
    """
    if not getattr(key, "committed", False):
        mesh = None
        with suppress(ValueError):  # jax.vmap and jax.jvp, which do not trace the key, tell no mesh
            mesh = current_mesh()
        return None if mesh is None else jax.sharding.NamedSharding(mesh, _spec())
    sharding: jax.sharding.Sharding = key.sharding
    return sharding
