"""The cases of weightinit_fast: public API, out= a resident buffer, every runnable set."""

from case import BOUND, DTYPES, KINDS, STD, Buffer, Case, Run

import weightinit_fast as wi
from weightinit_fast import _core

LIBRARY = "weightinit_fast"
SCALAR_SHARE = 1 / 16


def cases(threads: list[int]) -> list[Case]:
    """Return uniform and normal on each type, thread count and instruction set."""
    return [
        _case(kind, dtype, count, isa)
        for isa in _core.ISAS_RUNNABLE
        for kind in KINDS
        for dtype in DTYPES
        for count in threads
    ]


def _case(kind: str, dtype: str, threads: int, isa: str) -> Case:
    def bind(buffer: Buffer) -> Run:
        out, key = buffer.view(dtype), wi.key(0)

        def run() -> None:
            _core.select_isa(isa)
            if kind == "uniform":
                wi.uniform(low=-BOUND, high=BOUND, out=out, rng=key, threads=threads)
            else:
                wi.normal(std=STD, out=out, rng=key, threads=threads)

        return run

    share = SCALAR_SHARE if isa == "scalar" else 1.0
    return Case(LIBRARY, isa, kind, dtype, threads, share, bind)
