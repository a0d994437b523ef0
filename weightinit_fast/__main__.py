"""``python -m weightinit_fast``: initialise real models, time it against NumPy, check the bytes."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import weightinit_fast as wi
from weightinit_fast.models import builtin as _models

Tensor: TypeAlias = tuple[NDArray[np.float32], _models.Spec, Callable[[], object]]
Row: TypeAlias = dict[str, Any]

SLAB = 8192  # elements; small enough to stay in cache and to keep BLAS on one thread

TITLE = "weightinit_fast {version}, stream version {stream_version}"
ABOUT = """\
Each tensor is the stream named after its parameter, of the one key rng=0.
std: root mean square distance from the wanted mean. Where each tensor of a group wants its own,
  values are divided by the wanted one, then pooled: 1x is perfect.
GB/s: 10^9 bytes a second into memory touched before, median of repetitions; groups of small
  tensors measure the cost of a call."""
ABOUT_NUMPY = """
NumPy: numpy.random.Generator in float32, in place, one thread (constants: ndarray.fill),
  in turn with ours; ratio: its time over ours."""


class Screen:
    """Plain text, with colour and a progress line only where a person is reading."""

    def __init__(self, quiet: bool) -> None:
        capable = os.environ.get("TERM") != "dumb"
        self._quiet = quiet
        self._colour = capable and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._moving = capable and sys.stderr.isatty()
        self._shown = 0

    def paint(self, text: str, code: str) -> str:
        """Return `text` in the ANSI style `code`, or as it is."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def say(self, text: str) -> None:
        """Print a piece of the report, unless the report is JSON."""
        self.progress("")
        if not self._quiet:
            print(text, flush=True)

    def progress(self, text: str) -> None:
        """Replace the progress line on standard error."""
        if self._moving and (text or self._shown):
            # Blanks instead of an erase code: every terminal knows the carriage return.
            sys.stderr.write("\r" + " " * self._shown + "\r" + text)
            sys.stderr.flush()
            self._shown = len(text)


def _deviation(tensors: Sequence[Tensor]) -> float:
    """Return the root mean square of (value - wanted mean) / wanted std; constants: of the gap."""
    total = count = 0.0
    scratch = np.empty(SLAB, np.float64)
    for values, spec, _ in tensors:
        flat, variance = values.reshape(-1), spec.std**2 or 1.0
        for start in range(0, flat.size, SLAB):
            part = flat[start : start + SLAB]
            gap = np.subtract(part, spec.mean, out=scratch[: part.size], dtype=np.float64)
            total += float(np.dot(gap, gap)) / variance
        count += flat.size
    return math.sqrt(total / count)


def _fill(tensors: Sequence[Tensor]) -> None:
    for _, _, call in tensors:
        call()


def _numpy_fill(tensors: Sequence[Tensor], generator: np.random.Generator) -> None:
    """Do the same work with NumPy, the fastest way it has."""
    for values, spec, _ in tensors:
        if spec.law == "constant":
            values.fill(spec.mean)
        elif spec.law == "normal":
            generator.standard_normal(dtype=np.float32, out=values)
            np.multiply(values, spec.std, out=values)
        else:
            bound = spec.std * math.sqrt(3)
            generator.random(dtype=np.float32, out=values)
            np.multiply(values, 2 * bound, out=values)
            np.subtract(values, bound, out=values)


def _clock(works: Sequence[Callable[[], None]]) -> list[float]:
    """Return median seconds of each, run in turn 3 to 15 times for about a second in all."""
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
    """Describe a group; `times` are our seconds and, where NumPy was timed, NumPy's."""
    elements = sum(values.size for values, _, _ in tensors)
    wanted = {spec.std for _, spec, _ in tensors}
    std = wanted.pop() if len(wanted) == 1 else None
    speeds = [elements * 4 / 1e9 / seconds for seconds in times]
    return {
        "group": group,
        "tensors": len(tensors),
        "elements": elements,
        "wanted_std": std,  # None: each tensor its own
        "measured_std": None if std is None else deviation * (std or 1.0),
        "measured_over_wanted": None if std == 0 or math.isnan(deviation) else deviation,
        "seconds": times[0],
        "gb_per_s": speeds[0],
        "numpy_gb_per_s": speeds[1] if speeds[1:] else None,
        "ratio": speeds[0] / speeds[1] if speeds[1:] else None,
    }


def _line(row: Row | None) -> str:
    """Return one line of the table; None: its heading."""
    if row is None:
        cells = ["group", "tensors", "elements", "std wanted", "measured", "GB/s", "NumPy", "ratio"]
    else:
        cells = [row["group"], f"{row['tensors']}", f"{row['elements']:,}", "", ""]
        if row["wanted_std"] is not None:
            cells[3:] = [f"{row['wanted_std']:.6g}", f"{row['measured_std']:.6g}"]
        elif row["measured_over_wanted"] is not None:
            cells[3:] = ["each own", f"{row['measured_over_wanted']:.6f}x"]
        for name, unit in (("gb_per_s", ""), ("numpy_gb_per_s", ""), ("ratio", "x")):
            value = row[name]
            cells.append("-" if value is None else f"{value:.{1 if value >= 10 else 2}f}{unit}")
    pairs = zip(cells[1:], (7, 11, 10, 10, 6, 6, 7), strict=True)
    return f"  {cells[0]:<20}" + "".join(f"  {cell:>{width}}" for cell, width in pairs)


def _model(name: str, memory: NDArray[Any], args: argparse.Namespace, screen: Screen) -> Row:
    """Initialise, hash, measure and time one model in `memory`; return its rows and verdict."""
    groups: dict[str, list[Tensor]] = {}
    key, used = wi.key(0), 0
    for parameter, shape, spec in _models.MODELS[name]():
        values = memory[used : used + math.prod(shape)].reshape(shape)
        used += values.size
        where = {"out": values, "rng": key, "stream": parameter, "threads": args.threads}
        call = partial(getattr(wi, spec.function), **where, **spec.options)
        groups.setdefault(spec.group, []).append((values, spec, call))

    screen.say("\n" + screen.paint(f"{_models.TITLES[name]}: {used:,} parameters", "1"))
    screen.progress("filling and hashing")
    for tensors in groups.values():
        _fill(tensors)
    # Tensors lie one after the other: this is the digest of their bytes in table order.
    digest = hashlib.sha256(memory[:used].astype("<f4", copy=False).data).hexdigest()
    # All before the timing, which leaves NumPy's values behind.
    deviations = {group: _deviation(tensors) for group, tensors in groups.items()}

    screen.say(_line(None))
    generator, rows, total = np.random.default_rng(0), [], np.zeros(1 if args.no_numpy else 2)
    # Constants, the small change of every model, go last (the sort is stable).
    for group, tensors in sorted(groups.items(), key=lambda item: item[1][0][1].law == "constant"):
        screen.progress(f"timing {group}")
        both = [partial(_fill, tensors), partial(_numpy_fill, tensors, generator)]
        times = _clock(both[: total.size])
        total += times
        rows.append(_row(group, tensors, times, deviations[group]))
        screen.say(_line(rows[-1]))
    if len(rows) > 1:
        everything = [tensor for tensors in groups.values() for tensor in tensors]
        screen.say(_line(_row("all", everything, total.tolist(), math.nan)))

    match = digest == (wanted := _models.SHA256[name])
    verdict = screen.paint(*(("as published", "32") if match else ("NOT as published", "1;31")))
    screen.say(f"  SHA-256 {digest}  {verdict} for stream version {_models.SHA256_STREAM_VERSION}")
    model = {"parameters": used, "sha256": digest, "expected": wanted, "match": match}
    return model | {"groups": rows}


def _run(args: argparse.Namespace) -> int:
    screen = Screen(quiet=args.json)
    names = ("version", "stream_version", "isa", "threads", "openmp")
    document: Row = {name: value for name, value in wi.info().items() if name in names}
    document |= {"groups": [], "models": {}, "threads": args.threads or document["threads"]}
    head = TITLE + ", {isa}, threads: {threads}"
    build = "" if document["openmp"] else " (built without OpenMP)"
    screen.say(screen.paint(head.format_map(document), "1") + build)
    screen.say(ABOUT if args.no_numpy else ABOUT + ABOUT_NUMPY)

    sizes = [sum(math.prod(row[1]) for row in rows()) for rows in _models.MODELS.values()]
    memory = np.empty(max(sizes), np.float32)  # one after the other in the same memory
    wrong = ""
    for name in _models.MODELS:
        document["models"][name] = model = _model(name, memory, args, screen)
        document["groups"] += [{"model": name, **row} for row in model.pop("groups")]
        if not model["match"]:
            wrong += f"{name}: wanted SHA-256 {model['expected']}, got {model['sha256']}\n"
    if args.json:
        print(json.dumps(document, indent=2, allow_nan=False))
    sys.stderr.write(wrong)
    return 1 if wrong else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m weightinit_fast",
        description="Initialise GPT-2 124M, ResNet-50 and a million-row embedding in 0.5 GB of "
        "memory, time it against NumPy, compare the bytes with the published SHA-256.",
        epilog="Exit status: 0 all digests as published, 1 one differs, 2 wrong usage.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to fill with")
    parser.add_argument("--no-numpy", action="store_true", help="do not time NumPy")
    parser.add_argument("--version", action="version", version=TITLE.format_map(wi.info()))
    args = parser.parse_args(argv)
    try:
        wi.zeros(0, threads=args.threads)
    except ValueError as error:
        parser.error(f"argument --threads: {error}")
    try:
        status = _run(args)
        sys.stdout.flush()  # here, so that a reader who left is noticed inside the try
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # ``| head`` has read enough; without this the interpreter complains while it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    return status


if __name__ == "__main__":
    sys.exit(main())
