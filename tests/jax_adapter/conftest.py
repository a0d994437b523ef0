"""The tests of this folder need jax, and are skipped where it is missing.

They run late, since jax starts threads.
"""

import importlib
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.frameworks import load_frameworks

HERE = Path(__file__).parent

# Eight devices that share this machine's CPU. JAX reads it when the first test asks for devices.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")


def pytest_collection_modifyitems(items):
    """Move these tests behind those of other folders."""
    items.sort(key=lambda item: item.path.parent == HERE)


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    load_frameworks(request.module)


@pytest.fixture
def devices():
    """Return the eight devices; skip where JAX has others."""
    found = importlib.import_module("jax").devices()
    if len(found) != 8:
        pytest.skip("the devices of JAX were made before XLA_FLAGS could ask for 8")
    return found


@pytest.fixture
def fills(monkeypatch):
    """List what each call of fill_all fills."""
    filling = importlib.import_module("weightinit_fast.jax.filling")
    found = []

    def recording(draws, *arguments):
        listed = list(draws)
        found.append([target for _, target, _ in listed])
        return fill_all(listed, *arguments)

    fill_all = filling.fill_all
    monkeypatch.setattr(filling, "fill_all", recording)
    return found
