"""The benchmarks of weightinit_fast: ``python -m bench --help``, from the root of a clone."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _prefer_the_installed_package() -> None:
    """Move the clone's root to the end of the path.

    ``python -m bench`` puts it first, and Python would find the folder weightinit_fast/ there
    before the installed package. That folder holds the sources, without a compiled engine.
    """
    of_clone = [entry for entry in sys.path if Path(entry).resolve() == ROOT]
    sys.path[:] = [entry for entry in sys.path if entry not in of_clone] + of_clone


_prefer_the_installed_package()
