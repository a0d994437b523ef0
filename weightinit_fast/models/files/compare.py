"""Compare tensors in files with what is drawn, piece by piece on several threads; repair them."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..._resolve.dtypes import Kind
from ..._resolve.keys import Key
from ..._resolve.messages import shown
from ..._resolve.threads import thread_count
from ...initialisers.initializer import Initializer
from ...initialisers.ranges import fill_range, needs_whole
from ..readers import FormatError, StoredTensor, as_numbers
from .progress import Report
from .verification import Difference, Verification
from .workers import run_workers

__all__ = ["Job", "compare"]

#: What is drawn and read at a time. A thread holds two buffers of this size, and an array of the
#: elements that differ, which takes as much for a type of one byte.
_PIECE_BYTES = 1 << 20
#: What all threads hold together.
_MOST_BUFFERS = 32 << 20
#: What is written again at least, because an element of it is wrong. Blocks count from the
#: beginning of their tensor. It divides _PIECE_BYTES.
_BLOCK_BYTES = 1 << 16


class Job(NamedTuple):
    """A tensor to compare.

    Attributes
    ----------
    stored : StoredTensor
        Where it is, in C order.
    kind : Kind
        The type to draw.
    init : Initializer
    stream : str
    random : bool
        Whether its values depend on the key, so that they show a wrong one.
    """

    stored: StoredTensor
    kind: Kind
    init: Initializer
    stream: str
    random: bool

    @property
    def items(self) -> int:
        """The number of elements."""
        return prod(self.stored.shape)

    @property
    def swapped(self) -> bool:
        """Whether the bytes of an element are in the other order than this machine's."""
        return self.stored.big_endian == (sys.byteorder == "little")


def compare(
    path: Path,
    jobs: Sequence[Job],
    key: Key,
    threads: int | None,
    report: Report,
    repair: bool,
) -> Verification:
    """Compare tensors with what is drawn. With ``repair``, write the blocks that differ again.

    Nothing is written before everything has been compared, because a model that differs in most
    elements is another one, and would be lost.
    """
    sweep = _Sweep(jobs, key, threads, report)
    tallies = sweep.run(write=False)
    elements: dict[int, int] = {}
    for tally in tallies:
        for job, count in tally.elements.items():
            elements[job] = elements.get(job, 0) + count
    drawn = [number for number, job in enumerate(jobs) if job.random]
    differing = sum(elements.get(number, 0) for number in drawn)
    mostly = 2 * differing > sum(jobs[number].items for number in drawn)
    rewritten = 0
    if repair and elements and not mostly:
        rewritten = sum(tally.rewritten for tally in sweep.run(write=True))
    firsts = [tally.first for tally in tallies if tally.first is not None]
    return Verification(
        path,
        tensors=len(jobs),
        nbytes=sweep.nbytes,
        first=_difference(jobs, *min(firsts)) if firsts else None,
        elements=sum(elements.values()),
        blocks=sum(tally.blocks for tally in tallies),
        damaged={jobs[job].stored.name: elements[job] for job in sorted(elements)},
        rewritten=rewritten,
        repaired=rewritten > 0,
        mostly_different=mostly,
    )


def _difference(
    jobs: Sequence[Job], number: int, element: int, found: bytes, expected: bytes
) -> Difference:
    """Return the description of an element that differs, from its bytes in the file's order."""
    stored, kind = jobs[number].stored, jobs[number].kind
    order: Literal["big", "little"] = "big" if stored.big_endian else "little"
    storage = kind.storage.newbyteorder(">" if stored.big_endian else "<")

    def number_of(raw: bytes) -> float:
        return float(as_numbers(np.frombuffer(raw, storage), kind.name)[0])

    index = np.unravel_index(element, stored.shape) if stored.shape else ()
    return Difference(
        name=stored.name,
        index=tuple(map(int, index)),
        found=number_of(found),
        expected=number_of(expected),
        found_bits=int.from_bytes(found, order),
        expected_bits=int.from_bytes(expected, order),
        file=stored.file,
        offset=stored.begin + element * kind.storage.itemsize,
    )


class _Piece(NamedTuple):
    """Successive elements of one tensor."""

    number: int
    job: int
    start: int
    items: int


class _Tally:
    """What one thread has found and written."""

    def __init__(self) -> None:
        #: (job, element, its bytes, the bytes that are drawn) of the first element that differs.
        self.first: tuple[int, int, bytes, bytes] | None = None
        #: job -> number of elements that differ
        self.elements: dict[int, int] = {}
        self.blocks = 0
        self.rewritten = 0


class _Sweep:
    """A pass over all tensors; a second one looks only at the pieces that the first one marked."""

    def __init__(self, jobs: Sequence[Job], key: Key, threads: int | None, report: Report) -> None:
        self.jobs, self.key, self.report = jobs, key, report
        most = _MOST_BUFFERS // (3 * _BLOCK_BYTES)
        self.threads = min(thread_count(threads, sum(job.items for job in jobs)), most)
        share = _MOST_BUFFERS // (3 * self.threads) // _BLOCK_BYTES * _BLOCK_BYTES
        self.piece_bytes = max(_BLOCK_BYTES, min(_PIECE_BYTES, share))
        self.nbytes = sum(job.stored.nbytes for job in jobs)
        #: Whether a piece differs, by its number: 10 MB for a model of 10 TB.
        self.marks = bytearray(sum(1 for _ in self._pieces()))
        self._lock = threading.Lock()
        self._done = 0

    def run(self, write: bool) -> list[_Tally]:
        """Compare on all threads; with ``write``, write the blocks that differ."""
        pieces = self._pieces()
        if write:
            pieces = (piece for piece in pieces if self.marks[piece.number])
        stop = threading.Event()
        tallies = [_Tally() for _ in range(self.threads)]

        def work(tally: _Tally) -> None:
            with _Comparer(self, tally, write) as comparer:
                while not stop.is_set():
                    with self._lock:
                        piece = next(pieces, None)
                    if piece is None:
                        return
                    comparer.compare(piece)

        run_workers([partial(work, tally) for tally in tallies], stop.set)
        return tallies

    def count(self, nbytes: int) -> None:
        """Report that so many more bytes are compared."""
        with self._lock:
            self._done += nbytes
            self.report(self._done, self.nbytes)

    def _pieces(self) -> Iterator[_Piece]:
        """Yield the pieces of all tensors in their order."""
        number = 0
        for at, job in enumerate(self.jobs):
            most = self.piece_bytes // job.kind.storage.itemsize
            if needs_whole(job.init):  # one piece, so that it is made once
                most = max(1, job.items)
            for start in range(0, job.items, most):
                yield _Piece(number, at, start, min(most, job.items - start))
                number += 1


class _Comparer:
    """The buffers and the open file of one thread; a context manager that closes the file."""

    def __init__(self, sweep: _Sweep, tally: _Tally, write: bool) -> None:
        self._sweep, self._tally, self._write = sweep, tally, write
        self._found = np.empty(sweep.piece_bytes, np.uint8)
        self._expected = np.empty(sweep.piece_bytes, np.uint8)
        self._path: Path | None = None
        self._descriptor = -1
        self._written = False

    def __enter__(self) -> "_Comparer":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def compare(self, piece: _Piece) -> None:
        """Compare one piece with what is drawn."""
        job = self._sweep.jobs[piece.job]
        itemsize = job.kind.storage.itemsize
        whole = None
        if needs_whole(job.init):
            whole = np.empty(job.items, job.kind.storage)
            self._draw(job, whole, 0)
        self._open(job.stored.file)
        step = self._sweep.piece_bytes // itemsize
        for start in range(piece.start, piece.start + piece.items, step):
            count = min(step, piece.start + piece.items - start)
            if whole is None:
                expected = self._expected[: count * itemsize].view(job.kind.storage)
                self._draw(job, expected, start)
            else:
                expected = whole[start : start + count]
            found = self._found[: count * itemsize]
            self._read(job.stored, found, start * itemsize)
            if not _equal(found, expected.view(np.uint8)):
                self._examine(piece, found.view(expected.dtype), expected, start)
            if not self._write:
                self._sweep.count(count * itemsize)

    def _draw(self, job: Job, out: np.ndarray, start: int) -> None:
        """Draw elements, in the byte order of the file."""
        fill_range(job.init, job.stored.shape, job.kind, out, start, self._sweep.key, job.stream)
        if job.swapped:
            out.byteswap(inplace=True)

    def _examine(self, piece: _Piece, found: np.ndarray, expected: np.ndarray, start: int) -> None:
        """Count the elements and blocks that differ, or write these blocks."""
        job, tally, itemsize = self._sweep.jobs[piece.job], self._tally, found.itemsize
        bits = f"u{itemsize}"
        differs = found.view(bits) != expected.view(bits)
        # What is compared begins at a multiple of a block. A reduceat would convert every bool.
        block = _BLOCK_BYTES // itemsize
        counts = [
            int(np.count_nonzero(differs[begin : begin + block]))
            for begin in range(0, found.size, block)
        ]
        bad = [number for number, count in enumerate(counts) if count]
        if self._write:
            for number in bad:
                part = expected[number * block : (number + 1) * block]
                self._rewrite(job.stored, part.view(np.uint8), (start + number * block) * itemsize)
            return
        self._sweep.marks[piece.number] = 1
        tally.blocks += len(bad)
        tally.elements[piece.job] = tally.elements.get(piece.job, 0) + sum(counts)
        if tally.first is None:  # a thread takes pieces in their order
            at = int(differs.argmax())
            tally.first = (piece.job, start + at, found[at].tobytes(), expected[at].tobytes())

    # The file -------------------------------------------------------------------------------------

    def _open(self, path: Path) -> None:
        if path != self._path:
            self._close()
            self._descriptor = os.open(path, os.O_RDWR if self._write else os.O_RDONLY)
            self._path = path

    def _close(self) -> None:
        """Close the file, after the system has stored what was written."""
        if self._path is None:
            return
        self._path = None
        try:
            if self._written:
                os.fsync(self._descriptor)
                self._written = False
        finally:
            os.close(self._descriptor)

    def _read(self, stored: StoredTensor, buffer: np.ndarray, offset: int) -> None:
        view, done = buffer.data, 0
        while done < len(view):
            got = os.preadv(self._descriptor, [view[done:]], stored.begin + offset + done)
            if not got:
                raise FormatError(
                    f"{shown(str(stored.file))} became shorter while {shown(stored.name)} was read"
                )
            done += got

    def _rewrite(self, stored: StoredTensor, buffer: np.ndarray, offset: int) -> None:
        view, done = buffer.data, 0
        while done < len(view):
            done += os.pwrite(self._descriptor, view[done:], stored.begin + offset + done)
        self._tally.rewritten += len(view)
        self._written = True


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of bytes are equal; words of 8 bytes are compared where they fill both."""
    if a.size % 8 == 0:
        a, b = a.view(np.uint64), b.view(np.uint64)
    return bool((a == b).all())
