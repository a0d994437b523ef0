"""The same bits with every backend, and with a model that eight devices share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras_cases import BACKENDS

pytestmark = pytest.mark.process
HERE = Path(__file__).parent
#: What `bits` of keras_processes.py comes to. The test of initialisers says what it is made of.
BITS = "72fbc28d53ce0557e8850d0e93154bc7a437fb1be3a11b506480ce6fd7358015"


def run(program, backend, devices=1):
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"KERAS_BACKEND": backend, "XLA_FLAGS": flags}
    command = [sys.executable, str(HERE / "keras_processes.py"), *program.split()]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_every_backend_has_the_same_bits(backend):
    if backend not in BACKENDS:
        pytest.skip(f"{backend} is not installed")
    assert run("bits", backend) == BITS


@pytest.fixture(scope="module")
def one_device():
    if "jax" not in BACKENDS:
        pytest.skip("jax is not installed")
    return run("devices one", "jax")


@pytest.mark.parametrize("kind", ["data", "model"])
def test_eight_devices_have_the_bits_of_one(one_device, kind):
    found = run(f"devices {kind}", "jax", devices=8)
    assert found["digests"] == one_device["digests"]
    assert len(set(found["digests"])) == 3
    assert np.isclose(found["loss"], one_device["loss"], rtol=1e-5)
    pieces = {name: n for name, n in found["shardings"].items() if n > 1}
    wanted = {"net/a/kernel": 2, "net/a/bias": 2, "net/b/kernel": 4, "net/c/kernel": 8}
    assert pieces == (wanted if kind == "model" else {})


def test_a_large_variable_in_pieces(one_device):
    assert run("large", "jax", devices=8) == {"same": True, "pieces": 8}
