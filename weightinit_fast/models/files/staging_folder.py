"""The staging folder beside the target, in which files grow until all of their bytes are there.

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

A process joins the folder (staging.py), writes a part into ``data`` and marks it (markers.py). When
the markers cover all bytes, ``data`` gets the name of the target (publishing.py), and the folder is
deleted. Every step can be repeated, and two processes may do it at once.
"""

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from .notes import read_plan

__all__ = ["UNIQUE_ENDING", "StagingFolder", "unique"]

#: What `unique` adds to a name.
UNIQUE_ENDING = re.compile("[.][0-9a-f]{16}")


def unique(path: Path) -> Path:
    """Return a path beside another one that no other process uses."""
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}")


class StagingFolder:
    """The staging folder of a target: its plan, and where the files of the plan are.

    Parameters
    ----------
    target : Path
        The name that the files get in the end.

    Attributes
    ----------
    target, folder : Path
        The target, and the staging folder beside it.
    plan : dict
        The content of plan.json, after `read`.
    """

    def __init__(self, target: Path) -> None:
        self.target: Path = target
        self.folder: Path = target.parent / f".{target.name}.saving"
        self.plan: dict[str, Any] = {}
        #: What the last file's name led to when the plan was read.
        self._former: tuple[int, ...] | None = None

    @property
    def data(self) -> Path:
        """The file or the folder that becomes the target."""
        return self.folder / "data"

    @property
    def moving(self) -> Path:
        """The note that files may have been moved out of `data`."""
        return self.folder / "moving"

    def file(self, name: str) -> Path:
        """Return the path of a file of the layout while it grows."""
        return self.data / name if name else self.data

    def final(self, name: str) -> Path:
        """Return the path that a file of the layout gets in the end."""
        return self.target / name if name else self.target

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

    def size(self, number: int) -> int | None:
        """Return the size of a file of the plan, where it grew or where it was moved to, or None.

        The file that has its name counts only if moving has begun, and a Zarr group is moved whole.
        Otherwise it may be a file of another model, with the same name and the same size.
        """
        name, _ = self.plan["files"][number]
        one_by_one = self.plan["format"] != "zarr" and self.moving.exists()
        moved = [self.final(name)] if one_by_one else []
        for path in (self.file(name), *moved):
            with suppress(FileNotFoundError, NotADirectoryError):
                return path.lstat().st_size
        return None

    def is_published(self) -> bool:
        """Whether the files have their names, and only the deletion of the folder is left."""
        return self.moving.exists() and not self.data.exists()

    def is_finished(self) -> bool:
        """Whether another process has given the files their names since the plan was read."""
        if self.data.exists():
            return False
        return self.is_published() or self._identity() not in (None, self._former)

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
