"""Be one process of several that share the devices of JAX: materialize, and store what is here.

Usage: python materialize_processes.py PORT PROCESSES NUMBER DEVICES FOLDER

Each process has that number of devices. The file ``FOLDER/NUMBER.pickle`` then has, for each way to
shard and for each leaf, the shards of this process as ``{way: {name: [(bounds, bytes), ...]}}``.
Under "refused" it has the message of a call without rng=.
"""

import pickle
import sys
from pathlib import Path

import jax
import jax_trees
import numpy as np
from jax_trees import KEY, RECIPE, abstract_tree, flat, ways

from weightinit_fast.jax import materialize


def main(port, processes, number, devices, folder):
    jax_trees.jax.load()
    jax.config.update("jax_num_cpu_devices", devices)
    jax.distributed.initialize(f"localhost:{port}", processes, number)
    assert jax.process_count() == processes
    everywhere = jax.devices()
    assert len(everywhere) == processes * devices

    found = {}
    for way, sharding_of in ways(everywhere).items():
        tree = materialize(abstract_tree(sharding_of), RECIPE, rng=KEY)
        found[way] = {name: held_of(array) for name, array in flat(tree).items()}
    found["refused"] = refused_of(ways(everywhere)["rows"])
    (Path(folder) / f"{number}.pickle").write_bytes(pickle.dumps(found))
    jax.distributed.shutdown()


def held_of(array):
    """Return the shards of an array on this process, with their bounds in the whole."""
    held = []
    for shard in array.addressable_shards:
        bounds = [s.indices(n)[:2] for s, n in zip(shard.index, array.shape, strict=True)]
        held.append((bounds, np.asarray(shard.data).tobytes()))
    return held


def refused_of(sharding_of):
    """Return the message that refuses fresh entropy in each process."""
    try:
        materialize(abstract_tree(sharding_of), RECIPE)
    except ValueError as error:
        return str(error)
    return None


if __name__ == "__main__":
    *numbers, where = sys.argv[1:]
    main(*map(int, numbers), where)
