"""New arrays: allocation, page faults, fill and release, beside a memset of a fresh mapping."""

import ctypes

import numpy as np

from .. import internals
from .case import KINDS, STDS, Buffer, Case, Run
from .ours import LIBRARY, SAMPLES, fill, select

NEW = "new array"


def cases(threads: list[int], library: ctypes.CDLL | None) -> list[Case]:
    """Return uniforms and normals into new arrays as large as the buffer, and the memset."""
    new = [_new(kind, count) for kind in KINDS for count in threads]
    return new + ([_memset(library, count) for count in threads] if library else [])


def _new(kind: str, threads: int) -> Case:
    isa, draw = internals.isa(), fill(kind, "float32", threads)

    def bind(buffer: Buffer) -> Run:
        count = buffer.nbytes // 4
        # The caller drops the array at once, so that its release is timed too.
        return select(isa, lambda: draw(count))

    what, std = f"{kind} {NEW}", STDS[kind]
    return Case(LIBRARY, isa, what, "float32", threads, 1.0, bind, std=std, samples=SAMPLES)


def _memset(library: ctypes.CDLL, threads: int) -> Case:
    def bind(buffer: Buffer) -> Run:
        nbytes, seen = buffer.nbytes, np.full(4, 0xFF, np.uint8)
        address = seen.ctypes.data

        def run() -> Buffer:
            if library.memset_fresh(nbytes, threads, address) != 0:
                raise RuntimeError("no memory, or no threads")
            return seen  # some of what was written, for the check

        return run

    where = ("store memset", "libc huge pages", NEW, "", threads, 1.0)
    return Case(*where, bind, samples=SAMPLES)
