"""No modules of the package import each other in a circle, not even within functions."""

import ast
from graphlib import TopologicalSorter

import pytest
from support import ROOT

pytestmark = pytest.mark.meta

PACKAGE = ROOT / "weightinit_fast"
#: The folders whose modules are checked.
FOLDERS = ("_resolve", "initialisers", "models", "models/files", "models/readers")
FOLDERS += ("models/inspect", "cli")


def imported(path, folder):
    """Return the files of a folder that a file of it imports from, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            files = [folder / f"{name.partition('.')[0]}.py" for name in names]
            found |= {file for file in files if file.is_file()}
    return found


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="no sources beside these tests")
@pytest.mark.parametrize("name", FOLDERS)
def test_no_circle(name):
    folder = PACKAGE / name
    files = list(folder.glob("*.py"))
    assert len(files) > 5
    graph = {file: imported(file, folder) for file in files}
    assert any(graph.values())
    assert len(list(TopologicalSorter(graph).static_order())) == len(files)  # or CycleError
