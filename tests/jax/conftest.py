"""The tests of this folder need jax, and are skipped where it is missing.

They run late, since jax starts threads.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest
from support.frameworks import load_frameworks

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Move these tests behind those of other folders."""
    items.sort(key=lambda item: item.path.parent == HERE)


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    load_frameworks(request.module)
