"""Leaves of a tree, one by one: their specs, their shardings, and what they must hold."""

import numpy as np
from jax_trees import KEY, jax
from support.frameworks import Framework

import weightinit_fast as wi

adapter = Framework("weightinit_fast.jax", after=jax)


def spec(*shape, dtype="float32", sharding=None):
    return jax.ShapeDtypeStruct(shape, np.dtype(dtype), sharding=sharding)


def mesh_of(devices, *shape, names=("a", "b")):
    return jax.sharding.Mesh(np.array(devices).reshape(shape), names[: len(shape)])


def named(mesh, *axes, **others):
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes), **others)


def same(array, init, shape, stream, dtype="float32", rng=KEY):
    wanted = wi.initializer(init)(shape, dtype=dtype, rng=rng, stream=stream)
    found = np.asarray(array)
    return found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()
