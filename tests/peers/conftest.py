"""The tests of this folder run last, after those of all other folders, and import frameworks."""

from pathlib import Path

import pytest
from support.frameworks import Framework

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Move them there: torch and JAX start threads, and JAX warns of every fork from then on."""
    items.sort(key=lambda item: item.path.parent == HERE)


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    """Import what a module uses before its first test: Keras starts a process to look around."""
    for value in vars(request.module).values():
        if isinstance(value, Framework):
            value.load()
