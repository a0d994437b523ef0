"""Markers of the parts whose bytes are on the disk, and what is missing until they cover all.

Each is a file of the staging folder, ``part-00003-of-00016.json``, whose content notes.py checks.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ..messages import counted, listed
from .notes import read_marker, write_json
from .staging_folder import StagingFolder, unique
from .writer import Range, sync

__all__ = ["drop_markers_without_files", "mark", "marked_parts", "what_is_missing"]

_MARKER = re.compile(r"part-(\d{5,})-of-(\d{5,})\.json")
#: The most numbers of parts that a message lists.
_MOST_COUNTS = 3


def mark(staging: StagingFolder, k: int, n: int, ranges: Iterable[Range]) -> None:
    """Note that the ranges of part k of n are on the disk."""
    content = {"digest": staging.plan["digest"], "ranges": [list(part) for part in ranges]}
    sync(staging.folder)
    temporary = unique(staging.folder / "marker")
    write_json(temporary, content)
    os.replace(temporary, _path(staging, k, n))
    sync(staging.folder)


def marked_parts(staging: StagingFolder) -> set[tuple[int, int]]:
    """Return (k, n) of the parts that have markers."""
    try:
        names = os.listdir(staging.folder)
    except FileNotFoundError:  # another process has just finished
        return set()
    found = (_MARKER.fullmatch(name) for name in names)
    return {(int(match[1]), int(match[2])) for match in found if match}


def drop_markers_without_files(staging: StagingFolder) -> None:
    """Delete the markers of parts whose files are gone.

    Raises
    ------
    ValueError
        If a marker is damaged, or of another model.
    """
    for (k, n), ranges in _markers(staging).items():
        if not all(staging.size(part.file) is not None for part in ranges):
            _path(staging, k, n).unlink(missing_ok=True)


def what_is_missing(staging: StagingFolder) -> str:
    """Return a text that says which parts are missing; it is empty if none is.

    Raises
    ------
    ValueError
        If a marker is damaged, or of another model.
    """
    marked = marked_parts(staging)
    counts = sorted({n for _, n in marked})
    if not counts and not staging.plan["parts"]:
        return "the process that wrote it was stopped: run the same call again"
    if len(counts) == 1:
        absent = _absent(marked, counts[0])
        if absent:
            return absent
    gaps = _gaps(staging)
    if not gaps:
        return ""
    choices = [_absent(marked, n) for n in counts[:_MOST_COUNTS]]
    if all(choices) and choices:
        return f"{'; or '.join(choices)}. Write all missing parts of one of these numbers"
    return f"these bytes are missing: {listed(gaps)}"


def _absent(marked: set[tuple[int, int]], n: int) -> str:
    """Return a text that says which of n parts have no marker; it is empty if all have one."""
    absent = n - sum(k < n for k, count in marked if count == n)
    if not absent:
        return ""
    # Anybody may choose n, so that the list of all numbers might fill the memory.
    first = islice((k for k in range(n) if (k, n) not in marked), 100)
    texts = listed(map(str, first), absent)
    return f"of {counted(n, 'part')}, counted from 0, these are missing: {texts}"


def _gaps(staging: StagingFolder) -> list[str]:
    """Return the bytes of the files that no marker covers, in words."""
    by_file: dict[int, list[Range]] = {}
    for part in sorted(part for ranges in _markers(staging).values() for part in ranges):
        by_file.setdefault(part.file, []).append(part)
    gaps = []
    for number, (name, nbytes) in enumerate(staging.plan["files"]):
        at = 0
        for _, begin, end in [*by_file.get(number, ()), Range(number, nbytes, nbytes)]:
            if begin > at:
                gaps.append(f"{at} to {begin}" + (f" of {name}" if name else ""))
            at = max(at, end)
    return gaps


def _markers(staging: StagingFolder) -> dict[tuple[int, int], list[Range]]:
    """Return (k, n) -> the ranges that are on the disk, for each part that has a marker."""
    found = {}
    for k, n in sorted(marked_parts(staging)):
        path = _path(staging, k, n)
        with suppress(FileNotFoundError):  # another process has just finished
            found[k, n] = read_marker(path, staging.plan)
    return found


def _path(staging: StagingFolder, k: int, n: int) -> Path:
    """Return the path of a marker."""
    return staging.folder / f"part-{k:05d}-of-{n:05d}.json"
