"""Small calls from several threads at the same time, beside the same calls from one.

With --threads N, `python -m bench small-calls` counts the calls a second that N threads make
together, and those that one thread makes. With the GIL, no small call runs at the same time as
another: a fill of fewer than 4096 elements keeps the GIL, since to release it and to take it again
takes about as long as the fill. Without the GIL, N threads make up to N times as many calls.

Each thread fills an array of its own. Batches of one thread and of all take turns.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import weightinit_fast as wi

from ..cases.ours import LIBRARY
from ..report import results
from . import machine

SIZE = 16
BATCH_SECONDS = 0.05
WARM_CALLS, TRIAL_CALLS = 20, 2000
Call = Callable[[], object]

#: One for all threads.
KEY = wi.key(0)
INIT = wi.initializer("he_normal")


def _out() -> Any:
    return np.empty((4, SIZE // 4), np.float32)


def _own_key(number: int) -> Call:
    normal, out, key = wi.normal, _out(), wi.key(number)
    return lambda: normal(out=out, rng=key)


def _shared_key(_: int) -> Call:
    normal, out, key = wi.normal, _out(), KEY
    return lambda: normal(out=out, rng=key)


def _seed(number: int) -> Call:
    normal, out = wi.normal, _out()
    return lambda: normal(out=out, rng=number)


def _new_array(number: int) -> Call:
    normal, key = wi.normal, wi.key(number)
    return lambda: normal((4, SIZE // 4), rng=key)


def _he(number: int) -> Call:
    he_normal, out, key = wi.he_normal, _out(), wi.key(number)
    return lambda: he_normal(out=out, rng=key)


def _truncated(number: int) -> Call:
    truncated, out, key = wi.truncated_normal, _out(), wi.key(number)
    return lambda: truncated(out=out, rng=key)


def _shared_initializer(number: int) -> Call:
    init, out, key = INIT, _out(), wi.key(number)
    return lambda: init(out=out, rng=key)


def _numpy(number: int) -> Call:
    draw, out, single = np.random.default_rng(number).standard_normal, _out(), np.float32
    return lambda: draw(out=out, dtype=single)


#: (library, call) -> what makes the call of a thread.
CALLS: dict[tuple[str, str], Callable[[int], Call]] = {
    (LIBRARY, "normal(out=a), own Keys"): _own_key,
    (LIBRARY, "normal(out=a), one Key for all"): _shared_key,
    (LIBRARY, "normal(out=a), seeds"): _seed,
    (LIBRARY, "normal(shape), own Keys"): _new_array,
    (LIBRARY, "he_normal(out=a), own Keys"): _he,
    (LIBRARY, "truncated_normal(out=a), own Keys"): _truncated,
    (LIBRARY, "one initializer(he_normal) for all"): _shared_initializer,
    ("numpy", "Generators' standard_normal(out=a)"): _numpy,
}


def together(make: Callable[[int], Call], threads: int, count: int) -> float:
    """Return the seconds from the first call of so many threads to the last, of `count` each."""
    begin = threading.Barrier(threads)
    times = [(0.0, 0.0)] * threads

    def work(number: int) -> None:
        call, numbers = make(number), range(count)
        for _ in range(WARM_CALLS):
            call()
        begin.wait()
        started = time.perf_counter()
        for _ in numbers:
            call()
        times[number] = started, time.perf_counter()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def compare(threads: int, repeats: int, file: Path | None) -> int:
    """Measure and report."""
    facts = machine.describe()
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(machine.heading(facts, {}))
    print(f"thousand calls a second, {SIZE} float32, {'with' if gil else 'without'} the GIL")
    print(f"{'':48} {'1 thread':>9} {f'{threads} threads':>10}  ratio")
    counts = {
        name: max(100, int(BATCH_SECONDS * TRIAL_CALLS / together(make, 1, TRIAL_CALLS)))
        for name, make in CALLS.items()
    }
    samples: dict[tuple[str, str], dict[int, list[float]]] = {
        name: {1: [], threads: []} for name in CALLS
    }
    for _ in range(repeats):
        for name, make in CALLS.items():
            for number, seconds in samples[name].items():
                seconds.append(together(make, number, counts[name]) / (number * counts[name]))
    rows: list[results.Row] = []
    for (library, call), found in samples.items():
        one, all_ = median(found[1]), median(found[threads])
        ratio = median(a / b for a, b in zip(found[1], found[threads], strict=True))
        print(f"{f'{library} {call}':48} {1e-3 / one:>9.0f} {1e-3 / all_:>10.0f}  {ratio:>5.2f}")
        rows += [
            {
                "name": f"{library} {call} t{number}",
                "library": library,
                "variant": call,
                "what": f"small calls of {SIZE}",
                "dtype": "float32",
                "threads": number,
                "bytes": 4 * SIZE,
                "elements": SIZE,
                "seconds": seconds,
            }
            for number, seconds in found.items()
        ]
    if file:
        settings = {"threads": threads, "repeats": repeats, "gil": gil}
        results.save(file, machine.document(facts, "small-calls", settings, rows, {}))
    return 0
