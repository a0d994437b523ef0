"""Notes of a staging folder: its plan and its markers, as files of JSON.

They may come from strangers, or may have been cut, so that every field is checked when it is read.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn

from .layout import Layout
from .targets import OWN_NAMES
from .writer import Range

__all__ = ["plan_of", "read_marker", "read_plan", "write_json"]

#: The version of the plan.
_VERSION = 1
#: A plan lists up to a million files (layout/places.py), whose names have some 200 characters.
_LARGEST_PLAN = 500_000_000


def plan_of(layout: Layout, digests: dict[str, str], parts: bool, force: bool) -> dict[str, Any]:
    """Return the plan of a model.

    ``digests`` has a digest of each thing that the bytes depend on, by its name for people.
    """
    return {
        "version": _VERSION,
        "digest": hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest(),
        "digests": digests,
        "format": layout.format,
        "folder": layout.folder,
        "force": force,
        "parts": parts,
        "files": [[file.name, file.nbytes] for file in layout.files],
    }


def read_plan(path: Path) -> dict[str, Any]:
    """Return the plan of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged.
    """
    plan = _read_json(path)
    files = plan.get("files")
    good = (
        plan.get("version") == _VERSION
        and isinstance(plan.get("digest"), str)
        and isinstance(plan.get("digests"), dict)
        and plan.get("format") in OWN_NAMES
        and all(isinstance(plan.get(key), bool) for key in ("folder", "force", "parts"))
        and isinstance(files, list)
        and all(_is_file(item, plan["folder"]) for item in files)
    )
    if not good:
        _refuse_damaged(path)
    return plan


def read_marker(path: Path, plan: dict[str, Any]) -> list[Range]:
    """Return the ranges that a marker says are on the disk.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or of another model than the plan's.
    """
    content = _read_json(path)
    if content.get("digest") != plan["digest"]:
        raise ValueError(
            f"{str(path)!r} is the marker of a part of another model: it was written with another "
            "recipe, key, dtype, shapes or options"
        )
    ranges, count = content.get("ranges"), len(plan["files"])
    if not isinstance(ranges, list) or not all(_is_range(item, count) for item in ranges):
        _refuse_damaged(path)
    return [Range(*item) for item in ranges]


def _read_json(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        text = file.read(_LARGEST_PLAN + 1)
    try:
        content = json.loads(text) if len(text) <= _LARGEST_PLAN else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        _refuse_damaged(path)
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a new file; it is on the disk then."""
    with open(path, "x", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _refuse_damaged(path: Path) -> NoReturn:
    raise ValueError(
        f"{str(path)!r} is damaged, or another version of this package wrote it: delete the folder "
        "and write the parts again"
    )


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_file(item: object, folder: bool) -> bool:
    """Whether an entry of a plan is the name of a file below the target, and a size."""
    if not isinstance(item, list) or len(item) != 2 or not _is_size(item[1]):
        return False
    name = item[0]
    if not isinstance(name, str) or set(name) & set("\\\0"):
        return False
    if not folder:
        return name == ""
    parts = name.split("/")  # Zarr has a folder for each array
    return len(parts) <= 2 and {"", ".", ".."}.isdisjoint(parts)


def _is_range(item: object, files: int) -> bool:
    """Whether an entry of a marker is the number of a file, and two offsets."""
    if not isinstance(item, list) or len(item) != 3 or not all(_is_size(n) for n in item):
        return False
    number: int = item[0]
    return number < files
