"""What a result begins with: the command, the commit, and the processor."""

import os
import platform
import subprocess
from pathlib import Path

from engine import ROOT, command_line


def commit():
    """Return the commit of this clone, and whether files differ from it."""

    def git(*arguments):
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        name = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "commit unknown"
    return f"commit {name}{', with changes' if changed else ''}"


def processor():
    """Return the name of the processor, and how many of them this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
            break
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {count} processors"


def heading():
    """Return the lines that a result begins with."""
    return [command_line(), f"{commit()}; {processor()}"]
