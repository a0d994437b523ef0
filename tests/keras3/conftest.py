"""The tests of this folder need keras and a backend of it, and are skipped where they are missing.

KERAS_BACKEND chooses the backend. Without it, it is the first that is installed of jax, torch and
tensorflow. A process has one backend: to test another, run these tests again. The tests run late,
since the backends start threads.
"""

import os
from pathlib import Path

import pytest
from keras_cases import BACKENDS, is_installed, keras
from support.frameworks import load_frameworks

HERE = Path(__file__).parent
if BACKENDS:
    os.environ.setdefault("KERAS_BACKEND", BACKENDS[0])


def pytest_collection_modifyitems(items):
    """Move these tests behind those of other folders, and leave Keras's own warnings to Keras."""
    items.sort(key=lambda item: item.path.parent == HERE)
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(autouse=True, scope="module")
def _frameworks(request):
    if not is_installed("keras") or not BACKENDS:
        pytest.skip("keras and a backend of it are not installed")
    keras.load()
    load_frameworks(request.module)


@pytest.fixture(autouse=True)
def _fresh_names():
    """Count the layers without a name from the start."""
    keras.utils.clear_session()
