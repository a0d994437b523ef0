"""Staging: a process joins the staging folder of a target, locks it, and leaves or deletes it.

staging_folder.py says what the folder holds.
"""

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .layout import Layout
from .locks import FileLock
from .markers import drop_markers_without_files, marked_parts
from .notes import plan_of, write_json
from .staging_folder import UNIQUE_ENDING, StagingFolder, unique

__all__ = ["Staging"]

#: A folder that is being made or deleted was left behind if it is older than this. Either takes
#: milliseconds, or seconds for a large folder.
_OLD_SECONDS = 60


class Staging(StagingFolder):
    """A staging folder that this process works in: `join` makes or enters it, `leave` ends that.

    Parameters
    ----------
    target : Path
        The name that the files get in the end.
    """

    def __init__(self, target: Path) -> None:
        super().__init__(target)
        self._lock = FileLock(self.folder / "lock")
        self._joined = False
        #: A folder that no other process has a name for: one that is being made or deleted.
        self._nameless: Path | None = None

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
        plan = plan_of(layout, digests, parts, force)
        for _ in range(100):  # other processes may make and delete the folder meanwhile
            self._refuse_links()
            if not self.folder.exists():
                self._make(plan)
            try:
                self._take_lock()
                self.read()
            except FileNotFoundError:
                if self._lock.try_exclusive():
                    self.discard()  # a folder without a plan
                continue
            if self.is_published():
                self.discard()
                continue
            if not (self.folder / "plan.json").exists():
                continue  # published and deleted since the plan was read
            if self.plan["digest"] == plan["digest"]:
                break
            if self.plan["parts"] or marked_parts(self) or not self._lock.try_exclusive():
                raise FileExistsError(self._refusal(digests))
            self.discard()  # a crash left it behind, and nobody can use it
        else:
            raise FileExistsError(f"other processes make and delete {str(self.folder)!r}")
        self.plan["force"] = self.plan["force"] or force
        if layout.folder:
            self.data.mkdir(exist_ok=True)
        self._refuse_links()
        drop_markers_without_files(self)
        self._joined = True

    def _refusal(self, digests: dict[str, str]) -> str:
        """Return why a model of these digests cannot be written while the folder holds another."""
        theirs, known = self.plan["digests"], list(digests)
        differ = [name for name in known if theirs.get(name) != digests[name]]
        if differ[-2:] == known[-2:]:  # the files differ wherever the tensors do
            differ.pop()
        other = f"another {' and another '.join(differ)}"
        folder, name = str(self.folder), self.target.name
        if self.plan["parts"] or marked_parts(self):
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
        self._nameless = fresh = unique(self.folder)
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

    # The lock ------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        """Lock the folder together with all others that work in it."""
        self._lock.take(shared=True)  # it waits for a process that is just deleting the folder
        if self._lock.is_lost():
            raise FileNotFoundError(self.folder)

    def leave(self) -> None:
        """Release the lock."""
        self._lock.release()

    # The end -------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Delete what crashes left: a folder whose files have their names, and nameless ones."""
        self._delete_leftovers()
        if self.is_published():
            self.discard()

    def discard(self) -> None:
        """Delete the folder. It loses its name at once, so that nobody joins half of it."""
        self._nameless = unique(self.folder)
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
            if name.startswith(begin) and UNIQUE_ENDING.fullmatch(name, len(begin)):
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
        if self._joined and not self.moving.exists():
            with suppress(OSError, ValueError):
                if not self._lock.is_open:
                    self._take_lock()  # Ctrl-C came after the folder was made and before its lock
                others = marked_parts(self) - {(0, 1)}
                if self._lock.try_exclusive() and not others:
                    self.discard()
        self.leave()
