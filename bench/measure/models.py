"""Whole models: all tensors filled as one, beside one fill of as many elements.

Each model is filled in three ways, on each number of threads, in float32 and in resident memory:

  one fill     normal(out=) of one array with as many elements as the model has
  model        all tensors of the model in one run, each with its own initialiser
  by tensor    the same tensors, one call after the other

The model and the one fill differ in more than the number of arrays. Biases and the weights of norms
are constants, which cost what a store costs, but they are less than a part in 500 of the elements.
The uniforms of ResNet-50 (a part in 12) cost less than normals. All else are normals on both sides.

The ways are interleaved, in a shuffled order. The table has 10^9 bytes a second, best and median,
and their ratio to the one fill on as many threads. A model of that few bytes may stay in the
caches of a large processor from one repetition to the next, and so may the one fill.
"""

import argparse
import random
import time
from pathlib import Path
from statistics import median

import numpy as np

import weightinit_fast as wi
from weightinit_fast.models import builtin

from .. import internals
from ..cases.case import STD, Run
from ..cases.ours import LIBRARY
from ..report import results
from . import machine

MODELS = ("gpt2", "resnet50")
ONE, MODEL, BY_TENSOR = WAYS = ("one fill", "model", "by tensor")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="7 repetitions")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (31; quick: 7)")
    parser.add_argument(
        "--threads", type=int, nargs="+", metavar="N", help="threads (1, 2 and all of them)"
    )
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help="which models")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")


def ways(name: str) -> tuple[int, dict[str, Run]]:
    """Return the bytes of a model, and way -> a function of the number of threads that fills it."""
    key = wi.key(0)
    model = builtin.model(name)
    plan = model.recipe.plan(model.shapes)
    draws = [
        (init, np.ones(model.shapes[tensor].shape, np.float32), tensor)
        for tensor, init in plan.items()
    ]
    flat = np.ones(sum(tensor.size for _, tensor, _ in draws), np.float32)

    def by_tensor(threads: int) -> None:
        for init, tensor, stream in draws:
            init(out=tensor, rng=key, stream=stream, threads=threads)

    def as_one(threads: int) -> None:
        internals.fill_all(draws, key, threads)

    def one_fill(threads: int) -> None:
        wi.normal(out=flat, std=STD, rng=key, threads=threads)

    check(draws, as_one, by_tensor)
    return flat.nbytes, {ONE: one_fill, MODEL: as_one, BY_TENSOR: by_tensor}


def check(draws, as_one, by_tensor) -> None:
    """Both ways must write the same values."""
    by_tensor(1)
    wanted = [tensor.copy() for _, tensor, _ in draws]
    for _, tensor, _ in draws:
        tensor.fill(7)
    as_one(1)
    for (_, tensor, name), expected in zip(draws, wanted, strict=True):
        if not np.array_equal(tensor, expected):
            raise AssertionError(f"{name} has other values as a part of the model")


def measure(
    models: dict[str, tuple[int, dict[str, Run]]], threads: list[int], repeats: int, seed: int
) -> list[results.Row]:
    """Return a row for each model, way and number of threads, from interleaved calls."""
    cases = [(name, way, count) for name in models for way in WAYS for count in threads]
    samples: dict[tuple[str, str, int], list[float]] = {case: [] for case in cases}
    for name, way, count in cases:
        models[name][1][way](count)
    shuffle = random.Random(seed).shuffle
    for _ in range(repeats):
        shuffle(cases)
        for name, way, count in cases:
            run = models[name][1][way]
            started = time.perf_counter()
            run(count)
            samples[name, way, count].append(time.perf_counter() - started)
    return [
        {
            "name": f"{LIBRARY} {name} {way} t{count}",
            "library": LIBRARY,
            "variant": way,
            "what": name,
            "dtype": "float32",
            "threads": count,
            "bytes": models[name][0],
            "elements": models[name][0] // 4,
            "samples": 1,
            "seconds": seconds,
        }
        for (name, way, count), seconds in samples.items()
    ]


def table(rows: list[results.Row]) -> str:
    """Return GB/s by model, number of threads and way, and the ratios to the one fill."""
    by_case = {(row["what"], row["variant"], row["threads"]): row for row in rows}
    lines = [f"{'':12} {'threads':>7}" + "".join(f"  {way:>22}" for way in WAYS)]
    lines.append(" " * 20 + f"  {'best  median':>22}" + f"  {'best  median  / one':>22}" * 2)
    for name, count in dict.fromkeys((row["what"], row["threads"]) for row in rows):
        line = f"{name:12} {count:>7}"
        for way in WAYS:
            row, one = by_case[name, way, count], by_case[name, ONE, count]
            best, middle = (row["bytes"] / of(row["seconds"]) / 1e9 for of in (min, median))
            ratios = [of(one["seconds"]) / of(row["seconds"]) for of in (min, median)]
            shown = "" if way == ONE else f"  {ratios[0]:.2f} {ratios[1]:.2f}"
            line += f"  {f'{best:.1f} {middle:6.1f}{shown}':>22}"
        lines.append(line)
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    repeats = args.repeats or (7 if args.quick else 31)
    most = int(wi.info()["threads"])
    threads = sorted(set(args.threads or (1, min(2, most), most)))
    facts = machine.describe()
    models = {name: ways(name) for name in args.models}
    rows = measure(models, threads, repeats, args.seed)
    print(machine.heading(facts, {}))
    print(f"GB/s, {repeats} repetitions; / one: the ratio to one fill, of the best and the median")
    print(table(rows))
    if args.json:
        settings = {"repeats": repeats, "threads": threads, "seed": args.seed}
        results.save(args.json, machine.document(facts, "models", settings, rows, {}))
    return 0
