"""Nanoseconds a row by id: rows of float32 normals, anywhere in a table of 10^9 rows.

`rows=` draws many rows in one call. It is measured with random ids and with consecutive ones,
beside a contiguous fill of as many rows; beside a loop of calls with `index=`, one for each row;
and, where torch is installed, beside a loop of `normal_` over the rows of a tensor. The loops draw
fewer rows. Every buffer is resident, and the ids are an int64 array.

All cases are interleaved, in a shuffled order. The table has the best and the median of the
repetitions, and their ratio to the contiguous fill on as many threads.
"""

import argparse
import importlib.util
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..cases.case import STD, Array, Buffer, Case, Run
from ..cases.ours import LIBRARY
from ..report import results
from . import machine
from .timing import measure, resident

TABLE = 10**9  # rows
LENGTHS = (64, 1, 7, 33, 100, 128, 1024)
ROWS, QUICK_ROWS, MOST_BYTES = 10**6, 10**5, 1 << 28
LOOP_SHARE = 50  # a loop draws this part of the rows
FILL, RANDOM, CONSECUTIVE = "contiguous fill", "rows= random", "rows= consecutive"
INDEX, TORCH = "loop of index=", "loop of normal_"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="rows of 64, fewer of them, 5 times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (15; quick: 5)")
    parser.add_argument("--rows", type=int, metavar="N", help="rows (10^6; quick: 10^5)")
    parser.add_argument("--only", metavar="REGEX", help="only the cases whose name matches")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")


def cases(length: int, rows: int, threads: list[int]) -> Iterator[Case]:
    """Yield the cases of rows of one length."""
    key = wi.key(0)
    draw = wi.initializer(wi.normal, std=STD)

    def case(library: str, way: str, count: int, rows: int, make: Callable[[Array], Run]) -> Case:
        def bind(buffer: Buffer) -> Run:
            size = 4 * length
            table = buffer[: buffer.nbytes // size * size].view(np.float32).reshape(-1, length)
            run = make(table)

            def returning() -> Array:
                run()
                return table

            return returning

        what, nbytes = f"{way} of {length}", 4 * length * rows
        return Case(library, "", what, "float32", count, 1.0, bind, std=STD, nbytes=nbytes)

    def fill(count: int) -> Callable[[Array], Run]:
        return lambda out: lambda: draw(out=out, rng=key, threads=count)

    def by_id(count: int, ids: Callable[[int], Array]) -> Callable[[Array], Run]:
        def make(out: Array) -> Run:
            chosen, shape = ids(len(out)), (TABLE, length)
            return lambda: draw(shape, rows=chosen, out=out, rng=key, threads=count)

        return make

    def by_index(out: Array) -> Run:
        chosen, shape = random_ids(len(out)).tolist(), (TABLE, length)

        def run() -> None:
            for at, row in enumerate(chosen):
                draw(shape, index=row, out=out[at], rng=key, threads=1)

        return run

    for count in threads:
        yield case(LIBRARY, FILL, count, rows, fill(count))
        yield case(LIBRARY, RANDOM, count, rows, by_id(count, random_ids))
        yield case(LIBRARY, CONSECUTIVE, count, rows, by_id(count, consecutive_ids))
    yield case(LIBRARY, INDEX, 1, max(1, rows // LOOP_SHARE), by_index)
    if importlib.util.find_spec("torch"):
        yield case("torch", TORCH, 1, max(1, rows // LOOP_SHARE), torch_loop)


def random_ids(count: int) -> Array:
    """Return ids anywhere in the table."""
    return np.random.default_rng(0).integers(0, TABLE, count)


def consecutive_ids(count: int) -> Array:
    """Return ids that follow each other."""
    return np.arange(TABLE // 3, TABLE // 3 + count)


def torch_loop(out: Array) -> Run:
    """Return a loop that draws each row of a tensor by itself."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional

    tensors = list(torch.from_numpy(out))
    generator = torch.Generator().manual_seed(0)

    def run() -> None:
        for tensor in tensors:
            tensor.normal_(0.0, STD, generator=generator)

    return run


def table(rows: list[results.Row]) -> str:
    """Return nanoseconds a row, best and median, and their ratio to the contiguous fill's."""
    lines = [f"{'':36}{'best':>9}{'median':>9}{'best':>8}{'median':>8}"]
    fills: dict[Any, results.Row] = {}
    for row in rows:
        way, length = row["what"].rsplit(" of ", 1)
        if way == FILL:
            fills[length, row["threads"]] = row
    for row in rows:
        length = row["what"].rsplit(" of ", 1)[1]
        scale = 1e9 * int(length) / row["elements"]
        cells = [f"{scale * of(row['seconds']):>9.2f}" for of in (min, median)]
        if whole := fills.get((length, row["threads"])):
            ratios = (results.best_ratio(row, whole), results.ratio(row, whole))
            cells += [f"{1 / ratio:>8.2f}" for ratio in ratios]
        label = row["what"] if row["library"] == LIBRARY else f"{row['library']} {row['what']}"
        lines.append(f"{label} t{row['threads']}".ljust(36) + "".join(cells))
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    repeats = args.repeats or (5 if args.quick else 15)
    count = args.rows or (QUICK_ROWS if args.quick else ROWS)
    if repeats < 1 or count < 1:
        raise SystemExit("--repeats and --rows must be at least 1")
    started = time.perf_counter()
    facts = machine.describe()
    threads = sorted({1, min(2, int(wi.info()["threads"]))})
    lengths = LENGTHS[:1] if args.quick else LENGTHS
    chosen = [
        case
        for length in lengths
        for case in cases(length, min(count, MOST_BYTES // (4 * length)), threads)
        if re.search(args.only or "", case.name)
    ]
    if not chosen:
        raise SystemExit(f"no case matches {args.only!r}")
    largest = max(case.nbytes or 0 for case in chosen)
    rows = measure(chosen, resident(max(largest, 1 << 20)), repeats, args.seed)
    print(machine.heading(facts, {}))
    print(f"ns a row of float32, {repeats} repetitions, and the ratio to the contiguous fill\n")
    print(table(rows))
    if args.json:
        settings = {
            "quick": args.quick,
            "repeats": repeats,
            "rows": count,
            "threads": threads,
            "seed": args.seed,
            "seconds": time.perf_counter() - started,
        }
        results.save(args.json, machine.document(facts, "rows", settings, rows, {}))
    return 0
