"""Start ``python -m weightinit_fast``, whose code is in cli.py."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
