"""Load the engine, or say why it cannot be loaded."""

import os
from importlib.util import find_spec

__all__: list[str] = []

try:
    from . import _core  # noqa: F401
except ImportError as error:
    if find_spec("weightinit_fast._core") is not None:
        raise
    raise ImportError(
        f"weightinit_fast in {os.path.dirname(__file__)} has no compiled engine, since this is "
        "the source folder: install it (python -m pip install -e .), or start Python in "
        "another folder"
    ) from error
