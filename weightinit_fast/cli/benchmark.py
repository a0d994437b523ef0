"""The subcommand ``benchmark``: initialise three models, time it beside NumPy, check the bits."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import weightinit_fast as wi

from .._screen import Screen
from ..initialisers.law import Law
from ..models import builtin
from .options import add_output, add_threads

__all__ = ["configure", "run"]

Row: TypeAlias = dict[str, Any]


class Tensor(NamedTuple):
    """One tensor of a model: its memory, its distribution, and the call that fills it."""

    values: NDArray[np.float32]
    law: Law
    init: wi.Initializer
    fill: Callable[[], object]


#: Elements that the standard deviation is computed of at a time: few enough to stay in the cache,
#: and to keep BLAS on one thread.
SLAB = 8192
#: A group whose tensors have fewer bytes than this on average is "tiny": the calls take its time.
TINY_BYTES = 1 << 16

TITLE = "weightinit_fast {version}, stream version {stream_version}"
ABOUT = """\
All tensors have the key rng=0; the stream of each is the name of its parameter.
std: the wanted standard deviation. measured: the root mean square distance of
  the values from the wanted mean. Where each tensor of a group has its own std,
  the values are divided by that first: 1x is perfect.
GB/s: 10^9 bytes a second into memory touched before, median of repetitions.
*: tensors of a few KiB. The calls take most of their time; see below the table."""
ABOUT_NUMPY = """
ratio: the time of NumPy divided by ours. NumPy draws in place, in float32, on
  one thread, by numpy.random.Generator (constants: by ndarray.fill)."""


def _deviation(tensors: Sequence[Tensor]) -> float:
    """Return the root mean square of (value - wanted mean) / wanted std.

    For constants, whose wanted std is 0, there is no division.
    """
    total = count = 0.0
    scratch = np.empty(SLAB, np.float64)
    for values, law, *_ in tensors:
        flat, variance = values.reshape(-1), law.std**2 or 1.0
        for start in range(0, flat.size, SLAB):
            part = flat[start : start + SLAB]
            gap = np.subtract(part, law.mean, out=scratch[: part.size], dtype=np.float64)
            total += float(np.dot(gap, gap)) / variance
        count += flat.size
    return math.sqrt(total / count)


def _fill(tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        tensor.fill()


def _numpy_fill(tensors: Sequence[Tensor], generator: np.random.Generator) -> None:
    """Draw the same distributions with NumPy, in the fastest way that it has."""
    for values, law, *_ in tensors:
        if law.kind == "constant":
            values.fill(law.mean)
        elif law.kind == "normal":
            generator.standard_normal(dtype=np.float32, out=values)
            np.multiply(values, law.std, out=values)
        else:  # uniform, since the models have no other distributions
            generator.random(dtype=np.float32, out=values)
            np.multiply(values, law.high - law.low, out=values)
            np.add(values, law.low, out=values)


def _clock(works: Sequence[Callable[[], None]]) -> list[float]:
    """Return the median seconds of each work; run all in turn, 3 to 15 times, for about 1 s."""
    rounds: list[list[float]] = []
    begin = time.perf_counter()
    while len(rounds) < 3 or (len(rounds) < 15 and time.perf_counter() - begin < 1):
        rounds.append([])
        for work in works:
            start = time.perf_counter()
            work()
            rounds[-1].append(time.perf_counter() - start)
    return [median(times) for times in zip(*rounds, strict=True)]


def _row(group: str, tensors: Sequence[Tensor], times: Sequence[float], deviation: float) -> Row:
    """Return the figures of a group; `times` are our seconds and, if NumPy was timed, NumPy's."""
    elements = sum(tensor.values.size for tensor in tensors)
    wanted = {tensor.law.std for tensor in tensors}
    std = wanted.pop() if len(wanted) == 1 else None
    speeds = [elements * 4 / 1e9 / seconds for seconds in times]
    return {
        "group": group,
        "initialisers": list(dict.fromkeys(str(tensor.init) for tensor in tensors)),
        "tensors": len(tensors),
        "elements": elements,
        "wanted_std": std,  # None: each tensor has its own
        "measured_std": None if std is None else deviation * (std or 1.0),
        "measured_over_wanted": None if std == 0 or math.isnan(deviation) else deviation,
        "seconds": times[0],
        "gb_per_s": speeds[0],
        "numpy_gb_per_s": speeds[1] if speeds[1:] else None,
        "ratio": speeds[0] / speeds[1] if speeds[1:] else None,
        "tiny": 4 * elements < TINY_BYTES * len(tensors),
    }


def _line(row: Row | None) -> str:
    """Return one line of the table, or its heading if row is None."""
    if row is None:
        cells = ["group", "tensors", "elements", "std", "measured", "GB/s", "ratio"]
    else:
        mark = "*" if row["tiny"] else " "
        cells = [row["group"], f"{row['tensors']}", f"{row['elements']:,}", "", ""]
        if row["wanted_std"] is not None:
            cells[3:] = [f"{row['wanted_std']:.6g}", f"{row['measured_std']:.6g}"]
        elif row["measured_over_wanted"] is not None:
            cells[3:] = ["its own", f"{row['measured_over_wanted']:.6f}x"]
        cells.append(_number(row["gb_per_s"]) + mark)
        cells.append("-" if row["ratio"] is None else _number(row["ratio"]) + "x")
    pairs = zip(cells[1:], (7, 11, 10, 10, 6, 6), strict=True)
    return f"  {cells[0]:<20}" + "".join(f" {cell:>{width}}" for cell, width in pairs)


def _number(value: float) -> str:
    return f"{value:.{1 if value >= 10 else 2}f}"


def _notes(rows: Sequence[Row]) -> list[str]:
    """Return the lines below the table: each group's initialisers, and the time of a tiny call."""
    lines = []
    for row in rows:
        texts = [_shortened(text) for text in row["initialisers"]]
        line = f"  {row['group']}: {', '.join(texts)}"
        if row["tiny"]:
            microseconds = row["seconds"] / row["tensors"] * 1e6
            line += f" (*{microseconds:.1f} us a call)"
        lines.append(line)
    return lines


def _shortened(text: str) -> str:
    """Return an initialiser's text with its long numbers cut to six digits."""
    return re.sub(r"\d+\.\d{6,}", lambda found: f"{float(found[0]):.6g}", text)


def _model(name: str, memory: NDArray[Any], args: argparse.Namespace, screen: Screen) -> Row:
    """Initialise, hash, measure and time one model in `memory`; return its figures."""
    groups: dict[str, list[Tensor]] = {}
    key, used = wi.key(0), 0
    table = builtin.model(name)
    for parameter, init in table.recipe.plan(table.shapes).items():
        shape, group = table.shapes[parameter].shape, table.groups[parameter]
        values = memory[used : used + math.prod(shape)].reshape(shape)
        used += values.size
        fill = partial(init, out=values, rng=key, stream=parameter, threads=args.threads)
        groups.setdefault(group, []).append(Tensor(values, init.law(shape), init, fill))

    screen.say("\n" + screen.paint(f"{table.title}: {used:,} parameters", "1"))
    screen.status("filling and hashing")
    for tensors in groups.values():
        _fill(tensors)
    # Tensors lie one after the other: this is the digest of their bytes in table order.
    digest = hashlib.sha256(memory[:used].astype("<f4", copy=False).data).hexdigest()
    # All groups are measured before the timing, which overwrites the values with NumPy's.
    deviations = {group: _deviation(tensors) for group, tensors in groups.items()}

    screen.say(_line(None))
    generator, rows, total = np.random.default_rng(0), [], np.zeros(1 if args.no_numpy else 2)
    # Constants, the least interesting rows, come last (the sort is stable).
    for group, tensors in sorted(groups.items(), key=lambda item: _is_constant(item[1])):
        screen.status(f"timing {group}")
        both = [partial(_fill, tensors), partial(_numpy_fill, tensors, generator)]
        times = _clock(both[: total.size])
        total += times
        rows.append(_row(group, tensors, times, deviations[group]))
        screen.say(_line(rows[-1]))
    if len(rows) > 1:
        everything = [tensor for tensors in groups.values() for tensor in tensors]
        screen.say(_line(_row("all", everything, total.tolist(), math.nan)))
    for line in _notes(rows):
        screen.say(line)

    match = digest == (wanted := builtin.SHA256[name])
    verdict = (
        screen.paint("as published", "32") if match else screen.paint("NOT as published", "1;31")
    )
    screen.say(f"  SHA-256 {digest}")
    screen.say(f"  {verdict} for stream version {builtin.SHA256_STREAM_VERSION}")
    model = {"parameters": used, "sha256": digest, "expected": wanted, "match": match}
    return model | {"groups": rows}


def _is_constant(tensors: Sequence[Tensor]) -> bool:
    return tensors[0].law.kind == "constant"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.description = """\
Initialise GPT-2 124M, ResNet-50 and an embedding of a million rows in 0.5 GB of
memory, time this beside NumPy, and compare the bytes with the published SHA-256.
It takes half a minute on two cores."""
    parser.epilog = "Exit status 1: a digest is not as published."
    parser.add_argument("--no-numpy", action="store_true", help="do not time NumPy")
    add_threads(parser)
    add_output(parser, quiet=False)


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Print the table; return 1 if a digest is not as published."""
    names = ("version", "stream_version", "isa", "threads", "threads_wait_by")
    document: Row = {name: value for name, value in wi.info().items() if name in names}
    document |= {"groups": [], "models": {}, "threads": args.threads or document["threads"]}
    head = TITLE + ", {isa}, threads: {threads}"
    build = "" if document["threads_wait_by"] else " (serial build)"
    screen.say(screen.paint(head.format_map(document), "1") + build)
    screen.say(ABOUT if args.no_numpy else ABOUT + ABOUT_NUMPY)

    sizes = [builtin.model(name).parameters for name in builtin.SHA256]
    memory = np.empty(max(sizes), np.float32)  # which all models use in turn
    wrong = ""
    for name in builtin.SHA256:
        document["models"][name] = model = _model(name, memory, args, screen)
        document["groups"] += [{"model": name, **row} for row in model.pop("groups")]
        if not model["match"]:
            wrong += f"{name}: wanted SHA-256 {model['expected']}, got {model['sha256']}\n"
    if args.json:
        screen.document(document)
    sys.stderr.write(wrong)
    return 1 if wrong else 0
