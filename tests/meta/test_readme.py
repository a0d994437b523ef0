"""README's snippets run as printed, in an empty folder."""

import doctest
import os
import re
import subprocess
import sys

import pytest
from support import ROOT

README = ROOT / "README.md"
pytestmark = [
    pytest.mark.meta,
    pytest.mark.skipif(not README.is_file(), reason="README.md is not beside the tests"),
]


def test_sessions(tmp_path, monkeypatch):
    """The code after >>> prints what is written below it."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(README), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0
    assert os.listdir(tmp_path) == ["table.npy"]


@pytest.mark.process
def test_scripts(tmp_path):
    """Every other block of Python is a whole script, which runs."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.S | re.M)
    scripts = [block for block in blocks if ">>>" not in block]
    assert scripts
    for script in scripts:
        path = tmp_path / "script.py"
        path.write_text(script, encoding="utf-8")
        subprocess.run([sys.executable, path], check=True, cwd=tmp_path, timeout=120)
