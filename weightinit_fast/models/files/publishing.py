"""Publishing: the finished files get their final names, and the staging folder is deleted."""

import errno
import os
import shutil
from contextlib import suppress

from .locks import FileLock
from .notes import write_json
from .staging import Staging
from .staging_folder import StagingFolder
from .targets import OWN_NAMES, refuse_existing
from .writer import sync

__all__ = ["Publisher"]


class Publisher:
    """Gives the files of a staging folder their names, and deletes the folder.

    Parameters
    ----------
    staging : Staging
        The folder. Its plan has to be read before `publish` is called.
    """

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._lock = FileLock(staging.folder / "publishing")

    def publish(self, force: bool) -> None:
        """Give the files their names, and delete the staging folder.

        Raises
        ------
        ValueError
            If a file has another size than it should.
        FileExistsError
            If the target has come into being meanwhile.
        """
        staging, plan = self._staging, self._staging.plan
        try:
            # Keep other processes from giving the names at the same time, as far as locks can.
            with suppress(OSError):  # the folder is gone if another process was faster
                self._lock.take(shared=False)
            if staging.data.exists():
                _check_sizes(staging)
                if plan["folder"] and plan["format"] != "zarr" and staging.target.is_dir():
                    _publish_into_folder(staging, force)
                else:
                    _publish_at_once(staging, force)
                sync(staging.target.parent)
            elif not staging.is_finished():
                where = str(staging.target)
                raise FileNotFoundError(f"the data of {where!r} are not there any more")
        finally:
            self._lock.release()
        staging.discard()

    def end_publishing(self) -> None:
        """Give the remaining files their names after Ctrl-C, if the first may have its name.

        That takes no time, and the former files of that name may be gone. So Ctrl-C leaves all of
        the new files or none of them.
        """
        with suppress(OSError, ValueError):
            if self._staging.plan and self._staging.moving.exists():
                self.publish(self._staging.plan["force"])


def _check_sizes(staging: StagingFolder) -> None:
    """Raise the error of a file that is not there, or not as large as it should be."""
    for number, (name, nbytes) in enumerate(staging.plan["files"]):
        size = staging.size(number)
        path = str(staging.file(name))
        if size is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if size != nbytes:
            raise ValueError(
                f"{path!r} has {size:,} bytes, and not {nbytes:,}: it was changed or cut; "
                "delete the folder and write the parts again"
            )


def _begin_moving(staging: StagingFolder) -> None:
    """Note that files are moved from now on, so that whoever comes after a crash goes on."""
    with suppress(FileExistsError):
        write_json(staging.moving, {})
        sync(staging.folder)


def _publish_at_once(staging: StagingFolder, force: bool) -> None:
    """Give a file or a whole folder its name."""
    plan, data, target = staging.plan, staging.data, staging.target
    refuse_existing(target, plan["format"], plan["folder"], force)
    _begin_moving(staging)
    if plan["folder"]:
        for folder in {staging.file(name).parent for name, _ in plan["files"]} | {data}:
            sync(folder)
        if target.is_dir():
            # A former group of Zarr. A deletion that is cut short would leave half of it under the
            # name of the target.
            former = staging.folder / "former"
            shutil.rmtree(former, ignore_errors=True)
            os.rename(target, former)
    with suppress(FileNotFoundError):  # another process was faster, on a disk without locks
        os.rename(data, target)


def _publish_into_folder(staging: StagingFolder, force: bool) -> None:
    """Move files into a folder that exists. An index, which is the last file, comes last."""
    plan, target = staging.plan, staging.target
    names = [name for name, _ in plan["files"]]
    if not staging.moving.exists():
        refuse_existing(target, plan["format"], True, force)
        _begin_moving(staging)
    if force and len(names) > 1 and staging.file(names[-1]).exists():
        staging.final(names[-1]).unlink(missing_ok=True)  # an index of former files
    for name in names:
        with suppress(FileNotFoundError):
            os.rename(staging.file(name), staging.final(name))
    if force:  # now that the new files are there
        for old in target.iterdir():
            own = OWN_NAMES[plan["format"]].fullmatch(old.name)
            if own and old.name not in names:
                old.unlink(missing_ok=True)
    sync(target)
    with suppress(OSError):
        staging.data.rmdir()
