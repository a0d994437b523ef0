"""Run ``python -m weightinit_fast`` in this process or in one of its own, on small models."""

import os
import subprocess
import sys

from . import HANG_SECONDS, internals

COMMAND = [sys.executable, "-m", "weightinit_fast"]
# An editable install may print messages about the rebuild that the import starts.
QUIET = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0", "COLUMNS": "80"}

#: A GPT-2 of 19,376 parameters: 80 KB.
TINY = ["gpt2"]
for _size in ("layers=1", "width=16", "heads=2", "vocabulary=1000", "context=4"):
    TINY += ["--set", _size]


def main(*arguments):
    """Run the command in this process; return its exit status."""
    try:
        return internals.command.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


def run(*arguments, **options):
    """Run the command in a process of its own, in a pipe."""
    given = {"capture_output": True, "text": True, "timeout": HANG_SECONDS, "env": QUIET}
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, **(given | options))
