"""The tests of this folder run last, after those of all other folders, and import frameworks."""

from pathlib import Path

import pytest
from support.frameworks import load_frameworks

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Move these tests to the end: torch and JAX start threads, and JAX then warns of forks."""
    items.sort(key=lambda item: item.path.parent == HERE)


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    """Import a module's frameworks before its tests, since Keras starts a process when imported."""
    load_frameworks(request.module)
