"""How many threads a fill may use: the runtime's word, the CPU affinity and the cgroup quota."""

import math
import os
from time import monotonic
from typing import TypeAlias

from .. import _core
from .messages import shown
from .numbers import integer

StrPath: TypeAlias = str | os.PathLike[str]

__all__ = ["PARALLEL_ITEMS", "available_threads", "thread_count"]

# A thread joins for at least this many elements of its own, some 100 us of normals: waking a team
# costs 10 to 50 us.
PARALLEL_ITEMS = 1 << 18
_MAX_THREADS = 1024
# A quota is read again after this time, as it may change while the process lives. Reading it takes
# 30 to 60 us, as long as a fill of 2**18 elements.
_QUOTA_SECONDS = 1.0


def thread_count(threads: int | None, items: int) -> int:
    """Return how many threads fill that many elements.

    None means the smallest of the OpenMP limit of the calling thread (OMP_NUM_THREADS,
    threadpoolctl), the CPUs that this process may run on, and its cgroup's quota.
    """
    if threads is not None:
        threads = _checked(threads)
    share = items // PARALLEL_ITEMS
    if share < 2 or threads == 1:
        return 1
    return min(share, threads or available_threads())


def _checked(threads: int) -> int:
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


# When the quota was read, and what it was: one tuple, which threads replace as a whole.
_read_quota: tuple[float, int] = (-math.inf, _MAX_THREADS)


def _recent_quota() -> int:
    global _read_quota  # noqa: PLW0603
    read_at, cpus = _read_quota
    now = monotonic()
    if now - read_at >= _QUOTA_SECONDS:
        cpus = cgroup_cpus()
        _read_quota = (now, cpus)
    return cpus


def cgroup_cpus(root: StrPath = "/sys/fs/cgroup", own: StrPath = "/proc/self/cgroup") -> int:
    """Return the CPUs that the cgroup's quota amounts to, rounded up; at most _MAX_THREADS."""
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
        if not here.startswith(base):  # "/../x": seen from another cgroup namespace
            here = base
        while here.startswith(base):  # a parent's quota binds too
            cpus = min(cpus, quota(here))
            here = os.path.dirname(here)
    return max(1, math.ceil(cpus))


def _quota_v2(folder: str) -> float:
    try:
        quota, period = _read(os.path.join(folder, "cpu.max")).split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_v1(folder: str) -> float:
    try:
        quota = int(_read(os.path.join(folder, "cpu.cfs_quota_us")))
        period = int(_read(os.path.join(folder, "cpu.cfs_period_us")))
        return math.inf if quota < 0 else quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _read(path: StrPath) -> str:
    # A cgroup's path may hold any bytes: they survive as surrogates, and lead to the same folder.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
