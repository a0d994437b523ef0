"""Calls that a fuzzer found worth keeping (tests/data/fuzz/python), and random ones."""

from pathlib import Path

import fuzz_target
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEPT = sorted((Path(__file__).parent / "data/fuzz/python").glob("*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept(path):
    fuzz_target.run(path.read_bytes())


@settings(derandomize=True, deadline=None, database=None, max_examples=400)
@given(st.binary(max_size=96))
def test_any_bytes(data):
    fuzz_target.run(data)
