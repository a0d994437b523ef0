"""The same small calls by two installations of weightinit_fast, interleaved in one run."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, NamedTuple

from ..report import results
from . import machine

WORKER = Path(__file__).parent.parent / "workers/call_worker.py"
BATCH_SECONDS = 0.005  # short, so that on a busy machine some batches are not interrupted
WARM_CALLS, TRIAL_CALLS, FEWEST_CALLS = 20, 200, 10


class Timed(NamedTuple):
    """A call's seconds in each batch, by both installations; [] for one that lacks the call."""

    name: str
    before: list[float]
    after: list[float]


class Installation:
    """A process of an interpreter, which times calls of the weightinit_fast installed there.

    Neither the PYTHON variables of the environment nor the current folder change what the process
    imports.
    """

    def __init__(self, python: str) -> None:
        self._python = python
        self._folder = tempfile.TemporaryDirectory()
        try:
            self._process = subprocess.Popen(
                [os.path.abspath(python), "-I", str(WORKER)],
                cwd=self._folder.name,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise SystemExit(f"{python} cannot be started: {error}") from None
        self.facts: dict[str, Any] = json.loads(self._answer())

    def __enter__(self) -> "Installation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # closes the input of the process, which ends it
        self._folder.cleanup()

    def seconds(self, name: str, count: int) -> float:
        """Return the seconds of one call, from a batch of that many."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, count]) + "\n")
        self._process.stdin.flush()
        return float(self._answer()) / count

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._python} ended without an answer")
        return line


def measure(installations: tuple[Installation, Installation], repeats: int) -> list[Timed]:
    """Return the times of every call that either knows; batches are interleaved and shuffled."""
    names = list(dict.fromkeys(n for i in installations[::-1] for n in i.facts["calls"]))
    sides = [(n, k) for n in names for k in (0, 1) if n in installations[k].facts["calls"]]
    samples: dict[tuple[str, int], list[float]] = {(n, k): [] for n in names for k in (0, 1)}
    counts = {}
    for name, k in sides:
        installations[k].seconds(name, WARM_CALLS)
        trial = installations[k].seconds(name, TRIAL_CALLS)
        counts[name, k] = max(FEWEST_CALLS, int(BATCH_SECONDS / trial))
    shuffle = random.Random(0).shuffle
    for _ in range(repeats):
        shuffle(sides)
        for name, k in sides:
            samples[name, k].append(installations[k].seconds(name, counts[name, k]))
    return [Timed(name, samples[name, 0], samples[name, 1]) for name in names]


def about(facts: dict[str, Any]) -> str:
    """Return a line about an installation."""
    own = facts["weightinit_fast"]
    torch = f", torch {facts['torch']}" if facts["torch"] else ""
    return (
        f"weightinit_fast {own['version']} ({own['compiler']}, {own['isa']}, {facts['install']}), "
        f"Python {facts['python']}, NumPy {facts['numpy']}{torch}"
    )


def table(timed: list[Timed]) -> str:
    """Return nanoseconds by call: best and median of both installations, and their ratios."""
    width = max(len(call.name) for call in timed)
    lines = [
        f"{'':{width}}  {'before':>8} {'':>8}  {'after':>8} {'':>8}  after/before",
        "  ".join(["".ljust(width), *[f"{'best':>8} {'median':>8}"] * 2, " best  median"]),
    ]
    for call in timed:
        cells = [f"{call.name:{width}}"]
        for seconds in (call.before, call.after):
            shown = [f"{1e9 * of(seconds):.0f}" if seconds else "-" for of in (min, median)]
            cells.append(" ".join(f"{cell:>8}" for cell in shown))
        both = call.before and call.after
        ratios = [of(call.after) / of(call.before) if both else None for of in (min, median)]
        shown = ["-" if ratio is None else f"{ratio:.3f}" for ratio in ratios]
        cells.append(f"{shown[0]:>5} {shown[1]:>7}")
        lines.append("  ".join(cells))
    return "\n".join(lines)


def compare(python: str, repeats: int, target: Path | None) -> int:
    """Measure this installation and another, and report."""
    here = machine.describe()
    with Installation(python) as before, Installation(sys.executable) as after:
        timed = measure((before, after), repeats)
    print(machine.processor(here["cpu"]))
    print(f"before: {about(before.facts)}")
    print(f"after:  {about(after.facts)}, commit {here['commit'] or 'unknown'}")
    print(f"nanoseconds a call, {repeats} batches of {1e3 * BATCH_SECONDS:.0f} ms, interleaved\n")
    print(table(timed))
    if target:
        document = {
            "machine": here,
            "before": before.facts,
            "after": after.facts,
            "seconds": {call.name: call._asdict() for call in timed},
        }
        results.save(target, document)
    return 0
