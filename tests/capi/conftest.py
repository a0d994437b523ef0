"""Fixtures of the tests of the C interface."""

import pytest
from support.internals import core


@pytest.fixture
def slow_set():
    """Have the scalar set draw, with which a fill of a few megabytes takes several times 20 ms."""
    former = core.isa()
    core.select_isa("scalar")
    yield
    core.select_isa(former)
