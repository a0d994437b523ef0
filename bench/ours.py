"""The cases of weightinit_fast: public API, out= a resident buffer, every runnable set."""

from case import BOUND, OUR_DTYPES, OUR_KINDS, STD, Buffer, Case, Run

import weightinit_fast as wi
from weightinit_fast import _core

LIBRARY = "weightinit_fast"
SCALAR_SHARE = 1 / 16


def cases(threads: list[int]) -> list[Case]:
    """Return each fill in each type, on each thread count and instruction set."""
    return [
        _case(kind, dtype, count, isa)
        for isa in _core.ISAS_RUNNABLE
        for kind in OUR_KINDS
        for dtype in OUR_DTYPES
        for count in threads
    ]


def _case(kind: str, dtype: str, threads: int, isa: str) -> Case:
    def bind(buffer: Buffer) -> Run:
        out = buffer.view("uint16" if dtype == "bfloat16" else dtype)
        common = {"out": out, "dtype": dtype, "rng": wi.key(0), "threads": threads}

        def run() -> None:
            _core.select_isa(isa)
            if kind == "uniform":
                wi.uniform(low=-BOUND, high=BOUND, **common)
            elif kind == "normal":
                wi.normal(std=STD, **common)
            else:
                wi.truncated_normal(std=STD, **common)

        return run

    share = SCALAR_SHARE if isa == "scalar" else 1.0
    return Case(LIBRARY, isa, kind, dtype, threads, share, bind)
