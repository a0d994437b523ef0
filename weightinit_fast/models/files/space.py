"""Space on a disk: reserved before anything is drawn, so that a full disk is found at once.

The C library's posix_fallocate is not used. Where a file system cannot reserve space, it writes a
byte into every block instead. That takes long, and it would race with the other processes that
write into the same file.
"""

import ctypes
import errno
import os
from functools import cache
from typing import Any

__all__ = [
    "allocated",
    "direct_descriptor",
    "free_bytes",
    "in_memory",
    "require_free",
    "reserve",
]

#: The f_type of tmpfs, from linux/magic.h.
_TMPFS = 0x01021994
#: What fallocate answers where the file system, or the C library, cannot do it.
_UNABLE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM)


@cache
def _library() -> Any:
    """Return the C library if it has Linux's fallocate, else None."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        # fallocate64 has 64-bit offsets on every machine; musl has no such name, and needs none.
        function = getattr(library, "fallocate64", None) or library.fallocate
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        library.statfs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    except (OSError, AttributeError):
        return None
    return function, library.statfs


def reserve(descriptor: int, begin: int, nbytes: int) -> bool:
    """Reserve a range of a file; return False where the file system cannot.

    Raises
    ------
    OSError
        If there is too little space.
    """
    found = _library()
    if found is None or not nbytes:
        return not nbytes
    while found[0](descriptor, 0, begin, nbytes) != 0:
        number = ctypes.get_errno()
        if number in _UNABLE:
            return False
        if number != errno.EINTR:  # after a signal, unless its handler has raised
            raise OSError(number, os.strerror(number))
    return True


def in_memory(folder: str) -> bool:
    """Whether the files of a folder are in memory (tmpfs, such as /dev/shm)."""
    found = _library()
    if found is None:
        return False
    buffer = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes or fewer
    if found[1](os.fsencode(folder), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value == _TMPFS


def allocated(descriptor: int, begin: int, end: int) -> int:
    """Return how many bytes of a range have their place on the disk already, or 0 if unknown."""
    total, at = 0, begin
    try:
        while at < end:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
            hole = os.lseek(descriptor, at, os.SEEK_HOLE)
            total += max(min(hole, end) - min(at, end), 0)
            at = hole
    except (OSError, AttributeError):  # ENXIO: no data from there on
        pass
    return total


def require_free(folder: str, nbytes: int) -> None:
    """Raise OSError if the file system says that it has less free space than this.

    Some network file systems have no figure to tell, and are trusted.
    """
    if not hasattr(os, "statvfs"):
        return
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if found.f_blocks and free < nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_bytes(folder: str) -> int | None:
    """Return the free space that the file system tells of, for messages."""
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def direct_descriptor(path: str) -> int | None:
    """Open a file for writes that pass the page cache by; None where the file system refuses."""
    if not hasattr(os, "O_DIRECT"):
        return None
    try:
        return os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None
