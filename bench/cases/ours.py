"""The cases of weightinit_fast: fills of a resident buffer, by every instruction set."""

from collections.abc import Callable, Iterator
from functools import partial

import weightinit_fast as wi

from .. import internals
from .case import BOUND, OUR_DTYPES, OUR_KINDS, STD, STDS, Buffer, Case, Run, storage

LIBRARY = "weightinit_fast"
SHARES = {"scalar": 1 / 32}  # the part of the buffer that slow instruction sets fill
TRUNCATED_SHARE = 1 / 4  # the part that truncated normals fill by a set that is not in use
SAMPLES = 3  # in each repetition, for short fills that goals are judged by
COLUMNS = 1024  # of the matrices that Xavier and He fill

INITIALISERS = {
    "uniform": wi.initializer(wi.uniform, low=-BOUND, high=BOUND),
    "normal": wi.initializer(wi.normal, std=STD),
    "truncated": wi.initializer(wi.truncated_normal, std=STD),
}


def cases(threads: list[int]) -> list[Case]:
    """Return each fill in each type, by each instruction set; then the other initialisers."""
    plain = [
        _plain(kind, dtype, count, isa)
        for isa in internals.RUNNABLE
        for kind in OUR_KINDS
        for dtype in OUR_DTYPES
        for count in threads
    ]
    return plain + [case for count in threads for case in _others(count)]


def fill(kind: str, dtype: str, threads: int) -> Callable[..., object]:
    """Return a fill that needs nothing more than shape, index and out."""
    return partial(INITIALISERS[kind], dtype=dtype, rng=wi.key(0), threads=threads)


def select(isa: str, run: Run) -> Run:
    """Return a function that runs this with an instruction set."""

    def selected() -> object:
        internals.select_isa(isa)
        return run()

    return selected


def _plain(kind: str, dtype: str, threads: int, isa: str) -> Case:
    draw = fill(kind, dtype, threads)

    def bind(buffer: Buffer) -> Run:
        out = buffer.view(storage(dtype))
        return select(isa, lambda: draw(out=out))

    used = isa == internals.isa()
    share = SHARES.get(isa, TRUNCATED_SHARE if kind == "truncated" and not used else 1.0)
    samples = SAMPLES if used else 1
    return Case(LIBRARY, isa, kind, dtype, threads, share, bind, std=STDS[kind], samples=samples)


def _others(threads: int) -> Iterator[Case]:
    key, isa = wi.key(0), internals.isa()

    def case(init: wi.Initializer, std: float | None, matrix: bool = False) -> Case:
        def bind(buffer: Buffer) -> Run:
            out = buffer.view("float32")
            out = out.reshape(-1, COLUMNS) if matrix else out
            return select(isa, lambda: init(out=out, rng=key, threads=threads))

        what = init.function.__name__
        return Case(LIBRARY, isa, what, "float32", threads, 1.0, bind, std=std, samples=SAMPLES)

    yield case(wi.initializer(wi.zeros), None)
    yield case(wi.initializer(wi.constant, value=0.5), None)
    # Xavier's fans are those of the whole matrix: its deviation depends on the buffer's size.
    yield case(wi.initializer(wi.xavier_uniform), None, matrix=True)
    he = wi.initializer(wi.he_normal)
    yield case(he, he.law((1, COLUMNS)).std, matrix=True)
