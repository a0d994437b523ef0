"""How many threads a fill uses.

``threads=`` says it, or else the smallest of these:

- the limit that the calling thread has set by threadpoolctl (threadpools.py);
- ``WEIGHTINIT_FAST_NUM_THREADS``, or else ``OMP_NUM_THREADS``, as they were when the package was
  imported. joblib, Dask and torchrun set the latter for their worker processes;
- one, in a daemonic process of multiprocessing, unless ``WEIGHTINIT_FAST_NUM_THREADS`` is set. The
  workers of multiprocessing.Pool, of torch's DataLoader and of joblib's multiprocessing backend are
  daemonic: each is one of many, which share the processors. (joblib has the same rule.)
- the CPUs that the calling thread may run on;
- the quota of the process's cgroup;
- one, in a build without threads.
"""

import math
import os
import sys
import threading
from time import monotonic
from typing import TypeAlias

from .. import _core
from .messages import shown
from .numbers import integer

StrPath: TypeAlias = str | os.PathLike[str]

__all__ = [
    "PARALLEL_ITEMS",
    "available_threads",
    "limit_threads",
    "thread_count",
    "told_threads",
]

# Each thread gets at least this many elements, 5 to 20 us of work, which is a chunk of the engine.
# A thread that looks for work anyway takes a chunk after half a microsecond; the engine wakes a
# thread that sleeps only for four chunks (host/pool.h).
PARALLEL_ITEMS = 1 << 16
_MAX_THREADS = 1024
# The quota is read again after this time, because it may change while the process lives. It is not
# read for every fill, because that takes 30 to 60 us, as long as a fill of 2**18 elements.
_QUOTA_SECONDS = 1.0
_OWN_VARIABLE = "WEIGHTINIT_FAST_NUM_THREADS"


def _environment() -> tuple[int, bool]:
    """Return the limit that the environment sets, and whether it is set for this package."""
    own = os.environ.get(_OWN_VARIABLE)
    if own:
        if not (own.isdecimal() and 1 <= int(own) <= _MAX_THREADS):
            raise ImportError(
                f"{_OWN_VARIABLE}={own}: a number of threads from 1 to {_MAX_THREADS} is needed"
            )
        return int(own), True
    # OpenMP allows a list, with a number for each level of nested regions.
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return (int(first) if first.isdecimal() and int(first) else _MAX_THREADS), False


_ENVIRONMENT_LIMIT, _HAS_OWN_LIMIT = _environment()


def thread_count(threads: int | None, items: int) -> int:
    """Return how many threads fill that many elements; see this module for ``threads`` of None."""
    if threads is not None:
        threads = _checked(threads)
    share = items // PARALLEL_ITEMS
    if share < 2 or threads == 1 or not _core.worth_threads(share):
        return 1
    return min(share, threads or available_threads())


def _checked(threads: int) -> int:
    """Return threads as an int in range."""
    number = integer(threads, "threads")
    if not 1 <= number <= _MAX_THREADS:
        raise ValueError(f"threads must be in [1, {_MAX_THREADS}], not {shown(number)}")
    return number


class _Limit(threading.local):
    """The limit that a thread has set by threadpoolctl.

    Each thread has its own, so that two threads that each set and restore a limit at the same time
    leave each other's alone.
    """

    threads = _MAX_THREADS
    # How many there were when there was no limit and threadpoolctl last asked. To set this number
    # is to restore what was, even if the quota allows more meanwhile.
    told = _MAX_THREADS


_limit = _Limit()


def available_threads() -> int:
    """Return what threads=None means for a large fill."""
    return min(_limit.threads, unlimited_threads())


def told_threads() -> int:
    """Return what threads=None means, to a caller who may set this number again as a limit."""
    threads = available_threads()
    if _limit.threads == _MAX_THREADS:
        _limit.told = threads
    return threads


def limit_threads(most: int) -> None:
    """Set the limit of the calling thread; a limit that limits nothing is none."""
    is_limit = most < min(_limit.told, unlimited_threads())
    _limit.threads = max(1, most) if is_limit else _MAX_THREADS


def unlimited_threads() -> int:
    """Return what threads=None means in a thread that has set no limit by threadpoolctl."""
    if _core.THREADS_WAIT_BY is None or (not _HAS_OWN_LIMIT and _is_daemonic()):
        return 1
    limit = min(_ENVIRONMENT_LIMIT, _recent_quota())
    if hasattr(os, "sched_getaffinity"):
        return min(limit, len(os.sched_getaffinity(0)))
    return min(limit, os.cpu_count() or 1)


def _is_daemonic() -> bool:
    """Return whether this is a daemonic process of multiprocessing, which has imported itself."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.current_process().daemon


# When the quota was read, and what it was. It is one tuple, so that a thread replaces both at once.
_read_quota: tuple[float, int] = (-math.inf, _MAX_THREADS)


def _recent_quota() -> int:
    """Return the quota, which is read at most once in _QUOTA_SECONDS."""
    global _read_quota  # noqa: PLW0603
    read_at, cpus = _read_quota
    now = monotonic()
    if now - read_at >= _QUOTA_SECONDS:
        cpus = cgroup_cpus()
        _read_quota = (now, cpus)
    return cpus


def cgroup_cpus(root: StrPath = "/sys/fs/cgroup", own: StrPath = "/proc/self/cgroup") -> int:
    """Return how many CPUs the cgroup's quota amounts to, rounded up; at most _MAX_THREADS.

    ``root`` is where cgroups are mounted, and ``own`` the file that says which of them this process
    is in. Tests pass other files.
    """
    try:
        lines = _read(own).splitlines()
    except OSError:
        return _MAX_THREADS
    cpus = float(_MAX_THREADS)
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quota, base = _quota_v2, os.path.normpath(root)
        elif "cpu" in controllers.split(","):
            quota, base = _quota_v1, os.path.normpath(os.path.join(root, "cpu"))
        else:
            continue
        here = os.path.normpath(os.path.join(base, path.lstrip("/")))
        if not here.startswith(base):  # a path such as "/../x", in another cgroup namespace
            here = base
        while here.startswith(base):  # the quotas of the parents limit this process too
            cpus = min(cpus, quota(here))
            here = os.path.dirname(here)
    return max(1, math.ceil(cpus))


def _quota_v2(folder: str) -> float:
    """Return the CPUs of a quota of cgroups version 2; infinite where there is none."""
    try:
        quota, period = _read(os.path.join(folder, "cpu.max")).split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_v1(folder: str) -> float:
    """Return the CPUs of a quota of cgroups version 1; infinite where there is none."""
    try:
        quota = int(_read(os.path.join(folder, "cpu.cfs_quota_us")))
        period = int(_read(os.path.join(folder, "cpu.cfs_period_us")))
        return math.inf if quota < 0 else quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _read(path: StrPath) -> str:
    # A cgroup's path may hold any bytes. Those that are not UTF-8 are kept as surrogates, so that
    # the path still names the same folder.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
