"""The writer: draws ranges of a layout's files piece by piece, and writes them.

Each worker is a thread that takes the next piece, draws it into a buffer of its own and writes it
at its place. Drawing and writing release Python's lock, so some workers write while others draw.
The memory that this takes does not depend on the size of the model.

Measurements that chose this way, and the ways that lost, are in bench/experiments.md. In short:
writes (pwrite) from a buffer that stays in the cache cost less than a memory map of the file, on
every file system; past the page cache (O_DIRECT) they take half the processor time on a disk.
"""

import errno
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...initialisers.ranges import needs_whole
from .contents import Contents
from .space import allocated, direct_descriptor, free_bytes, in_memory, require_free, reserve
from .workers import run_workers

__all__ = ["Range", "sync", "write_ranges"]

#: The bytes of a piece: small enough for a second-level cache, and large enough that Python's share
#: of the work, which one thread does at a time, stays small. 16 threads wrote 32 files in memory at
#: 8.2 GB/s in pieces of 1 MiB, at 17 in pieces of 2 MiB and at 19 in pieces of 4 MiB, and 4 threads
#: at 6.8, 7.4 and 6.7; all buffers have at most BUFFER_BYTES.
PIECE_BYTES = 2 << 20
#: No piece is smaller than this, however many workers there are.
SMALLEST_PIECE = 1 << 16
#: The buffers of all workers together have at most this many bytes.
BUFFER_BYTES = 32 << 20
#: From this many bytes on, writes to a disk pass the page cache by. What is smaller is likely to be
#: read back soon, and then comes from memory.
DIRECT_BYTES = 64 << 20
#: What O_DIRECT asks of offsets, lengths and addresses. Disks ask for 512 or 4096.
DIRECT_BLOCK = 4096


class Range(NamedTuple):
    """A range of bytes of one file of a layout."""

    file: int
    begin: int
    end: int


class _OpenFile:
    """A file while pieces of it are written.

    Attributes
    ----------
    left : iterator of Range
        The pieces that no worker has taken.
    pieces : int
        How many pieces are not written yet.
    workers : int
        How many workers take pieces of this file.
    """

    def __init__(self, path: str, spans: list[Range], piece: int) -> None:
        self.path = path
        self.left = _pieces(spans, piece)
        self.pieces = sum((end - 1) // piece - begin // piece + 1 for _, begin, end in spans)
        self.workers = 0
        self.descriptor: int | None = None
        self.direct: int | None = None

    def open(self, direct: bool) -> None:
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        if direct:
            self.direct = direct_descriptor(self.path)

    def close(self) -> None:
        # Ctrl-C may come between any two steps, and nothing may be closed twice: another file could
        # have the descriptor by then.
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        descriptor, self.direct = self.direct, None
        if descriptor is not None:
            os.close(descriptor)

    def write(self, data: np.ndarray, begin: int) -> None:
        """Write all of the data at that offset."""
        assert self.descriptor is not None
        view = memoryview(data)  # type: ignore[arg-type]  # from CPython 3.12 on it is a Buffer
        direct = self.direct
        if direct is not None and not (begin | len(view)) % DIRECT_BLOCK:
            try:
                written = os.pwrite(direct, view, begin)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                written = 0  # this file system takes no direct writes after all
            view, begin = view[written:], begin + written
        while view:
            written = os.pwrite(self.descriptor, view, begin)
            view, begin = view[written:], begin + written


def write_ranges(
    contents: Contents,
    ranges: Iterable[Range],
    paths: Sequence[str],
    threads: int,
    report: Callable[[int], object],
) -> None:
    """Make the files that the ranges belong to, and write the ranges; they are on the disk then.

    Parameters
    ----------
    contents : Contents
    ranges : iterable of Range
        They do not overlap. Their limits do not cut elements.
    paths : sequence of str
        The path of each file of the layout. It may exist; what is outside the ranges stays.
    threads : int
        How many threads draw at a time.
    report : callable
        It is called with the number of bytes that are written, in the calling thread.

    Raises
    ------
    OSError
        If the disk is full, which is found before anything is drawn, or a file cannot be written.
    """
    wanted = [part for part in ranges if part.end > part.begin]
    if not wanted:
        return
    total = sum(part.end - part.begin for part in wanted)
    # An array of Zarr is a folder that is yet to be made.
    depth = contents.layout.files[0].name.count("/")
    # Read now, because a reservation that fails may have taken all of it.
    free = free_bytes(str(Path(paths[0]).parents[depth]))
    try:
        _make_files(contents, wanted, paths)
        _write(contents, wanted, paths, threads, total, report)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise _too_large(error, total, free) from None


def _make_files(contents: Contents, ranges: Sequence[Range], paths: Sequence[str]) -> None:
    """Make the files in their full sizes, and reserve the space of the ranges."""
    if not ranges:
        return
    files = contents.layout.files
    # An array of Zarr is a folder. No other is made, since the staging folder may be deleted now:
    # another process has finished.
    for folder in {os.path.dirname(paths[r.file]) for r in ranges if "/" in files[r.file].name}:
        with suppress(FileExistsError):
            os.mkdir(folder)
    folder = os.path.dirname(paths[ranges[0].file])
    # A link that somebody else has put there is never followed.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    least = most = 0  # what is needed of the disk
    for file, begin, end in ranges:
        descriptor = os.open(paths[file], flags, 0o666)
        try:
            found, size = os.fstat(descriptor), files[file].nbytes
            if found.st_size != size:
                os.ftruncate(descriptor, size)
            # A crash may have left reserved blocks, which count as blocks but not as data. Where a
            # file system does not tell holes from data, a file without blocks is all data.
            blocks = found.st_blocks * 512
            least += max(end - begin - blocks, 0)
            most += end - begin - min(allocated(descriptor, begin, end), blocks)
        finally:
            os.close(descriptor)
    # A reservation that is too large may fill the disk before it fails, and other programs would
    # find no space meanwhile.
    require_free(folder, least)
    # In memory, reserving makes every page and writing visits them all again, which took a tenth
    # more processor time, and a quarter of a second of one thread for 1 GB.
    reserved = not in_memory(folder)
    for file, begin, end in ranges if reserved else ():
        descriptor = os.open(paths[file], flags, 0o666)
        try:
            reserved = reserved and reserve(descriptor, begin, end - begin)
        finally:
            os.close(descriptor)
    if not reserved:
        require_free(folder, most)


def _write(
    contents: Contents,
    ranges: Sequence[Range],
    paths: Sequence[str],
    threads: int,
    total: int,
    report: Callable[[int], object],
) -> None:
    """Draw and write the ranges of files that exist."""
    spans, wholes = _cut(contents, ranges)
    direct = total >= DIRECT_BYTES and not in_memory(os.path.dirname(paths[ranges[0].file]))
    workers, piece = _workers_and_piece(threads, direct)
    job = _Job(contents, spans, piece, paths, direct)
    try:
        for part in wholes:
            _write_whole(contents, part, paths[part.file], threads)
            job.done += part.end - part.begin
            report(job.done)
        job.run(threads, workers, report)
    finally:
        job.close()
    for file in {part.file for part in wholes}:
        sync(paths[file])


def _workers_and_piece(threads: int, direct: bool) -> tuple[int, int]:
    """Return the most workers, and the bytes of a piece, so that all buffers have BUFFER_BYTES.

    A direct write waits for the disk and takes no processor time. Twice as many workers as threads
    keep as many drawing.
    """
    workers = min(2 * threads if direct else threads, BUFFER_BYTES // SMALLEST_PIECE)
    share = BUFFER_BYTES // workers // DIRECT_BLOCK * DIRECT_BLOCK
    return workers, min(PIECE_BYTES, share)


def _too_large(error: OSError, asked: int, free: int | None) -> OSError:
    """Return the error of a disk that is too small, with the numbers.

    ``free`` is what was free before anything was reserved or written.
    """
    text = f"{error.strerror}: {asked:,} bytes are to be written"
    if error.errno == errno.EFBIG:
        text += ", more than the file system, or the limit of this process (ulimit -f), allows"
    if free is not None and free < asked:
        text += f"; the disk has {free:,} bytes free: use another one, or check the model's shapes"
    elif error.errno == errno.EFBIG:
        text += ": a folder of shards has smaller files"
    elif free is not None:
        text += (
            f"; the disk had {free:,} bytes free at the beginning, but it is full now, or a quota "
            "is used up"
        )
    return OSError(error.errno, text)


def _cut(contents: Contents, ranges: Iterable[Range]) -> tuple[list[Range], list[Range]]:
    """Cut ranges into those that are drawn piece by piece, and parts of tensors drawn whole."""
    spans: list[Range] = []
    wholes: list[Range] = []
    for file, begin, end in ranges:
        at = begin
        for entry in contents.entries(file, begin, end):
            if needs_whole(contents.plan[entry.name]):
                first, last = max(entry.begin, begin), min(entry.begin + entry.nbytes, end)
                wholes.append(Range(file, first, last))
                spans.append(Range(file, at, first))
                at = last
        spans.append(Range(file, at, end))
    return [span for span in spans if span.end > span.begin], wholes


def _pieces(spans: Iterable[Range], piece: int) -> Iterator[Range]:
    """Cut ranges at the multiples of ``piece``, so that one piece holds many small tensors."""
    for file, begin, end in spans:
        at = begin
        while at < end:
            stop = min((at // piece + 1) * piece, end)
            yield Range(file, at, stop)
            at = stop


def _write_whole(contents: Contents, part: Range, path: str, threads: int) -> None:
    """Draw a range of a tensor that is made whole, with all threads, and write it."""
    data = np.empty(part.end - part.begin, np.uint8)
    contents.draw(part.file, part.begin, data, threads)
    file = _OpenFile(path, [], PIECE_BYTES)
    file.open(direct=False)
    try:
        file.write(data, part.begin)
    finally:
        file.close()


class _Job:
    """Pieces that workers take one after another."""

    def __init__(
        self,
        contents: Contents,
        spans: list[Range],
        piece: int,
        paths: Sequence[str],
        direct: bool,
    ) -> None:
        self.contents = contents
        self.piece = piece
        self.direct = direct
        self.done = 0
        by_file: dict[int, list[Range]] = {}
        for span in spans:
            by_file.setdefault(span.file, []).append(span)
        self.files = {n: _OpenFile(paths[n], ranges, piece) for n, ranges in by_file.items()}
        self._untouched = deque(self.files.values())
        self._begun: list[_OpenFile] = []
        self._count = sum(file.pieces for file in self.files.values())
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, threads: int, workers: int, report: Callable[[int], object]) -> None:
        """Write all pieces with as many workers, of which as many as ``threads`` draw at a time."""
        self._drawing = threading.Semaphore(threads)
        reports = [report, *[None] * (min(workers, self._count) - 1)]
        run_workers([partial(self._work, report) for report in reports], self._stop)
        report(self.done)

    def _stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        """Close what an error left open."""
        for file in self.files.values():
            file.close()

    def _take(self, file: _OpenFile | None) -> tuple[_OpenFile | None, Range | None]:
        """Return a worker's next piece and its file: the worker's former file while it has pieces.

        A file system lets one thread at a time write into a file, so each worker has files of its
        own as long as there are some. 16 workers who took the pieces of one file after another
        wrote 8 files in memory at 2.4 GB/s, and waited actively for each other.
        """
        while True:
            if file is not None:
                part = next(file.left, None)
                if part is not None:
                    return file, part
                file.workers -= 1
                if file in self._begun:
                    self._begun.remove(file)
            if self._untouched:
                file = self._untouched.popleft()
                self._begun.append(file)
            elif self._begun:
                file = min(self._begun, key=lambda begun: begun.workers)
            else:
                return None, None
            file.workers += 1

    def _work(self, report: Callable[[int], object] | None) -> None:
        # A mapping begins at a page, as direct writes ask for.
        buffer = np.frombuffer(mmap.mmap(-1, self.piece), np.uint8)
        file = None
        while not self._stopped:
            with self._lock:
                file, part = self._take(file)
                if file is None or part is None:
                    return
                if file.descriptor is None:
                    file.open(self.direct)
            data = buffer[: part.end - part.begin]
            with self._drawing:
                self.contents.draw(part.file, part.begin, data)
            file.write(data, part.begin)
            with self._lock:
                self.done += data.size
                file.pieces -= 1
                complete = not file.pieces
            if complete:  # nobody else uses it
                assert file.descriptor is not None
                os.fsync(file.descriptor)
                file.close()
            if report is not None:
                report(self.done)


def sync(path: str | os.PathLike[str]) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
