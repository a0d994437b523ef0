"""The facts that a result is worthless without: commit, processor, system, versions."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import weightinit_fast as wi

from .. import ROOT

FLAGS = ("aes", "avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "vaes", "asimd")


def describe() -> dict[str, Any]:
    """Return commit, processor, system, versions and date, in types that JSON has.

    The name of the machine, its user and its paths are left out.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "install": install(),
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
    command: str,
    settings: dict[str, Any],
    rows: list[dict[str, Any]],
    found: dict[str, str],
) -> dict[str, Any]:
    """Return a document of results; see report/results.py. The facts are from before the run."""
    rows = [{"command": command} | row for row in rows]
    return {"machine": facts, "found": found, "settings": {command: settings}, "rows": rows}


def heading(facts: dict[str, Any], found: dict[str, str]) -> str:
    """Return the lines that say on what, and with what, something was measured."""
    own = facts["weightinit_fast"]
    lines = [
        f"{processor(facts['cpu'])}, {facts['system']}",
        f"commit {facts['commit'] or 'unknown'} ({facts['install']}), {facts['date']}",
        f"weightinit_fast {own['version']} ({own['compiler']}, {own['isa']}), "
        f"Python {facts['python']}, NumPy {facts['numpy']}",
    ]
    return "\n".join(lines + [f"{name}: {how}" for name, how in found.items()])


def processor(cpu: dict[str, Any]) -> str:
    """Return a line about a processor."""
    number = f" (family {cpu['family']}, model {cpu['model_number']})" if cpu["family"] else ""
    return f"{cpu['model']}{number}, {cpu['cpus']} CPUs"


def commit() -> str | None:
    """Return the commit of this clone, and whether tracked files differ from it; None without git.

    The benchmarks measure the installed package. If it is not an editable install, it may be of
    another commit than the clone; `install` returns which kind it is.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return shown.stdout.strip()

    try:
        name = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{name} with changes" if changed else name


def install() -> str:
    """Return "editable install" or "wheel"; commit() is certain for an editable install alone."""
    try:
        text = importlib.metadata.distribution("weightinit_fast").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
    editable = json.loads(text or "{}").get("dir_info", {}).get("editable", False)
    return "editable install" if editable else "wheel"


def installed(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def free_bytes() -> int:
    """Return how much memory is still available, as the system and the cgroup count it."""
    free = 4 << 30  # if the system does not tell
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
        facts.setdefault(name.strip(), value.strip())  # those of the first processor
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
