"""The cases of weightinit_fast: its public functions, into a resident buffer, by every set."""

from collections.abc import Callable, Iterator
from typing import Any

import weightinit_fast as wi

from .. import internals
from .case import BOUND, OUR_DTYPES, OUR_KINDS, STD, STDS, Array, Buffer, Case, Run, storage

LIBRARY = "weightinit_fast"
SHARES = {"scalar": 1 / 32}  # of the sets that take long
TRUNCATED_SHARE = 1 / 4  # of a set that is not the one in use
SAMPLES = 3  # in each repetition, for short fills that goals are judged by
COLUMNS = 1024  # of the matrices that Xavier and He fill
Fill = Callable[..., object]

FILLS: dict[str, tuple[Fill, dict[str, float]]] = {
    "uniform": (wi.uniform, {"low": -BOUND, "high": BOUND}),
    "normal": (wi.normal, {"std": STD}),
    "truncated": (wi.truncated_normal, {"std": STD}),
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
    function, own = FILLS[kind]
    common: dict[str, Any] = {"dtype": dtype, "rng": wi.key(0), "threads": threads, **own}
    return lambda *shape, **where: function(*shape, **where, **common)


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

    def case(what: str, run: Callable[[Array], object], std: float | None, vector: bool) -> Case:
        def bind(buffer: Buffer) -> Run:
            out = buffer.view("float32")
            out = out if vector else out.reshape(-1, COLUMNS)
            return select(isa, lambda: run(out))

        return Case(LIBRARY, isa, what, "float32", threads, 1.0, bind, std=std, samples=SAMPLES)

    common: dict[str, Any] = {"threads": threads}
    yield case("zeros", lambda out: wi.zeros(out=out, **common), None, True)
    yield case("constant", lambda out: wi.constant(value=0.5, out=out, **common), None, True)
    common["rng"] = key
    # Xavier's fans are those of the whole matrix: its deviation depends on the buffer's size.
    yield case("xavier_uniform", lambda out: wi.xavier_uniform(out=out, **common), None, False)
    he = (2 / COLUMNS) ** 0.5
    yield case("he_normal", lambda out: wi.he_normal(out=out, **common), he, False)
