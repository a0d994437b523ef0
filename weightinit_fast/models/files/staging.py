"""Staging: the folder beside the target in which files grow until all of their bytes are there.

For the target ``dir/gpt2.safetensors`` it is ``dir/.gpt2.safetensors.saving``. It holds

- ``plan.json``: a digest of everything that the bytes depend on, and the names and sizes of the
  files. Whoever comes later with another digest writes another model, and is refused.
- ``data``: the file, or the folder of files.
- ``part-00003-of-00016.json``: a marker for each part whose bytes are on the disk.
- ``lock``: locked by every process that is at work here. It is only used to tell whether a folder
  that a crash left behind may be deleted; file systems without locks work as well.
- ``publishing``: locked by the process that gives the files their names.

When the markers cover all bytes, ``data`` gets the name of the target, and the folder is deleted.
Every step can be repeated, and two processes may do it at once.
"""

import glob
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from ..._resolve.messages import shown
from ..messages import listed
from .layout import NPY_INDEX, SHARD_INDEX, Layout
from .writer import Range, sync

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment,unused-ignore]

__all__ = ["Staging", "refuse_existing"]

_VERSION = 1
#: A plan lists up to a million files.
_LARGEST_PLAN = 200_000_000
#: A folder in the making is left behind if it is older than this; making one takes milliseconds.
_OLD_SECONDS = 60
_MARKER = re.compile(r"part-(\d{5,})-of-(\d{5,})\.json")
#: Format -> the names that files of a model have in its folder.
_OWN_NAMES = {
    "safetensors": re.compile(
        r"model(-\d{5,}-of-\d{5,})?\.safetensors|" + re.escape(SHARD_INDEX),
    ),
    "npy": re.compile(r".*\.npy|" + re.escape(NPY_INDEX), re.DOTALL),
    "zarr": re.compile(".*", re.DOTALL),  # a group has nothing beside its arrays
}


class Staging:
    """The staging folder of a target.

    Parameters
    ----------
    target : Path
        The name that the files get in the end.

    Attributes
    ----------
    target, folder : Path
        The target, and the staging folder beside it.
    plan : dict
        The content of plan.json, after `join` or `read`.
    """

    def __init__(self, target: Path) -> None:
        self.target: Path = target
        self.folder: Path = target.parent / f".{target.name}.saving"
        self.plan: dict[str, Any] = {}
        self._lock: int | None = None
        self._joined = False

    # Files within it -----------------------------------------------------------------------------

    @property
    def data(self) -> Path:
        """The file or the folder that becomes the target."""
        return self.folder / "data"

    def file(self, name: str) -> Path:
        """Return the path of a file of the layout while it grows."""
        return self.data / name if name else self.data

    def final(self, name: str) -> Path:
        """Return the path that a file of the layout gets in the end."""
        return self.target / name if name else self.target

    # Beginning -----------------------------------------------------------------------------------

    def join(self, layout: Layout, digest: str, parts: bool, force: bool) -> None:
        """Make the folder, or go on in the one that is there, and lock it.

        Raises
        ------
        FileExistsError
            If another model is being written there, or parts of one wait there.
        """
        plan = {
            "version": _VERSION,
            "digest": digest,
            "format": layout.format,
            "folder": layout.folder,
            "force": force,
            "parts": parts,
            "files": [[file.name, file.nbytes] for file in layout.files],
        }
        for _ in range(100):  # other processes may make and delete the folder meanwhile
            if not self.folder.exists():
                self._make(plan)
            try:
                self._take_lock()
                self.read()
            except FileNotFoundError:
                if self.folder.exists() and self._is_ours_alone():
                    self.discard()  # a folder without a plan: its deletion was cut short
                continue
            if self.plan["digest"] == digest:
                break
            if self.plan["parts"] or self._marked() or not self._is_ours_alone():
                raise FileExistsError(
                    f"{str(self.folder)!r} holds parts of {str(self.target)!r} that were written "
                    "with another recipe, key, dtype or shapes, or that another process is writing "
                    "now: end that first, or delete the folder"
                )
            self.discard()  # a crash left it behind, and nobody can use it
        else:
            raise FileExistsError(f"other processes make and delete {str(self.folder)!r}")
        self.plan["force"] = self.plan["force"] or force
        if layout.folder:
            self.data.mkdir(exist_ok=True)
        self._drop_markers_without_files()
        self._joined = True

    def _make(self, plan: dict[str, Any]) -> None:
        """Make the folder with its plan at once; leave that to another process if it is faster."""
        fresh = self._unique(self.folder)
        try:
            fresh.mkdir()
            _write_json(fresh / "plan.json", plan)
            with suppress(OSError):  # a folder that is not empty is never replaced
                os.rename(fresh, self.folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    @staticmethod
    def _unique(path: Path) -> Path:
        """Return a path that no other process uses."""
        return path.with_name(f"{path.name}.{secrets.token_hex(8)}")

    def _drop_markers_without_files(self) -> None:
        """Delete the markers of parts whose files are gone, since they got their names already."""
        names = [name for name, _ in self.plan["files"]]
        for (k, n), ranges in self.markers().items():
            if not all(self.file(names[part.file]).exists() for part in ranges):
                self._marker(k, n).unlink(missing_ok=True)

    def read(self) -> None:
        """Read the plan.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is damaged.
        """
        path = self.folder / "plan.json"
        plan = _read_json(path)
        files = plan.get("files")
        good = (
            plan.get("version") == _VERSION
            and isinstance(plan.get("digest"), str)
            and plan.get("format") in _OWN_NAMES
            and all(isinstance(plan.get(key), bool) for key in ("folder", "force", "parts"))
            and isinstance(files, list)
            and all(_is_file(item, plan["folder"]) for item in files)
        )
        if not good:
            _refuse_damaged(path)
        self.plan = plan

    # Locks ---------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        """Lock the folder together with all others that work in it."""
        self.leave()
        if fcntl is None:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._lock = os.open(self.folder / "lock", flags, 0o666)
        with suppress(OSError):  # a file system without locks
            # It waits for a process that is just deleting the folder.
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        if os.fstat(self._lock).st_nlink == 0:
            raise FileNotFoundError(self.folder)

    def _is_ours_alone(self) -> bool:
        """Whether no other process is at work here; False where locks do not tell."""
        if fcntl is None or self._lock is None:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Parts ---------------------------------------------------------------------------------------

    def _marker(self, k: int, n: int) -> Path:
        return self.folder / f"part-{k:05d}-of-{n:05d}.json"

    def mark(self, k: int, n: int, ranges: Iterable[Range]) -> None:
        """Note that the ranges of part k of n are on the disk."""
        content = {"digest": self.plan["digest"], "ranges": [list(part) for part in ranges]}
        sync(self.folder)
        temporary = self._unique(self.folder / "marker")
        _write_json(temporary, content)
        os.replace(temporary, self._marker(k, n))
        sync(self.folder)

    def _marked(self) -> set[tuple[int, int]]:
        """Return (k, n) of the parts that have markers."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:  # another process has just finished
            return set()
        found = (_MARKER.fullmatch(name) for name in names)
        return {(int(match[1]), int(match[2])) for match in found if match}

    def markers(self) -> dict[tuple[int, int], list[Range]]:
        """Return (k, n) -> the ranges that are on the disk, for each part that has a marker.

        Raises
        ------
        ValueError
            If a marker is damaged, or of another model.
        """
        found = {}
        for k, n in sorted(self._marked()):
            path = self._marker(k, n)
            try:
                content = _read_json(path)
            except FileNotFoundError:  # another process has just finished
                continue
            if content.get("digest") != self.plan["digest"]:
                raise ValueError(
                    f"{str(path)!r} is the marker of a part of another model: it was written with "
                    "another recipe, key, dtype or shapes"
                )
            ranges = content.get("ranges")
            count = len(self.plan["files"])
            if not isinstance(ranges, list) or not all(_is_range(r, count) for r in ranges):
                _refuse_damaged(path)
            found[k, n] = [Range(*item) for item in ranges]
        return found

    def missing(self) -> str:
        """Return a text that says which parts are missing; it is empty if none is."""
        marked = self._marked()
        counts = {n for _, n in marked}
        if len(counts) == 1:
            n = counts.pop()
            absent = [k for k in range(n) if (k, n) not in marked]
            if absent:
                texts = listed(str(k) for k in absent)
                return f"of {n} parts, counted from 0, these are missing: {texts}"
        by_file: dict[int, list[Range]] = {}
        for part in sorted(part for ranges in self.markers().values() for part in ranges):
            by_file.setdefault(part.file, []).append(part)
        gaps = []
        for number, (name, nbytes) in enumerate(self.plan["files"]):
            at = 0
            for _, begin, end in [*by_file.get(number, ()), Range(number, nbytes, nbytes)]:
                if begin > at:
                    gaps.append(f"{at} to {begin}" + (f" of {name}" if name else ""))
                at = max(at, end)
        return f"these bytes are missing: {listed(gaps)}" if gaps else ""

    # The end -------------------------------------------------------------------------------------

    def is_finished(self) -> bool:
        """Whether another process has given the files their names."""
        return not self.data.exists() and self.target.exists()

    def clean(self) -> None:
        """Delete the folder if its files have their names, but a crash kept it from deletion."""
        if self.folder.exists() and self.is_finished():
            self.discard()

    def publish(self, force: bool) -> None:
        """Give the files their names, and delete the staging folder.

        Raises
        ------
        ValueError
            If a file has another size than it should.
        FileExistsError
            If the target has come into being meanwhile.
        """
        with self._publishing():
            if self.data.exists():
                self._check_sizes()
                if self.plan["folder"] and self.plan["format"] != "zarr" and self.target.is_dir():
                    self._publish_into_folder(force)
                else:
                    self._publish_at_once(force)
                sync(self.target.parent)
            elif not self.target.exists():
                raise FileNotFoundError(f"the data of {str(self.target)!r} are not there any more")
        self.discard()

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """Keep other processes from giving the names at the same time, as far as locks can."""
        descriptor = None
        if fcntl is not None:
            with suppress(OSError):
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                descriptor = os.open(self.folder / "publishing", flags, 0o666)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _check_sizes(self) -> None:
        """Raise the error of a file that is not as large as it should be."""
        group = self.plan["format"] == "zarr"
        for name, nbytes in self.plan["files"]:
            try:
                size = self.file(name).stat().st_size
            except FileNotFoundError:
                if not group and self.final(name).exists():
                    continue  # it has its name already
                raise
            if size != nbytes:
                raise ValueError(
                    f"{str(self.file(name))!r} has {size} bytes, and not {nbytes}: it was changed "
                    "or cut; delete the folder and write the parts again"
                )

    def _publish_at_once(self, force: bool) -> None:
        """Give a file or a whole folder its name."""
        refuse_existing(self.target, self.plan["format"], self.plan["folder"], force)
        if self.plan["folder"]:
            for folder in {self.file(name).parent for name, _ in self.plan["files"]} | {self.data}:
                sync(folder)
            if self.target.is_dir():  # a former group of Zarr
                shutil.rmtree(self.target)
        with suppress(FileNotFoundError):  # another process was faster, on a disk without locks
            os.rename(self.data, self.target)

    def _publish_into_folder(self, force: bool) -> None:
        """Move files into a folder that exists. An index, which is the last file, comes last."""
        names = [name for name, _ in self.plan["files"]]
        if all(self.file(name).exists() for name in names):  # nothing was moved yet
            refuse_existing(self.target, self.plan["format"], True, force)
        if force:
            for old in self.target.iterdir():
                own = _OWN_NAMES[self.plan["format"]].fullmatch(old.name)
                if own and old.name not in names:
                    old.unlink(missing_ok=True)
            if len(names) > 1 and self.file(names[-1]).exists():
                self.final(names[-1]).unlink(missing_ok=True)  # an index of former files
        for name in names:
            with suppress(FileNotFoundError):
                os.rename(self.file(name), self.final(name))
        sync(self.target)

    def discard(self) -> None:
        """Delete the folder, and what processes left that were killed while they made it."""
        self.leave()
        for fresh in self.folder.parent.glob(f"{glob.escape(self.folder.name)}.*"):
            with suppress(OSError):
                if time.time() - fresh.stat().st_mtime > _OLD_SECONDS:
                    shutil.rmtree(fresh)
        for path in [*self.folder.glob("part-*.json"), self.data]:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def give_up(self) -> None:
        """Delete the folder after a failure, unless others work in it or have finished parts."""
        if self._joined:
            with suppress(OSError, ValueError):
                others = self._marked() - {(0, 1)}
                if self._is_ours_alone() and not others:
                    self.discard()
        self.leave()


def refuse_existing(target: Path, format_: str, folder: bool, force: bool) -> None:
    """Raise the error of a target that exists, unless it may be replaced.

    A folder that holds no files of the format may exist: the files are put beside what is there,
    such as a configuration and a tokenizer.
    """
    if not os.path.lexists(target):
        return
    if folder:
        if not target.is_dir():
            raise FileExistsError(f"{str(target)!r} exists, and is no folder as the model would be")
        own = sorted(p.name for p in target.iterdir() if _OWN_NAMES[format_].fullmatch(p.name))
        if own and not force:
            raise FileExistsError(
                f"{str(target)!r} holds {shown(own[0])} already; force=True replaces the weights"
            )
        if own and format_ == "zarr" and "zarr.json" not in own:
            raise FileExistsError(
                f"{str(target)!r} is no group of Zarr, so that it is not replaced: delete it first"
            )
    elif target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder, and the model would be a file")
    elif not force:
        raise FileExistsError(f"{str(target)!r} exists; force=True replaces it")


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


def _write_json(path: Path, content: dict[str, Any]) -> None:
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
