"""What the test modules and the proofs share, and where the parts of the repository lie."""

import contextlib
import importlib
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
DATA = TESTS / "data"
ROOT = TESTS.parent
#: The sdist has no documentation, and an installation may lack either folder.
BENCH, DOCS = ROOT / "bench", ROOT / "docs"
#: Seconds after which whatever has not ended hangs. Most of it takes a second or less on an idle
#: machine, but a busy one may be a hundred times slower.
HANG_SECONDS = 300


@contextlib.contextmanager
def modules_of(folder, names):
    """Import modules from a folder that is not a package; forget all of that folder at the end."""
    sys.path.insert(0, str(folder))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)


def id_of(part):
    """Return the id of a parameter of tests, the same in each process: without addresses."""
    return re.sub(r"<function (\S+) at 0x[0-9a-f]+>", r"\1", str(part))
