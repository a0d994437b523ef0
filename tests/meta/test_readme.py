"""README's snippets run as printed, in an empty folder."""

import doctest
import hashlib
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from support import HANG_SECONDS, ROOT

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
    assert sorted(os.listdir(tmp_path)) == ["mlp.safetensors", "table.npy"]


@pytest.mark.process
def test_scripts(tmp_path):
    """Every other block of Python is a whole script, which runs if its framework is installed."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.S | re.M)
    scripts = [block for block in blocks if ">>>" not in block]
    for framework in ("torch", "jaxlib"):
        if importlib.util.find_spec(framework) is None:
            line = f"import {framework.removesuffix('lib')}\n"
            scripts = [script for script in scripts if line not in script]
    assert scripts
    for script in scripts:
        path = tmp_path / "script.py"
        path.write_text(script, encoding="utf-8")
        subprocess.run([sys.executable, path], check=True, cwd=tmp_path, timeout=HANG_SECONDS)


def block(marker):
    """Return the content of the block after a marker, which continuous integration runs."""
    text = README.read_text("utf-8")
    return re.search(rf"^<!-- {marker} -->\n```\w+\n(.*?)^```", text, re.S | re.M)[1]


@pytest.mark.process
def test_first_command(tmp_path):
    """What the README's first command prints stands below it, except for times."""
    install, _, first = block("run").strip().partition(" && ")
    assert install == "python -m pip install -e ."
    python, *arguments = first.split()
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    (file,) = tmp_path.iterdir()
    with open(file, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    file.unlink()  # pytest keeps the folder, and the file has 0.5 GB
    assert without_times(done.stdout) == without_times(block("output"))
    assert f"SHA-256 {digest}\n" in done.stdout


def without_times(text):
    """Return a text with each time and each rate as a word."""
    text = re.sub(r"\b[0-9.]+ [kMG]?B/s", "RATE", text)
    return re.sub(r"\b(\d+ h )?(\d+ min )?[0-9.]+ m?s\b", "TIME", text)


@pytest.mark.process
def test_other_commands_are_understood(tmp_path):
    """Each of the README's other commands takes the arguments that are printed."""
    commands = block("more").splitlines()
    assert len(commands) > 2
    for line in commands:
        python, *arguments = line.split()
        assert python == "python"
        done = subprocess.run(
            [sys.executable, *arguments, "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=HANG_SECONDS,
        )
        options = [word for word in arguments if word.startswith("--")]
        assert all(option in done.stdout for option in options)
