"""docs/keras.md and the docstrings of the adapter: the sessions print what they say."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys

import pytest
from keras_cases import BACKENDS, adapter
from support import DOCS

PAGE = DOCS / "keras.md"


def test_docstrings():
    package = importlib.import_module("weightinit_fast.keras")
    found = pkgutil.walk_packages(package.__path__, "weightinit_fast.keras.")
    examples = 0
    for name in ["weightinit_fast.keras", *(module.name for module in found)]:
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0
        examples += result.attempted
    assert examples > 60


def test_every_public_object_has_an_example():
    members = [adapter.initialize, adapter.default_rules, adapter.initializers.names]
    members += [adapter.initializers.get, *set(adapter.initializers.names().values())]
    for member in members:
        assert ">>>" in member.__doc__, member


@pytest.mark.skipif(not PAGE.is_file(), reason="no docs/ beside these tests")
def test_sessions():
    text = PAGE.read_text(encoding="utf-8")
    source = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)  # a fence is not part of the output
    test = doctest.DocTestParser().get_doctest(source, {}, "keras.md", "keras.md", 0)
    assert len(test.examples) > 25
    assert doctest.DocTestRunner().run(test).failed == 0
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


#: What the block about many devices needs, which the page shows as it would stand in a program.
BEFORE = """
import keras
import weightinit_fast as wi, weightinit_fast.keras
def build():
    layers = [keras.Input((256,)), keras.layers.Dense(128, name="a")]
    return keras.Sequential(layers, name="net")
"""
AFTER = """
kernel = net.get_layer("a").kernel.value
same = wi.xavier_uniform((256, 128), layout="IO", rng=0, stream="net/a/kernel")
print(len({str(shard.index) for shard in kernel.addressable_shards}), bool((kernel == same).all()))
"""


@pytest.mark.process
@pytest.mark.skipif(not PAGE.is_file(), reason="no docs/ beside these tests")
def test_the_block_about_many_devices(tmp_path):
    if "jax" not in BACKENDS:
        pytest.skip("jax is not installed")
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    (tmp_path / "program.py").write_text(BEFORE + block + AFTER, encoding="utf-8")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
    command = [sys.executable, "program.py"]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "2 True\n"), run.stderr
