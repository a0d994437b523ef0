"""Scripts that run in an interpreter of their own, and markers of the platforms that they need."""

import os
import platform
import subprocess
import sys
import sysconfig
import textwrap

import pytest

import weightinit_fast as wi

from . import HANG_SECONDS
from .internals import EAGER_SCRIPT

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
glibc_x86_only = pytest.mark.skipif(
    (platform.machine(), platform.libc_ver()[0]) != ("x86_64", "glibc"), reason="glibc on x86-64"
)
threaded_only = pytest.mark.skipif(
    wi.info()["threads_wait_by"] is None, reason="this build has no threads"
)
gil_only = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without the GIL, an array may be resized while a call begins (docs/promises.md)",
)
LARGE = 2**19 + 77  # three of the largest direct tasks, in float32

#: Definitions that precede every script. `right` judges a parallel fill by one of a single thread.
PRELUDE = f"""
import os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import weightinit_fast as wi
{EAGER_SCRIPT}
LARGE = {LARGE}
expected = wi.normal(LARGE, rng=0, threads=1).tobytes()
def right(threads=3):
    return wi.normal(LARGE, rng=0, threads=threads).tobytes() == expected
def fork_and_fill():
    child = os.fork()
    if child == 0:
        os._exit(0 if right() and right() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script, *, prelude=PRELUDE, timeout=HANG_SECONDS, **environment):
    """Run a script in a fresh interpreter; return the last line that it printed."""
    command = [sys.executable, "-W", "ignore", "-c", prelude + textwrap.dedent(script)]
    # An editable install may print messages about the rebuild that the import starts.
    env = os.environ | {"SKBUILD_EDITABLE_VERBOSE": "0"} | environment
    options = {"capture_output": True, "text": True, "timeout": timeout}
    done = subprocess.run(command, env=env, check=False, **options)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()[-1]
