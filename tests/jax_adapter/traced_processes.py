"""Be one process of several that share the devices of JAX: draw under jit, and store what is here.

Usage: python traced_processes.py PORT PROCESSES NUMBER DEVICES FOLDER

Each process has that number of devices. The file ``FOLDER/NUMBER.pickle`` then has the shards of
this process as ``{way: [(bounds, bytes), ...]}``.
"""

import pickle
import sys
from pathlib import Path

import jax
import numpy as np

import weightinit_fast as wi
from weightinit_fast.jax.draw import draw
from weightinit_fast.jax.traced import library

SHAPE = (16, 24)
SPECS = {"rows": ("x",), "columns": (None, "x"), "both": ("x", "y"), "fine": (("y", "x"),), "": ()}


def main(port, processes, number, devices, folder):
    jax.config.update("jax_num_cpu_devices", devices)
    jax.distributed.initialize(f"localhost:{port}", processes, number)
    everywhere = jax.devices()
    assert len(everywhere) == processes * devices
    assert library.why_missing() is None
    mesh = jax.sharding.Mesh(np.array(everywhere).reshape(-1, 2), ("x", "y"))
    init = wi.initializer("normal(std=0.02)")
    found = {}
    for way, names in SPECS.items():
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*names))

        def function(seed, sharding=sharding):
            return draw(init, jax.random.key(seed), SHAPE, np.dtype("float32"))

        made = jax.jit(function, out_shardings=sharding)(7)
        found[way] = [
            ([s.indices(n)[:2] for s, n in zip(shard.index, SHAPE, strict=True)], bytes_of(shard))
            for shard in made.addressable_shards
        ]
    (Path(folder) / f"{number}.pickle").write_bytes(pickle.dumps(found))
    jax.distributed.shutdown()


def bytes_of(shard):
    return np.asarray(shard.data).tobytes()


if __name__ == "__main__":
    *numbers, where = sys.argv[1:]
    main(*map(int, numbers), where)
