"""Locks of files: a process that takes one tells whether others that have taken it are at work.

The system releases the locks of a process that ends. Where a system or a file system has no locks,
nothing waits, and no process learns that it is alone.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment,unused-ignore]

__all__ = ["FileLock"]


class FileLock:
    """A lock of a file.

    Parameters
    ----------
    path : Path
        The file, which is made when the lock is taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # It is a file and not a descriptor, since Ctrl-C may come between any two steps: a file may
        # be closed twice. A lock that stays open would let this process wait for itself.
        self._file: BinaryIO | None = None

    @property
    def is_open(self) -> bool:
        """Whether the lock was taken and not released; always False where there are no locks."""
        return self._file is not None

    def take(self, shared: bool) -> None:
        """Wait for the lock and take it, alone or together with others that share it.

        Raises
        ------
        OSError
            If the file cannot be made, such as FileNotFoundError if its folder is gone.
        """
        self.release()
        if fcntl is None:
            return
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  release() closes it
        with suppress(OSError):  # a file system without locks
            fcntl.flock(self._file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def try_exclusive(self) -> bool:
        """Let no other process share the lock that was taken, if none does now.

        Returns
        -------
        bool
            Whether this process has it alone; False where locks do not tell.
        """
        if fcntl is None or self._file is None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return not self.is_lost()

    def is_lost(self) -> bool:
        """Whether the lock is that of a deleted file, so that others can take one of its name."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return True

    def release(self) -> None:
        """Release the lock, if it was taken."""
        if self._file is not None:
            self._file.close()
            self._file = None
