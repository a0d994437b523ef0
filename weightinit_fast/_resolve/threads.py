"""How many threads a fill uses: threads=, the OpenMP limit, the CPU affinity, the cgroup quota."""

import math
import os
from time import monotonic
from typing import TypeAlias

from .. import _core
from .messages import shown
from .numbers import integer

StrPath: TypeAlias = str | os.PathLike[str]

__all__ = ["PARALLEL_ITEMS", "available_threads", "thread_count"]

# Each thread gets at least this many elements, about 100 us of normals, because waking threads
# takes 10 to 50 us.
PARALLEL_ITEMS = 1 << 18
_MAX_THREADS = 1024
# The quota is read again after this time, because it may change while the process lives. It is not
# read for every fill, because that takes 30 to 60 us, as long as a fill of 2**18 elements.
_QUOTA_SECONDS = 1.0


def thread_count(threads: int | None, items: int) -> int:
    """Return how many threads fill that many elements.

    ``threads`` of None means the smallest of the OpenMP limit of the calling thread
    (OMP_NUM_THREADS, threadpoolctl), the CPUs that this process may run on, and the quota of its
    cgroup.
    """
    if threads is not None:
        threads = _checked(threads)
    share = items // PARALLEL_ITEMS
    if share < 2 or threads == 1:
        return 1
    return min(share, threads or available_threads())


def _checked(threads: int) -> int:
    """Return threads as an int in range."""
    number = integer(threads, "threads")
    if not 1 <= number <= _MAX_THREADS:
        raise ValueError(f"threads must be in [1, {_MAX_THREADS}], not {shown(number)}")
    return number


def available_threads() -> int:
    """Return what threads=None means for a large fill."""
    limit = min(_core.runtime_threads(), _recent_quota())
    if hasattr(os, "sched_getaffinity"):
        limit = min(limit, len(os.sched_getaffinity(0)))
    return max(1, limit)


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
