"""Timing: every repetition goes once through all cases, in a shuffled order."""

import random
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from .. import internals
from ..cases.case import Buffer, Case, check_filled, storage

Row = dict[str, Any]
CHECKED_BYTES = 1 << 20
GRAIN_BYTES = 1 << 16  # what a case fills is a multiple of this, whatever its type and threads


@dataclass
class Samples:
    """The measurements of one case: seconds of each call, in the order in which they were taken."""

    case: Case
    nbytes: int
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def resident(nbytes: int, align: int | None = None) -> Buffer:
    """Return a buffer all of whose pages exist; without align it begins where NumPy puts it."""
    buffer = np.empty(nbytes + (align or 0), np.uint8)
    first = -buffer.ctypes.data % align if align else 0
    buffer = buffer[first : first + nbytes]
    buffer.fill(1)
    return buffer


def part(case: Case, buffer: Buffer) -> Buffer:
    """Return the part of the buffer that the case fills."""
    nbytes = case.nbytes or int(buffer.nbytes * case.share) // GRAIN_BYTES * GRAIN_BYTES
    return buffer[: max(nbytes, GRAIN_BYTES)]


def measure(cases: list[Case], buffer: Buffer, repeats: int, seed: int) -> list[Row]:
    """Check every case on a small part, then time all of them, interleaved; return their rows."""
    with internals.selected(internals.isa()):
        for case in cases:
            small = buffer[:CHECKED_BYTES]
            check_filled(case, small, case.bind(small))
        buffer.fill(1)
        measured = [Samples(case, part(case, buffer).nbytes) for case in cases]
        runs = [case.bind(part(case, buffer)) for case in cases]
        order = [k for k, case in enumerate(cases) for _ in range(case.samples)]
        shuffle = random.Random(seed).shuffle
        for _ in range(repeats):
            shuffle(order)
            for k in order:
                run, calls = runs[k], range(cases[k].calls)
                cpu, wall = time.process_time(), time.perf_counter()
                for _ in calls:
                    run()
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                measured[k].seconds.append(wall / len(calls))
                measured[k].cpu_seconds.append(cpu / len(calls))
    return [_row(samples) for samples in measured]


def _row(samples: Samples) -> Row:
    case, seconds, nbytes = samples.case, samples.seconds, samples.nbytes
    busy = [c / s / case.threads for c, s in zip(samples.cpu_seconds, seconds, strict=True)]
    itemsize = np.dtype(storage(case.dtype)).itemsize if case.dtype else None
    return {
        "name": case.name,
        "library": case.library,
        "variant": case.variant,
        "what": case.what,
        "dtype": case.dtype,
        "threads": case.threads,
        "bytes": nbytes,
        "elements": itemsize and nbytes // itemsize,
        "samples": case.samples,
        "calls": case.calls,
        "median_gbs": nbytes / median(seconds) / 1e9,
        "best_gbs": nbytes / min(seconds) / 1e9,
        "cpu_gbs": nbytes / median(samples.cpu_seconds) / 1e9,
        "median_busy": median(busy),
        "seconds": seconds,
        "cpu_seconds": samples.cpu_seconds,
    }
