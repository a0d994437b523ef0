"""What a result is worth nothing without: the processor, the system, the versions."""

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
from peers import installed

import weightinit_fast as wi

FLAGS = ("aes", "avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "vaes", "asimd")


def describe() -> dict[str, Any]:
    """Return processor, system, versions and date, as JSON takes them; no name, no path."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "weightinit_fast": wi.info(),
        "torch": installed("torch"),
        "mkl": installed("mkl"),
    }


def document(
    facts: dict[str, Any],
    script: str,
    settings: dict[str, Any],
    rows: list[dict[str, Any]],
    found: dict[str, str],
) -> dict[str, Any]:
    """Return a document of results; see results.py. The facts are those before the run."""
    rows = [{"script": script} | row for row in rows]
    return {"machine": facts, "found": found, "settings": {script: settings}, "rows": rows}


def heading(facts: dict[str, Any], found: dict[str, str]) -> str:
    """Return the lines that say on what, and with what, something was measured."""
    own = facts["weightinit_fast"]
    lines = [
        f"{facts['cpu']['model']}, {facts['cpu']['cpus']} CPUs, {facts['system']}",
        f"weightinit_fast {own['version']} ({own['compiler']}, {own['isa']}), "
        f"Python {facts['python']}, NumPy {facts['numpy']}",
    ]
    return "\n".join(lines + [f"{name}: {how}" for name, how in found.items()])


def free_bytes() -> int:
    """Return how much memory may still be had, by the system's and the cgroup's count."""
    free = 4 << 30  # where nobody tells
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit and used and limit != "max":
        free = min(free, int(limit) - int(used))
    return free


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _cpu() -> dict[str, Any]:
    facts: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())  # the first processor's
    flags = facts.get("flags", facts.get("Features", "")).split()
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": facts.get("model name") or platform.processor() or platform.machine(),
        "family": facts.get("cpu family"),
        "model_number": facts.get("model"),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cpus": count,
        "cache": facts.get("cache size"),
    }
