"""One array has one value, whatever devices share it: a process of 8 devices draws it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapted import jax

import weightinit_fast as wi

HERE = Path(__file__).parent


@pytest.mark.process
def test_draws_on_eight_devices():
    assert jax.devices  # skips where jax is not installed
    packages = os.pathsep.join([str(Path(wi.__file__).parents[1]), *filter(None, sys.path)])
    flags = "--xla_force_host_platform_device_count=8"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / "device_draws.py")],
        env={**environment, "PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert len(found) > 500
    assert {name: outcome for name, outcome in found.items() if outcome is not True} == {}
