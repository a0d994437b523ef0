"""Run what may crash or hang in a forked child, which notes what it does."""

import mmap
import os
import signal
import sys
import time
import traceback

import pytest

from . import HANG_SECONDS

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
_NOTED = mmap.mmap(-1, 4096)  # shared by parent and child


def note(case):
    """Note the case that comes next, so that a crash can be reported with it."""
    text = str(case).encode()[:4095]
    _NOTED[: len(text) + 1] = text + b"\0"


def noted():
    """Return what was noted last."""
    return _NOTED[:].partition(b"\0")[0].decode(errors="replace")


def half_written(out):
    """Return whether a fill of zeros has begun and not ended."""
    first, last = out[[0, -1]]  # both in one step
    return bool(first and not last)


def isolated(function, *args, timeout=HANG_SECONDS):
    """Run function(*args) in a child; if it does not end well, fail and name what it noted."""
    note("its beginning")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function(*args)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    deadline, pause = time.monotonic() + timeout, 0.0002
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail(f"no end within {timeout} s; the child was at {noted()}")
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    code = os.waitstatus_to_exitcode(status)
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    assert code == 0, f"{how}; the child was at {noted()}"
