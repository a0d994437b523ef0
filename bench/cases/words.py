"""Drawing the words alone: what a fill could reach if its transform took no time.

"words cached" draws into a part of the buffer that the second-level cache holds, again and again:
this is the rate of the generator itself, without a store to memory. "words" draws into the whole
buffer.
"""

from functools import partial

import numpy as np

import weightinit_fast as wi

from .. import internals
from .case import Buffer, Case, Run, Team
from .ours import LIBRARY, SAMPLES, select

CACHED_BYTES = 1 << 18  # for each thread; if there were fewer, the cost of the call would show


def cases(threads: list[int]) -> list[Case]:
    """Return both cases on each thread count, with the instruction set in use."""
    return [make(count) for make in (_streamed, _cached) for count in threads]


def _draw(out: Buffer, threads: int) -> Run:
    return partial(internals.draw_words, out.view(np.uint32), wi.key(0), threads)


def _streamed(threads: int) -> Case:
    isa = internals.isa()

    def bind(buffer: Buffer) -> Run:
        return select(isa, _draw(buffer, threads))

    return Case(LIBRARY, isa, "words", "uint32", threads, 1.0, bind, samples=SAMPLES)


def _cached(threads: int) -> Case:
    # The threads are ours: a parallel region for each call would cost more than the words.
    isa, team = internals.isa(), Team(threads)

    def bind(buffer: Buffer) -> Run:
        nbytes = min(CACHED_BYTES, buffer.nbytes // threads // 64 * 64)
        calls = range(buffer.nbytes // threads // nbytes)

        def part(number: int) -> Run:
            draw = _draw(buffer[number * nbytes : (number + 1) * nbytes], 1)

            def run() -> None:
                for _ in calls:
                    draw()

            return run

        draw_all = team.bind([part(number) for number in range(threads)])

        def run() -> Buffer:
            draw_all()
            return buffer[: threads * nbytes]  # the part to check

        return select(isa, run)

    return Case(LIBRARY, isa, "words cached", "uint32", threads, 1.0, bind, samples=SAMPLES)
