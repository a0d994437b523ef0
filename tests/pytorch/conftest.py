"""The tests of this folder need torch. They run late, since torch starts threads."""

from pathlib import Path

import pytest
from support.frameworks import load_frameworks

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Move these tests behind those of other folders."""
    items.sort(key=lambda item: item.path.parent == HERE)


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    load_frameworks(request.module)
