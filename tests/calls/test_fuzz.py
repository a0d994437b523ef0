"""Calls that a fuzzer found worth keeping (tests/data/fuzz/python), and random ones."""

import fuzz_target
import numpy as np
import pytest
from support import DATA

KEPT = sorted((DATA / "fuzz/python").glob("*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept(path):
    fuzz_target.run(path.read_bytes())


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(seed):
    random = np.random.default_rng(seed)
    for _ in range(200):
        data = random.bytes(int(random.integers(20, 120)))
        try:
            fuzz_target.run(data)
        except Exception as error:
            error.add_note(f"input: {data.hex()}")
            raise
