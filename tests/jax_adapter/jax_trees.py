"""A tree of every kind of leaf that is drawn, ways to shard it over devices, and its digest."""

import hashlib

import numpy as np
from support.frameworks import Framework

import weightinit_fast as wi

jax = Framework("jax")

KEY = wi.Key(20, 26)

#: Path -> (shape, dtype, initialiser). Axes that 8, 4 or 2 do not divide stay whole.
LEAVES = {
    "blocks.0.kernel": ((24, 40), "float32", "he_normal(layout='IO')"),
    "blocks.0.bias": ((40,), "float32", "zeros"),
    "blocks.1.kernel": ((8, 5, 3), "bfloat16", "truncated_normal(std=0.02)"),
    "blocks.1.bias": ((3,), "bfloat16", "constant(value=0.5)"),
    # Of more than 64 KiB, also in 4 parts, so that JAX takes the memory as it is.
    "table": ((1024, 72), "float32", "normal(std=0.02)"),
    "half": ((48, 7), "float16", "xavier_uniform"),
    "eighth": ((16, 16), "float8_e4m3fn", "uniform(low=-1, high=1)"),
    "other_eighth": ((16, 24), "float8_e5m2", "normal"),
    "whole": ((16, 8), "float32", "orthogonal(gain=0.5)"),
    "eye": ((8, 16), "float32", "identity(gain=2.0)"),
    "few": ((24, 16), "float32", "sparse(sparsity=0.25)"),
    "scale": ((), "float32", "normal(mean=1.0)"),
    "empty": ((0, 8), "float32", "normal"),
}
RECIPE = wi.Recipe([(name, init) for name, (_, _, init) in LEAVES.items()])


def abstract_tree(sharding_of=lambda shape: None):
    """Return the tree of jax.ShapeDtypeStruct, each with its sharding."""
    leaves = {
        name: jax.ShapeDtypeStruct(shape, np.dtype(dtype), sharding=sharding_of(shape))
        for name, (shape, dtype, _) in LEAVES.items()
    }
    return nested(leaves)


def nested(leaves):
    """Return the tree of leaves that are given by their names."""
    blocks = [{key: leaves[f"blocks.{i}.{key}"] for key in ("kernel", "bias")} for i in range(2)]
    return {"blocks": blocks} | {k: v for k, v in leaves.items() if not k.startswith("blocks")}


def flat(tree):
    """Return the leaves by their names."""
    blocks = {f"blocks.{i}.{k}": v for i, b in enumerate(tree["blocks"]) for k, v in b.items()}
    return blocks | {name: leaf for name, leaf in tree.items() if name != "blocks"}


def expected_leaves():
    """Return the arrays that NumPy is given, by their names."""
    return {
        name: wi.initializer(init)(shape, dtype=dtype, rng=KEY, stream=name)
        for name, (shape, dtype, init) in LEAVES.items()
    }


def digest(leaves):
    """Return one SHA-256 of arrays that are given by their names."""
    sha = hashlib.sha256()
    for name in sorted(leaves):
        array = np.asarray(leaves[name])
        sha.update(f"{name} {array.dtype.name} {array.shape} ".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def ways(devices):
    """Return ways to shard over 8 devices: name -> function of a shape that returns a Sharding."""
    Mesh = jax.sharding.Mesh
    line = Mesh(np.array(devices), ("x",))
    plane = Mesh(np.array(devices).reshape(2, 4), ("a", "b"))
    back = Mesh(np.array(devices)[::-1].reshape(4, 2), ("a", "b"))
    three = Mesh(np.array(devices)[[6, 1, 4]], ("x",))

    def cut(mesh, rows=None, columns=None):
        def sharding_of(shape):
            axes = [None] * len(shape)
            for axis, names in ((0, rows), (len(shape) - 1, columns)):
                if names and shape and axes[axis] is None and not shape[axis] % size(mesh, names):
                    axes[axis] = names
            return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))

        return sharding_of

    return {
        "replicas": cut(line),
        "rows": cut(line, "x"),
        "columns": cut(line, None, "x"),
        "two axes": cut(plane, "a", "b"),
        "two axes, transposed": cut(plane, "b", "a"),
        "rows by two axes": cut(plane, ("b", "a")),
        "rows, each twice": cut(plane, "b"),
        "columns, each four times": cut(plane, None, "a"),
        "devices backwards": cut(back, "a", "b"),
        "three devices": cut(three, "x"),
        "one device": cut(Mesh(np.array(devices)[-1:], ("x",)), "x"),
        "the last four": cut(Mesh(np.array(devices)[4:].reshape(2, 2), ("a", "b")), "a", "b"),
    }


def size(mesh, names):
    """Return the number of parts into which axes of a mesh cut."""
    chosen = (names,) if isinstance(names, str) else names
    return int(np.prod([mesh.shape[name] for name in chosen]))
