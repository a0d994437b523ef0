"""README's snippets run as printed, in an empty folder."""

import doctest
import os

import pytest
from support import ROOT

pytestmark = [pytest.mark.meta, pytest.mark.process]
README = ROOT / "README.md"


@pytest.mark.skipif(not README.is_file(), reason="README.md is not beside the tests")
def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(README), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0
    assert os.listdir(tmp_path) == ["table.npy"]
