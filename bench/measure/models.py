"""Whole models: all tensors filled as one, beside one fill of as many elements.

Each model is filled in three ways, on each number of threads, in float32 and in resident memory:

  one fill    normal(out=) of one array with as many elements as the model has
  model       recipe.fill of all tensors, each with its own initialiser
  by tensor   the same tensors, one call after the other

The ways are compared in memory of the same pages, since a fill of pages of 4 KiB can take 1.7 times
as long as one of huge pages:

  huge pages  one array of NumPy, which asks for huge pages; the tensors are views of it
  4-KiB pages a memory map for which huge pages are switched off; the tensors are views of it

With --apart, each tensor is an array of its own as well. The large ones then have huge pages and
the small ones have not, and there is no one fill to compare with.

The model and the one fill differ in more than the number of arrays. The biases and the weights of
norms are constants, which cost what a store costs, but they are one element in 500 at most. The
uniforms of ResNet-50 (one element in 12) cost less than normals. All other elements are normals.

The ways are interleaved, in a shuffled order. The table has 10^9 bytes a second, best and median,
and their ratio to the one fill in the same pages on as many threads. A small model may stay in the
caches of a large processor from one repetition to the next, and so may the one fill.
"""

import argparse
import mmap
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from .. import internals
from ..cases.case import STD, Array
from ..cases.ours import LIBRARY
from ..report import results
from . import machine

MODELS = ("gpt2", "resnet50")
ONE, MODEL, BY_TENSOR = WAYS = ("one fill", "model", "by tensor")
HUGE, SMALL, APART = "huge pages", "4-KiB pages", "apart"

Draw = tuple[wi.Initializer, Array, str]
Fill = Callable[[int], object]  # takes the number of threads
Case = tuple[str, str, str]  # model, memory, way


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="7 repetitions")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (31; quick: 7)")
    parser.add_argument(
        "--threads", type=int, nargs="+", metavar="N", help="threads (1, 2 and all of them)"
    )
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help="which models")
    parser.add_argument("--apart", action="store_true", help="also an array for each tensor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")


def resident(size: int, memory: str) -> Array:
    """Return an array of float32 whose pages exist."""
    if memory == HUGE:
        return np.ones(size, np.float32)
    pages = mmap.mmap(-1, 4 * size)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    array = np.frombuffer(pages, np.float32)
    array.fill(1)
    return array


def ways(name: str, memory: str) -> tuple[int, dict[str, Fill]]:
    """Return the bytes of a model, and the ways to fill it in one kind of memory."""
    key = wi.key(0)
    model = internals.model(name)
    inits, shapes = model.recipe.plan(model.shapes), {k: v.shape for k, v in model.shapes.items()}
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    block = None if memory == APART else resident(size, memory)
    draws: list[Draw] = []
    begin = 0
    for tensor, shape in shapes.items():
        end = begin + int(np.prod(shape))
        out = np.ones(shape, np.float32) if block is None else block[begin:end].reshape(shape)
        draws.append((inits[tensor], out, tensor))
        begin = end

    tensors = {tensor: out for _, out, tensor in draws}

    def by_tensor(threads: int) -> None:
        for init, out, stream in draws:
            init(out=out, rng=key, stream=stream, threads=threads)

    def as_one(threads: int) -> None:
        model.recipe.fill(tensors, rng=key, threads=threads)

    check(draws, as_one, by_tensor)
    made: dict[str, Fill] = {MODEL: as_one, BY_TENSOR: by_tensor}
    if block is not None:
        made[ONE] = lambda threads: wi.normal(out=block, std=STD, rng=key, threads=threads)
    return 4 * size, made


def check(draws: list[Draw], as_one: Fill, by_tensor: Fill) -> None:
    """Both ways must write the same values."""
    by_tensor(1)
    wanted = [out.copy() for _, out, _ in draws]
    for _, out, _ in draws:
        out.fill(7)
    as_one(1)
    for (_, out, name), expected in zip(draws, wanted, strict=True):
        if not np.array_equal(out, expected):
            raise AssertionError(f"{name} has other values as a part of the model")


def measure(
    fills: dict[Case, Fill], sizes: dict[str, int], threads: list[int], repeats: int, seed: int
) -> list[results.Row]:
    """Return a row for each case and number of threads, from interleaved calls."""
    order = [(case, count) for case in fills for count in threads]
    samples: dict[tuple[Case, int], list[float]] = {each: [] for each in order}
    for case, count in order:
        fills[case](count)
    shuffle = random.Random(seed).shuffle
    for _ in range(repeats):
        shuffle(order)
        for case, count in order:
            started = time.perf_counter()
            fills[case](count)
            samples[case, count].append(time.perf_counter() - started)
    return [
        {
            "name": f"{LIBRARY} {name} {memory} {way} t{count}",
            "library": LIBRARY,
            "variant": f"{memory}, {way}",
            "what": name,
            "dtype": "float32",
            "threads": count,
            "bytes": sizes[name],
            "elements": sizes[name] // 4,
            "samples": 1,
            "seconds": seconds,
        }
        for ((name, memory, way), count), seconds in samples.items()
    ]


def table(rows: list[results.Row]) -> str:
    """Return GB/s by model, memory, number of threads and way, and the ratios to the one fill."""
    found = {(row["what"], row["variant"], row["threads"]): row for row in rows}
    lines = [f"{'':32}" + "".join(f"{way:>24}" for way in WAYS)]
    lines.append(f"{'model':10}{'memory':12}{'threads':>8}  " + f"{'best median   / one':>24}" * 3)
    groups = dict.fromkeys((r["what"], r["variant"].split(", ")[0], r["threads"]) for r in rows)
    for name, memory, count in groups:
        line = f"{name:10}{memory:12}{count:>8}  "
        one = found.get((name, f"{memory}, {ONE}", count))
        for way in WAYS:
            row = found.get((name, f"{memory}, {way}", count))
            line += f"{_cell(row, None if way == ONE else one):>24}"
        lines.append(line)
    return "\n".join(lines)


def _cell(row: results.Row | None, one: results.Row | None) -> str:
    if row is None:
        return "-"
    best, middle = (row["bytes"] / of(row["seconds"]) / 1e9 for of in (min, median))
    cell = f"{best:.1f} {middle:6.1f}"
    if one is None:
        return f"{cell}{'':10}"
    ratios = [of(one["seconds"]) / of(row["seconds"]) for of in (min, median)]
    return f"{cell} {ratios[0]:4.2f} {ratios[1]:4.2f}"


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    repeats: int = args.repeats or (7 if args.quick else 31)
    most = int(wi.info()["threads"])
    threads = sorted(set(args.threads or (1, min(2, most), most)))
    facts = machine.describe()
    memories = [HUGE, *([SMALL] if hasattr(mmap, "MADV_NOHUGEPAGE") else [])]
    memories += [APART] if args.apart else []
    fills: dict[Case, Fill] = {}
    sizes: dict[str, int] = {}
    for name in args.models:
        for memory in memories:
            sizes[name], made = ways(name, memory)
            fills |= {(name, memory, way): made[way] for way in WAYS if way in made}
    rows = measure(fills, sizes, threads, repeats, args.seed)
    print(machine.heading(facts, {}))
    print(f"GB/s of {repeats} repetitions; / one: ratio to the one fill, of best and of median\n")
    print(table(rows))
    if args.json:
        settings: dict[str, Any] = {"repeats": repeats, "threads": threads, "seed": args.seed}
        results.save(args.json, machine.document(facts, "models", settings, rows, {}))
    return 0
