"""Staging: the folder beside the target in which files grow until all of their bytes are there.

For the target ``dir/gpt2.safetensors`` it is ``dir/.gpt2.safetensors.saving``. It holds

- ``plan.json``: a digest of everything that the bytes depend on, and the names and sizes of the
  files. Whoever comes later with another digest writes another model, and is refused. A digest of
  each thing, such as the key, serves to say what differs.
- ``data``: the file, or the folder of files.
- ``part-00003-of-00016.json``: a marker for each part whose bytes are on the disk.
- ``lock``: locked by every process that is at work here. It is only used to tell whether a folder
  that a crash left behind may be deleted; file systems without locks work as well.
- ``publishing``: locked by the process that gives the files their names.
- ``moving``: made before the first file is moved out of ``data``. From then on, a file that is
  absent from ``data`` has its name already.
- ``former``: the Zarr group that had the name of the target, until the folder is deleted.

When the markers cover all bytes, ``data`` gets the name of the target, and the folder is deleted.
Every step can be repeated, and two processes may do it at once.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..messages import counted, listed
from .layout import Layout
from .notes import VERSION, read_marker, read_plan, write_json
from .targets import OWN_NAMES, refuse_existing
from .writer import Range, sync

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment,unused-ignore]

__all__ = ["Staging"]

#: A folder that is being made or deleted was left behind if it is older than this. Either takes
#: milliseconds, or seconds for a large folder.
_OLD_SECONDS = 60
#: What `_unique` adds to the name of the staging folder.
_UNIQUE_ENDING = re.compile("[.][0-9a-f]{16}")
#: The most numbers of parts that a message lists.
_MOST_COUNTS = 3
_MARKER = re.compile(r"part-(\d{5,})-of-(\d{5,})\.json")


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
        # These are files and not descriptors, since Ctrl-C may come between any two steps: a file
        # may be closed twice. A lock that stays open would let this process wait for itself.
        self._lock: BinaryIO | None = None
        self._publishing: BinaryIO | None = None
        self._joined = False
        #: A folder that no other process has a name for: one that is being made or deleted.
        self._nameless: Path | None = None
        #: What the last file's name led to when the plan was read.
        self._former: tuple[int, ...] | None = None

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

    def join(self, layout: Layout, digests: dict[str, str], parts: bool, force: bool) -> None:
        """Make the folder, or go on in the one that is there, and lock it.

        ``digests`` has a digest of each thing that the bytes depend on, by its name for people.

        Raises
        ------
        FileExistsError
            If another model is being written there, or parts of one wait there; or if a link has
            the folder's name. Whoever made that link may have chosen it so that our files overwrite
            others.
        """
        digest = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
        plan = {
            "version": VERSION,
            "digest": digest,
            "digests": digests,
            "format": layout.format,
            "folder": layout.folder,
            "force": force,
            "parts": parts,
            "files": [[file.name, file.nbytes] for file in layout.files],
        }
        for _ in range(100):  # other processes may make and delete the folder meanwhile
            self._refuse_links()
            if not self.folder.exists():
                self._make(plan)
            try:
                self._take_lock()
                self.read()
            except FileNotFoundError:
                if self._is_ours_alone():
                    self.discard()  # a folder without a plan
                continue
            if self._is_published():
                self.discard()
                continue
            if not (self.folder / "plan.json").exists():
                continue  # published and deleted since the plan was read
            if self.plan["digest"] == digest:
                break
            if self.plan["parts"] or self._marked() or not self._is_ours_alone():
                raise FileExistsError(self._refusal(digests))
            self.discard()  # a crash left it behind, and nobody can use it
        else:
            raise FileExistsError(f"other processes make and delete {str(self.folder)!r}")
        self.plan["force"] = self.plan["force"] or force
        if layout.folder:
            self.data.mkdir(exist_ok=True)
        self._refuse_links()
        self._drop_markers_without_files()
        self._joined = True

    def _refusal(self, digests: dict[str, str]) -> str:
        """Return why a model of these digests cannot be written while the folder holds another."""
        theirs, known = self.plan["digests"], list(digests)
        differ = [name for name in known if theirs.get(name) != digests[name]]
        if differ[-2:] == known[-2:]:  # the files differ wherever the tensors do
            differ.pop()
        other = f"another {' and another '.join(differ)}"
        folder, name = str(self.folder), self.target.name
        if self.plan["parts"] or self._marked():
            return (
                f"{folder!r} holds parts of {name!r} that were written with {other}: finish them "
                "first, or delete the folder"
            )
        return (
            f"another process is writing {name!r} in {folder!r}, with {other}: wait for its end, "
            "or stop it and delete the folder"
        )

    def _make(self, plan: dict[str, Any]) -> None:
        """Make the folder with its plan at once; leave that to another process if it is faster."""
        self._nameless = fresh = self._unique(self.folder)
        try:
            self._make_folder(fresh)
            write_json(fresh / "plan.json", plan)
            # An interrupt right after the move finds that there is something to give up.
            self._joined = True
            with suppress(OSError):  # a folder that is not empty is never replaced
                os.rename(fresh, self.folder)
        finally:
            self._delete_nameless()

    def _make_folder(self, fresh: Path) -> None:
        """Make a folder beside the target; say so if nothing may be written there."""
        try:
            fresh.mkdir()
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            where = str(self.target.parent)
            text = f"there is no permission to write in the folder {where!r}"
            if error.errno == errno.EROFS:
                text = f"the file system of the folder {where!r} is read-only"
            raise OSError(error.errno, text) from None

    def _refuse_links(self) -> None:
        for path in (self.folder, self.data):
            if path.is_symlink():
                raise FileExistsError(f"{str(path)!r} is a link, which save never makes: delete it")

    @staticmethod
    def _unique(path: Path) -> Path:
        """Return a path that no other process uses."""
        return path.with_name(f"{path.name}.{secrets.token_hex(8)}")

    def _drop_markers_without_files(self) -> None:
        """Delete the markers of parts whose files are gone."""
        for (k, n), ranges in self.markers().items():
            if not all(self._size(part.file) is not None for part in ranges):
                self._marker(k, n).unlink(missing_ok=True)

    def _size(self, number: int) -> int | None:
        """Return the size of a file of the plan, where it grew or where it was moved to, or None.

        The file that has its name counts only if moving has begun, and a Zarr group is moved whole.
        Otherwise it may be a file of another model, with the same name and the same size.
        """
        name, _ = self.plan["files"][number]
        one_by_one = self.plan["format"] != "zarr" and (self.folder / "moving").exists()
        moved = [self.final(name)] if one_by_one else []
        for path in (self.file(name), *moved):
            with suppress(FileNotFoundError, NotADirectoryError):
                return path.lstat().st_size
        return None

    def read(self) -> None:
        """Read the plan.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is damaged.
        """
        self.plan = read_plan(self.folder / "plan.json")
        self._former = self._identity()

    # Locks ---------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        """Lock the folder together with all others that work in it."""
        self.leave()
        if fcntl is None:
            return
        self._lock = open(self.folder / "lock", "ab", buffering=0)  # noqa: SIM115  leave() closes it
        with suppress(OSError):  # a file system without locks
            # It waits for a process that is just deleting the folder.
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        if not self._locks_this_folder():
            raise FileNotFoundError(self.folder)

    def _locks_this_folder(self) -> bool:
        """Whether our lock is that of the folder, and not of a deleted one that had its name."""
        if self._lock is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._lock.fileno()), os.stat(self.folder / "lock"))
        except FileNotFoundError:
            return False

    def _is_ours_alone(self) -> bool:
        """Whether no other process is at work here; False where locks do not tell."""
        if fcntl is None or self._lock is None:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return self._locks_this_folder()

    def leave(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # Parts ---------------------------------------------------------------------------------------

    def _marker(self, k: int, n: int) -> Path:
        return self.folder / f"part-{k:05d}-of-{n:05d}.json"

    def mark(self, k: int, n: int, ranges: Iterable[Range]) -> None:
        """Note that the ranges of part k of n are on the disk."""
        content = {"digest": self.plan["digest"], "ranges": [list(part) for part in ranges]}
        sync(self.folder)
        temporary = self._unique(self.folder / "marker")
        write_json(temporary, content)
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
            with suppress(FileNotFoundError):  # another process has just finished
                found[k, n] = read_marker(path, self.plan)
        return found

    def missing(self) -> str:
        """Return a text that says which parts are missing; it is empty if none is."""
        marked = self._marked()
        counts = sorted({n for _, n in marked})
        if not counts and not self.plan["parts"]:
            return "the process that wrote it was stopped: run the same call again"
        if len(counts) == 1:
            absent = self._absent(marked, counts[0])
            if absent:
                return absent
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
        if not gaps:
            return ""
        choices = [self._absent(marked, n) for n in counts[:_MOST_COUNTS]]
        if all(choices) and choices:
            return f"{'; or '.join(choices)}. Write all missing parts of one of these numbers"
        return f"these bytes are missing: {listed(gaps)}"

    @staticmethod
    def _absent(marked: set[tuple[int, int]], n: int) -> str:
        """Return a text that says which of n parts have no marker; it is empty if all have one."""
        absent = n - sum(k < n for k, count in marked if count == n)
        if not absent:
            return ""
        # Anybody may choose n, so that the list of all numbers might fill the memory.
        first = islice((k for k in range(n) if (k, n) not in marked), 100)
        texts = listed(map(str, first), absent)
        return f"of {counted(n, 'part')}, counted from 0, these are missing: {texts}"

    # The end -------------------------------------------------------------------------------------

    def is_finished(self) -> bool:
        """Whether another process has given the files their names since the plan was read."""
        if self.data.exists():
            return False
        return self._is_published() or self._identity() not in (None, self._former)

    def _is_published(self) -> bool:
        """Whether the files have their names, and only the deletion of the folder is left."""
        return (self.folder / "moving").exists() and not self.data.exists()

    def _identity(self) -> tuple[int, ...] | None:
        """Return what tells the last file of the target from a former one; None if it is absent.

        That a file has this name says nothing where it replaces one.
        """
        files = self.plan["files"]
        try:
            found = self.final(files[-1][0] if files else "").stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino, found.st_ctime_ns

    def clean(self) -> None:
        """Delete what crashes left: a folder whose files have their names, and nameless ones."""
        self._delete_leftovers()
        if self._is_published():
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
        try:
            self._keep_others_from_publishing()
            if self.data.exists():
                self._check_sizes()
                if self.plan["folder"] and self.plan["format"] != "zarr" and self.target.is_dir():
                    self._publish_into_folder(force)
                else:
                    self._publish_at_once(force)
                sync(self.target.parent)
            elif not self.is_finished():
                raise FileNotFoundError(f"the data of {str(self.target)!r} are not there any more")
        finally:
            self._let_others_publish()
        self.discard()

    def end_publishing(self) -> None:
        """Give the remaining files their names after Ctrl-C, if the first may have its name.

        That takes no time, and the former files of that name may be gone. So Ctrl-C leaves all of
        the new files or none of them.
        """
        with suppress(OSError, ValueError):
            if self.plan and (self.folder / "moving").exists():
                self.publish(self.plan["force"])

    def _keep_others_from_publishing(self) -> None:
        """Keep other processes from giving the names at the same time, as far as locks can."""
        self._let_others_publish()
        if fcntl is not None:
            with suppress(OSError):
                path = self.folder / "publishing"
                self._publishing = open(path, "ab", buffering=0)  # noqa: SIM115  closed below
                fcntl.flock(self._publishing, fcntl.LOCK_EX)

    def _let_others_publish(self) -> None:
        """Release the lock of the process that gives the names."""
        if self._publishing is not None:
            self._publishing.close()
            self._publishing = None

    def _check_sizes(self) -> None:
        """Raise the error of a file that is not there, or not as large as it should be."""
        for number, (name, nbytes) in enumerate(self.plan["files"]):
            size = self._size(number)
            path = str(self.file(name))
            if size is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            if size != nbytes:
                raise ValueError(
                    f"{path!r} has {size:,} bytes, and not {nbytes:,}: it was changed or cut; "
                    "delete the folder and write the parts again"
                )

    def _begin_moving(self) -> None:
        """Note that files are moved from now on, so that whoever comes after a crash goes on."""
        with suppress(FileExistsError):
            write_json(self.folder / "moving", {})
            sync(self.folder)

    def _publish_at_once(self, force: bool) -> None:
        """Give a file or a whole folder its name."""
        refuse_existing(self.target, self.plan["format"], self.plan["folder"], force)
        self._begin_moving()
        if self.plan["folder"]:
            for folder in {self.file(name).parent for name, _ in self.plan["files"]} | {self.data}:
                sync(folder)
            if self.target.is_dir():
                # A former group of Zarr. A deletion that is cut short would leave half of it under
                # the name of the target.
                former = self.folder / "former"
                shutil.rmtree(former, ignore_errors=True)
                os.rename(self.target, former)
        with suppress(FileNotFoundError):  # another process was faster, on a disk without locks
            os.rename(self.data, self.target)

    def _publish_into_folder(self, force: bool) -> None:
        """Move files into a folder that exists. An index, which is the last file, comes last."""
        names = [name for name, _ in self.plan["files"]]
        if not (self.folder / "moving").exists():
            refuse_existing(self.target, self.plan["format"], True, force)
            self._begin_moving()
        if force and len(names) > 1 and self.file(names[-1]).exists():
            self.final(names[-1]).unlink(missing_ok=True)  # an index of former files
        for name in names:
            with suppress(FileNotFoundError):
                os.rename(self.file(name), self.final(name))
        if force:  # now that the new files are there
            for old in self.target.iterdir():
                own = OWN_NAMES[self.plan["format"]].fullmatch(old.name)
                if own and old.name not in names:
                    old.unlink(missing_ok=True)
        sync(self.target)
        with suppress(OSError):
            self.data.rmdir()

    def discard(self) -> None:
        """Delete the folder. It loses its name at once, so that nobody joins half of it."""
        self._nameless = self._unique(self.folder)
        with suppress(OSError):
            os.rename(self.folder, self._nameless)
        self.leave()
        self._delete_nameless()
        self._delete_leftovers()

    def _delete_nameless(self) -> None:
        """Delete a folder that lost its name, or did not get one."""
        if self._nameless is not None:
            shutil.rmtree(self._nameless, ignore_errors=True)
            self._nameless = None

    def _delete_leftovers(self) -> None:
        """Delete what processes left that were killed while they made or deleted the folder."""
        try:
            found = os.listdir(self.folder.parent)
        except OSError:  # a folder that may be written but not listed
            return
        begin = self.folder.name
        for name in found:
            if name.startswith(begin) and _UNIQUE_ENDING.fullmatch(name, len(begin)):
                path = self.folder.parent / name
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                        shutil.rmtree(path)

    def give_up(self) -> None:
        """Delete the folder after a failure, unless others work in it or have finished parts.

        It stays also if files of it have been moved: then former files are gone, and the new ones
        are whole, so that `finish` can go on.
        """
        self._delete_nameless()
        if self._joined and not (self.folder / "moving").exists():
            with suppress(OSError, ValueError):
                if self._lock is None:
                    self._take_lock()  # Ctrl-C came after the folder was made and before its lock
                others = self._marked() - {(0, 1)}
                if self._is_ours_alone() and not others:
                    self.discard()
        self.leave()
