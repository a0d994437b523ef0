"""The SHA-256 of files, and the published digest of a file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .._core import STREAM_VERSION
from .._resolve.threads import available_threads

__all__ = ["LARGEST_HASHED", "Digests", "digests_of", "published"]

#: Files of this many bytes in all are hashed unasked: one core hashes 0.5 to 2 GB/s.
LARGEST_HASHED = 4_000_000_000


class Digests(NamedTuple):
    """File -> its SHA-256 as hexadecimal digits, and the seconds that this took."""

    by_file: dict[Path, str]
    seconds: float


def digests_of(files: Iterable[Path], threads: int | None) -> Digests:
    """Return the SHA-256 of each file; several files are hashed at a time."""
    files = list(files)
    begin = time.perf_counter()
    workers = min(len(files), threads or available_threads())
    with ThreadPoolExecutor(max(1, workers)) as pool:
        digests = list(pool.map(_digest, files))
    return Digests(dict(zip(files, digests, strict=True)), time.perf_counter() - begin)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
