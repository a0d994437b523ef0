"""Devices of several processes hold what one device would: one digest, and each shard where it is.

And what it takes in memory, in a process of its own.
"""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jax_trees import LEAVES, digest, expected_leaves
from jax_trees import jax as jax  # noqa: PLC0414  the fixture imports it

FOLDER = Path(__file__).parent


def started(script, *arguments, folder):
    environment = os.environ | {"TMPDIR": str(folder), "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(FOLDER.parent), *filter(None, [environment.get("PYTHONPATH")])]
    )
    for name in ("PYTHONSAFEPATH", "XLA_FLAGS"):  # the scripts import from their own folder
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(FOLDER / script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finished(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("processes", "devices"), [(2, 4), (4, 2)])
def test_one_digest_for_every_number_of_processes(processes, devices, tmp_path):
    assert jax.devices
    port = free_port()
    running = [
        started("materialize_processes.py", port, processes, i, devices, tmp_path, folder=tmp_path)
        for i in range(processes)
    ]
    for process in running:
        finished(process)
    found = [pickle.loads((tmp_path / f"{i}.pickle").read_bytes()) for i in range(processes)]
    for refused in [one.pop("refused") for one in found]:
        assert "pass the same rng= in all of them. They share " in refused
    expected = expected_leaves()
    digests = {way: digest(whole_leaves([one[way] for one in found], expected)) for way in found[0]}
    assert len(digests) == 12
    assert set(digests.values()) == {digest(expected)}
    # Some processes hold nothing of what is on the last device.
    assert not any(found[0]["one device"].values())


def whole_leaves(parts, expected):
    """Put the shards of all processes together; replicas must agree."""
    leaves = {}
    for name, (shape, _, _) in LEAVES.items():
        dtype = expected[name].dtype
        whole, seen = np.zeros(shape, dtype), np.zeros(shape, bool)
        for bounds, held in (piece for part in parts for piece in part[name]):
            index = tuple(slice(*pair) for pair in bounds)
            piece = np.frombuffer(held, dtype).reshape(whole[index].shape)
            assert not seen[index].any() or whole[index].tobytes() == piece.tobytes()
            whole[index], seen[index] = piece, True
        assert seen.all()
        leaves[name] = whole
    return leaves


#: Prints by how many MiB the memory of the process grew beyond what the arrays take.
MEMORY = """
import jax, numpy as np, weightinit_fast.jax
from jax.sharding import NamedSharding, PartitionSpec

def memory(which):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(which)) / 1024

jax.config.update("jax_num_cpu_devices", 8)
mesh = jax.make_mesh((2, 4), ("a", "b"))
sharding = NamedSharding(mesh, PartitionSpec(*AXES))
draw = lambda tree: weightinit_fast.jax.materialize(tree, "normal", rng=0, shardings=sharding)
kept = draw({"warm": jax.ShapeDtypeStruct((1024, 1024), "float32")})
tree = {f"w{i}": jax.ShapeDtypeStruct((1024, 8192), "float32") for i in range(4)}
with open("/proc/self/clear_refs", "w") as control:
    control.write("5")  # forgets the peak
before = memory("VmRSS")
made = draw(tree)
print(memory("VmHWM") - before - 128)
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("axes", [(), ("a",), (None, "b"), ("a", "b")])
def test_memory_is_that_of_the_arrays(axes, tmp_path):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells the peak")
    script = tmp_path / "memory.py"
    script.write_text(f"AXES = {axes!r}\n{MEMORY}")
    beyond = float(finished(started(script, folder=tmp_path)))
    assert -2 < beyond < 2
