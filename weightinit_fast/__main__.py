"""Start ``python -m weightinit_fast``, whose code is in cli/."""

import sys

from .cli import main

if __name__ == "__main__":
    # A name in a file from a stranger may hold what this terminal's encoding lacks.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
