"""docs/dask.md: the sessions print what they say, and the script for a cluster runs."""

import doctest
import re

import pytest
from support import DOCS
from support.frameworks import Framework
from support.interpreter import run

zarr = Framework("zarr")
adapter = Framework("weightinit_fast.dask")
distributed = Framework("distributed")

pytestmark = pytest.mark.meta
if not DOCS.is_dir():
    pytest.skip("no docs/ beside these tests", allow_module_level=True)

TEXT = (DOCS / "dask.md").read_text(encoding="utf-8")


def test_sessions(tmp_path, monkeypatch):
    needed = (adapter.array, zarr.open)  # skips where one is not installed
    assert needed
    monkeypatch.chdir(tmp_path)
    source = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)  # a fence is not part of the output
    test = doctest.DocTestParser().get_doctest(source, {}, "dask.md", "dask.md", 0)
    assert len(test.examples) > 15
    assert doctest.DocTestRunner().run(test).failed == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["emb.zarr", "model.zarr"]


@pytest.mark.process
def test_the_script_for_a_cluster(tmp_path):
    needed = distributed.LocalCluster
    assert needed
    (script,) = (
        block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "__main__" in block
    )
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    start = f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    assert run(start, prelude="") == "0.02"
