"""Dask arrays: draws of `wi.dask.array` beside those of dask.array.random, in the same workers.

Every repetition computes each case once, in a shuffled order, with the scheduler of threads and on
a cluster of processes. A task draws one chunk and returns the number of its elements, so that the
draws are measured and not the transport of the values.
Compare the ratios, not the rates. The case "empty" draws nothing: its time is what Dask itself
takes for the graph and the tasks.

The second table is about the graph of an array of many chunks: the seconds that making it takes,
its size when it is pickled for a scheduler, and how many tasks exist before anything is computed.

It needs the packages dask and distributed, `pip install "dask[array]" distributed`.
"""

import argparse
import importlib
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..report import results
from . import machine

OURS, THEIRS, NOTHING = "weightinit_fast", "dask.array.random", "dask.array"
ROW = 256  # elements


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="512 MiB, 3 repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions (7; quick: 3)")
    parser.add_argument("--size-mib", type=int, metavar="MIB", help="of float32 (2048; quick: 512)")
    parser.add_argument("--chunk-mib", type=int, default=16, metavar="MIB", help="a chunk (16)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (one for each core)")
    parser.add_argument("--chunks", type=int, default=10**5, help="of the large graph (100000)")


def makers(
    shape: tuple[int, ...], chunks: tuple[int, ...]
) -> dict[tuple[str, str, str], Callable[[], Any]]:
    """Return (library, what, dtype) -> a function that makes the array anew."""
    ours = importlib.import_module("weightinit_fast.dask").array
    dask_array = importlib.import_module("dask.array")
    theirs = dask_array.random.default_rng
    size = {"size": shape, "chunks": chunks}
    single = {"dtype": np.float32}
    return {
        (OURS, "normal", "float32"): lambda: ours("normal", shape, chunks, rng=0),
        (THEIRS, "normal", "float32"): lambda: theirs(0).standard_normal(**size, **single),
        (THEIRS, "normal", "float64"): lambda: theirs(0).normal(**size),
        (OURS, "uniform", "float32"): lambda: ours("uniform", shape, chunks, rng=0),
        (THEIRS, "uniform", "float32"): lambda: theirs(0).random(**size, **single),
        (THEIRS, "uniform", "float64"): lambda: theirs(0).uniform(**size),
        (NOTHING, "empty", "float32"): lambda: dask_array.empty(shape, chunks=chunks, **single),
    }


def counted(block: np.ndarray) -> np.ndarray:
    """Return the number of elements of a block, as an array of one element."""
    return np.full((1,) * block.ndim, block.size)


def measure(
    made: dict[tuple[str, str, str], Callable[[], Any]],
    scheduler: str,
    compute: Callable[[Any], Any],
    repeats: int,
    threads: int,
) -> list[results.Row]:
    """Return the rows of all cases with one scheduler."""
    seconds: dict[tuple[str, str, str], list[float]] = {case: [] for case in made}
    order, shuffle = list(made), random.Random(0).shuffle
    elements = 0
    for repetition in range(-1, repeats):  # the first one warms up
        shuffle(order)
        for case in order:
            array = made[case]()
            one = tuple((1,) * n for n in array.numblocks)
            counts = array.map_blocks(counted, dtype=np.int64, chunks=one)
            started = time.perf_counter()
            elements = int(compute(counts).sum())
            if repetition >= 0:
                seconds[case].append(time.perf_counter() - started)
            if elements != array.size:
                raise RuntimeError(f"{case}: {elements} elements instead of {array.size}")
    rows = []
    for (library, what, dtype), samples in seconds.items():
        itemsize = np.dtype(dtype).itemsize
        rows.append(
            {
                "name": f"{library} {scheduler} {what} {dtype}",
                "library": library,
                "variant": scheduler,
                "what": what,
                "dtype": dtype,
                "threads": threads,
                "bytes": elements * itemsize,
                "elements": elements,
                "samples": 1,
                "seconds": samples,
            }
        )
    return rows


def graphs(count: int) -> list[dict[str, Any]]:
    """Return facts about an array of ``count`` chunks, of each library."""
    found = []
    for (library, what, dtype), make in makers((count * 10**5, 64), (10**5, 64)).items():
        if (what, dtype) == ("normal", "float32"):
            started = time.perf_counter()
            array = make()
            made = time.perf_counter() - started
            layers = array.dask.layers.values()
            tasks = sum(len(layer) for layer in layers if layer.is_materialized())
            size = len(pickle.dumps(array.dask))
            found.append(
                {"library": library, "seconds": made, "bytes": size, "materialised tasks": tasks}
            )
    return found


def table(rows: list[results.Row]) -> str:
    """Return the rates by scheduler, and each library's beside ours."""
    lines = [f"{'scheduler':12} {'':32} {'Gelements/s':>11} {'best':>7} {'ours/this':>14}"]
    ours = {(r["variant"], r["what"]): r for r in rows if r["library"] == OURS}
    for row in rows:
        rate, best = (row["elements"] / of(row["seconds"]) / 1e9 for of in (median, min))
        name = f"{row['library']} {row['what']} {row['dtype']}"
        top = ours.get((row["variant"], row["what"]), row)
        ratios = results.quartiles(results.repetition_ratios(top, row))
        ratio = f"{results.ratio(top, row):.1f} ({ratios.low:.1f} to {ratios.high:.1f})"
        shown = "" if row is top else ratio
        lines.append(f"{row['variant']:12} {name:40} {rate:>6.3f} {best:>7.3f} {shown:>20}")
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    try:
        dask = importlib.import_module("dask")
        distributed = importlib.import_module("distributed")
        importlib.import_module("dask.array")
    except ImportError:
        raise SystemExit('this needs: pip install "dask[array]" distributed') from None
    repeats = args.repeats or (3 if args.quick else 7)
    size = (args.size_mib or (512 if args.quick else 2048)) << 20
    if min(repeats, size, args.chunk_mib, args.workers or 1, args.chunks) < 1:
        raise SystemExit("sizes and counts must be at least 1")
    workers = args.workers or int(wi.info()["threads"])
    facts = machine.describe()
    made = makers((size // 4 // ROW, ROW), ((args.chunk_mib << 20) // 4 // ROW, ROW))
    with dask.config.set(scheduler="threads", num_workers=workers):
        rows = measure(made, "threads", lambda array: array.compute(), repeats, workers)
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        rows += measure(made, "processes", lambda array: array.compute(), repeats, workers)
    found = {"dask": dask.__version__, "distributed": distributed.__version__}
    settings = {
        "quick": args.quick,
        "repeats": repeats,
        "MiB": size >> 20,
        "chunk MiB": args.chunk_mib,
        "workers": workers,
        "graphs": graphs(args.chunks),
    }
    print(machine.heading(facts, found))
    print(
        f"{size >> 20} MiB of float32 in chunks of {args.chunk_mib} MiB, {workers} threads or "
        f"processes; {repeats} repetitions\n"
    )
    print(table(rows))
    print(f"\nan array of {args.chunks} chunks of one axis")
    for graph in settings["graphs"]:
        print(
            f"{graph['library']:20} made in {graph['seconds']:.2f} s, pickled "
            f"{graph['bytes'] / 1e6:.1f} MB, {graph['materialised tasks']} tasks exist"
        )
    if args.json:
        results.save(args.json, machine.document(facts, "dask", settings, rows, found))
    return 0
