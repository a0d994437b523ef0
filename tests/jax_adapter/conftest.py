"""The tests of this folder need jax, and are skipped where it is missing.

They run late, since jax starts threads.
"""

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
