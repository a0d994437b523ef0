"""Draws under jit over the devices of several processes: the bits of one device."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jax_drawing import bits, jax, library

SCRIPT = Path(__file__).parent / "traced_processes.py"


def started(*arguments):
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    for name in ("PYTHONSAFEPATH", "XLA_FLAGS"):
        environment.pop(name, None)
    command = [sys.executable, "-W", "ignore", str(SCRIPT), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, env=environment, **pipes)


@pytest.mark.process
@pytest.mark.slow
def test_two_processes_of_four_devices(tmp_path):
    if library.why_missing():
        pytest.skip(library.why_missing())
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    running = [started(port, 2, number, 4, tmp_path) for number in range(2)]
    for process in running:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    wanted = bits(jax.random.key(7), "normal(std=0.02)")
    here, there = (pickle.loads((tmp_path / f"{k}.pickle").read_bytes()) for k in range(2))
    for way in here:
        whole = np.full((16, 24), np.nan, np.float32)
        for bounds, held in here[way] + there[way]:
            (top, bottom), (left, right) = bounds
            block = np.frombuffer(held, np.float32).reshape(bottom - top, right - left)
            before = whole[top:bottom, left:right]
            assert np.isnan(before).all() or np.array_equal(before, block)
            whole[top:bottom, left:right] = block
        assert whole.tobytes() == wanted, way
