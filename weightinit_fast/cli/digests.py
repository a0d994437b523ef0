"""The SHA-256 of files, and the published digest of a file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from .._core import STREAM_VERSION
from .._resolve.threads import available_threads
from .._screen import Bar

__all__ = ["LARGEST_HASHED", "Digests", "digests_of", "published"]

#: Files of this many bytes in all are hashed unasked: one core hashes 0.5 to 2 GB/s.
LARGEST_HASHED = 4_000_000_000
#: The bytes that are read at a time.
_PIECE = 1 << 20


class Digests(NamedTuple):
    """File -> its SHA-256 as hexadecimal digits, and the seconds that this took."""

    by_file: dict[Path, str]
    seconds: float


def digests_of(files: Iterable[Path], threads: int | None, progress: Bar | None = None) -> Digests:
    """Return the SHA-256 of each file; several files are hashed at a time.

    `progress` is called with the bytes that have been hashed, and those of all files.
    """
    files = list(files)
    begin = time.perf_counter()
    workers = min(len(files), threads or available_threads())
    work = _Work(sum(file.stat().st_size for file in files), progress)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            digests = list(pool.map(work.digest, files))
        except BaseException:  # Ctrl-C: the pool would hash all files before it ends
            work.stopped = True
            raise
    return Digests(dict(zip(files, digests, strict=True)), time.perf_counter() - begin)


class _Work:
    """Hashes files in several threads, tells how far it is, and can be stopped."""

    def __init__(self, total: int, progress: Bar | None) -> None:
        self._total, self._progress = total, progress
        self._done, self._lock = 0, Lock()
        self.stopped: bool = False

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file as hexadecimal digits."""
        found, piece = hashlib.sha256(), bytearray(_PIECE)
        with open(path, "rb", buffering=0) as file:
            while not self.stopped and (size := file.readinto(piece)):
                found.update(memoryview(piece)[:size])
                with self._lock:
                    self._done += size
                    if self._progress is not None:
                        self._progress(self._done, self._total)
        return found.hexdigest()


def published(model: str | None, dtype: str, seed: int, path: Path) -> str | None:
    """Return the digest that such a file has on every machine; None if none is published.

    Digests are published of safetensors files of built-in models with their own sizes and recipes,
    drawn with the seed 0.
    """
    from ..models import builtin  # noqa: PLC0415  only where it is needed

    if model is None or seed != 0 or path.suffix != ".safetensors":
        return None
    if builtin.SHA256_STREAM_VERSION != STREAM_VERSION:
        return None
    return builtin.FILE_SHA256.get((model, dtype))
