"""The only file of the tests that reaches what the package does not publish.

Tests, proofs and the fuzz target reach private modules of the package, and private constants of the
engine, through this file alone. When the package is rearranged, only this file has to follow.

Nothing is imported before it is asked for: ``python tests/golden.py --dump`` and the proofs of the
C engine work without an installed package.
"""

import contextlib
import importlib
import math
import re

from . import ROOT

#: Name in the tests -> module of the package. ``from support.internals import core`` imports it.
MODULES = {
    "core": "weightinit_fast._core",
    "threads": "weightinit_fast._resolve.threads",
    "models": "weightinit_fast.models.builtin",
    "arithmetic": "weightinit_fast.models.arithmetic",
    "recipe": "weightinit_fast.models.recipe",
    "recipe_like": "weightinit_fast.models.recipe_like",
    "shapes": "weightinit_fast.models.shapes",
    "layout": "weightinit_fast.models.files.layout",
    "safetensors_layout": "weightinit_fast.models.files.layout.safetensors",
    "file_names": "weightinit_fast.models.files.layout.names",
    "zarr_layout": "weightinit_fast.models.files.layout.zarr",
    "contents": "weightinit_fast.models.files.contents",
    "saving": "weightinit_fast.models.files.save",
    "staging": "weightinit_fast.models.files.staging",
    "publishing": "weightinit_fast.models.files.publishing",
    "shares": "weightinit_fast.models.files.shares",
    "space": "weightinit_fast.models.files.space",
    "writer": "weightinit_fast.models.files.writer",
    "workers": "weightinit_fast.models.files.workers",
    "verification": "weightinit_fast.models.files.verify",
    "comparison": "weightinit_fast.models.files.compare",
    "readers": "weightinit_fast.models.readers",
    "reader_elements": "weightinit_fast.models.readers.elements",
    "filling": "weightinit_fast.models.filling",
    "inspect": "weightinit_fast.models.inspect",
    "inspect_rows": "weightinit_fast.models.inspect.rows",
    "inspect_html": "weightinit_fast.models.inspect.html",
    "inspect_pictures": "weightinit_fast.models.inspect.pictures",
    "digests": "weightinit_fast.cli.digests",
    "init_command": "weightinit_fast.cli.init",
    "command": "weightinit_fast.cli",
    "benchmark": "weightinit_fast.cli.benchmark",
    "info_command": "weightinit_fast.cli.info",
    "screen": "weightinit_fast._screen",
    "orthogonal": "weightinit_fast.initialisers.orthogonal",
    "sparse": "weightinit_fast.initialisers.sparse",
    "ranges": "weightinit_fast.initialisers.ranges",
    "dtypes": "weightinit_fast._resolve.dtypes",
    "target": "weightinit_fast._resolve.target",
}

#: From src/engine/host/plan.h: the largest direct task (WIF_LONG_TASK_BYTES) in float32 elements,
#: the bytes of a tile (WIF_TILE_BYTES), and the least bytes of a tile's column where memory runs
#: along the columns and there are enough rows (WIF_TILE_RUN).
TASK, TILE, TILE_RUN = 2**18, 2**15, 2**10
#: Constant of src/engine/host/params.h: a uniform fill of at least this many elements clamps words.
CLAMPED_WORDS_FROM = 2**14
#: `eager` lets threads share fills of at least this many elements.
EAGER_ITEMS = 2**12
#: The same as `eager` for a script that runs in an interpreter of its own.
EAGER_SCRIPT = f"""
import {MODULES["threads"]} as threads_module
threads_module.PARALLEL_ITEMS = {EAGER_ITEMS}
from {MODULES["core"].rpartition(".")[0]} import _core as core_module
core_module.chunks_per_wake(1)
"""


def __getattr__(name):
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(MODULES[name])


def _module(name):
    return importlib.import_module(MODULES[name])


def own_parameters(function):
    """Return the names of an initialiser's own parameters."""
    return importlib.import_module("weightinit_fast.initialisers.public").own_parameters(function)


def initialisers():
    """Return name -> function of every initialiser."""
    return importlib.import_module("weightinit_fast.initialisers.public").INITIALISERS


# Threads -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def eager():
    """Let threads share fills of nearly any size, and wake them for it, even if that costs more."""
    threads = _module("threads")
    former, chunks = threads.PARALLEL_ITEMS, _module("core").chunks_per_wake(1)
    threads.PARALLEL_ITEMS = EAGER_ITEMS
    try:
        yield
    finally:
        threads.PARALLEL_ITEMS = former
        _module("core").chunks_per_wake(chunks)


def most_threads():
    """Return the greatest number of threads that a call may ask for."""
    return _module("threads")._MAX_THREADS


def cgroup_cpus(root, own):
    """Return how many CPUs the files of cgroups under `root` allow the cgroup that `own` names."""
    return _module("threads").cgroup_cpus(root, own)


def replace_quota(monkeypatch, cgroup_cpus, monotonic):
    """Replace the function that reads the CPU quota, and the clock that tells its age."""
    threads = _module("threads")
    monkeypatch.setattr(threads, "_read_quota", (-math.inf, 1))
    monkeypatch.setattr(threads, "cgroup_cpus", cgroup_cpus)
    monkeypatch.setattr(threads, "monotonic", monotonic)


def worker_stack():
    """Return the bytes of stack that a fill may use, and those that a worker has (threads.h)."""
    text = (ROOT / "src/engine/system/threads.h").read_text(encoding="utf-8")
    names = ("WIF_FILL_STACK_BYTES", "WIF_WORKER_STACK_BYTES")
    return [int(re.search(rf"{name} = (\d+) << 10", text)[1]) << 10 for name in names]


# The engine --------------------------------------------------------------------------------------


@contextlib.contextmanager
def instruction_set(name):
    """Fill with the kernels of one instruction set."""
    core = _module("core")
    former = core.isa()
    core.select_isa(name)
    try:
        yield
    finally:
        core.select_isa(former)


@contextlib.contextmanager
def streamed_from(size):
    """Let the stores of buffers of at least `size` bytes bypass the caches."""
    core = _module("core")
    former = core.nontemporal_from(size)
    try:
        yield
    finally:
        core.nontemporal_from(former)


def truncation_interval(lower, upper, word_bits):
    """Return the engine's parameters for the bounds of a truncated normal, in Python's integers.

    The package may not be installed: `python tests/golden.py --dump` works without it.
    """
    from oracles import oracle_interval  # noqa: PLC0415

    return oracle_interval.interval(lower, upper, word_bits)


# Steps within an initialiser ---------------------------------------------------------------------


def limit_words_of_sparse(monkeypatch, items):
    """Let `sparse` look at no more than this many words at a time."""
    monkeypatch.setattr(_module("sparse"), "_WORD_ITEMS", items)


def small_pieces(monkeypatch, piece_bytes, block_bytes):
    """Let `verify` compare pieces and write blocks of these sizes."""
    monkeypatch.setattr(_module("comparison"), "_PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(_module("comparison"), "_BLOCK_BYTES", block_bytes)


def keep_only_model(monkeypatch, name):
    """Leave the command only one of its models."""
    models = _module("models")
    monkeypatch.setattr(models, "SHA256", {name: models.SHA256[name]})
