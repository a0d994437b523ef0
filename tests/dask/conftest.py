"""The tests of this folder need the package dask, and are skipped where it is missing."""

import pytest
from support.frameworks import load_frameworks


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    load_frameworks(request.module)
