"""The override of aten::normal_ and aten::uniform_ for CPU tensors, which is there during blocks.

All ways to draw end in these two operators: Tensor.normal_, torch.nn.init, torch.randn, and the
code of any model. Below them, autograd, version counters, dtype checks of the caller, vmap,
torch.compile and tracing have done their part already, and go on unchanged. (Two other levels were
tried. To replace the functions of torch.nn.init by name misses every module that has imported them
by name, such as nn.MultiheadAttention. A TorchFunctionMode slows down every operation, and does not
see what runs in C++.)

The override is that of the whole process. So it first asks whether the calling thread is in a
block, and calls torch's own kernel where it is not.
"""

from __future__ import annotations

import sys
import threading
import warnings
from math import inf
from sys import getrefcount
from typing import Any

import torch

from ... import _core
from ..shards import is_flattened, parts_of
from .block import FLOATS, Block, Probe, current
from .loops import replace, restore
from .origin import origin

__all__ = ["install", "uninstall"]

# Looked up once, since a layer of 16 units takes less time to draw than a few look-ups.
_NORMAL, _UNIFORM = _core.NORMAL, _core.UNIFORM

_OPERATORS = ("aten::normal_", "aten::uniform_")


class _Override:
    """What is there while the override is: one for the process."""

    #: torch's own kernels.
    normal: Any = None
    uniform: Any = None
    library: Any = None
    #: How many references a tensor has in our kernels if nothing else in Python refers to it, in a
    #: draw without a generator and in one with it. They are measured, because they differ between
    #: versions of Python and torch; without a GIL, the second is one more than the first.
    unowned: tuple[int, int] | None = None


#: Our own kernels, as torch wraps them. Another thread may be in one of them while the override is
#: removed, and torch would free what it runs.
_kept: list[Any] = []
_lock = threading.Lock()
_users = 0


# The kernels --------------------------------------------------------------------------------------


def _normal(
    keys: Any,
    self: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw as aten::normal_ does."""
    block = current.block
    if (
        block is not None
        and 0 <= std < inf
        and -inf < mean < inf
        and _drawn(block, self, getrefcount(self), _NORMAL, (mean, std), generator)
    ):
        return self
    drawn: torch.Tensor = _Override.normal.call_boxed(keys, self, mean, std, generator=generator)
    return drawn


def _uniform(
    keys: Any,
    self: torch.Tensor,
    low: float = 0.0,
    high: float = 1.0,
    *,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw as aten::uniform_ does."""
    block = current.block
    if (
        block is not None
        and -inf < low < high < inf
        and _drawn(block, self, getrefcount(self), _UNIFORM, (low, high), generator)
    ):
        return self
    drawn: torch.Tensor = _Override.uniform.call_boxed(keys, self, low, high, generator=generator)
    return drawn


def _drawn(
    block: Block | Probe,
    tensor: torch.Tensor,
    references: int,
    transform: int,
    params: tuple[float, ...],
    generator: torch.Generator | None,
) -> bool:
    """Draw an initialisation; return False, with nothing written, where torch must draw."""
    if isinstance(block, Probe):
        block.references = references
        return True  # nothing is drawn, so that torch's generator does not advance
    empty = not tensor.numel()
    if (
        tensor.dtype not in FLOATS
        or (empty and "torch.distributed.tensor" not in sys.modules)
        or (generator is not None and generator.device.type != "cpu")
    ):
        return False
    # It may be the empty shard of a DTensor, whose draw counts here as in the other processes.
    if type(tensor) is not torch.nn.Parameter:
        unowned = _Override.unowned[generator is not None]  # type: ignore[index]
        found = origin(tensor, references > unowned, block.callers)
        if not found.initialises:
            return False
        if found.dtensor is not None:
            return block.draw_parts(found.dtensor, transform, params, generator)
    if empty:
        return False
    if "torch.distributed.fsdp" in sys.modules and is_flattened(tensor):
        parts_of(tensor)  # refuses it
    return block.draw(tensor, transform, params, generator, in_kernel=True)


# There and gone -----------------------------------------------------------------------------------


def install() -> None:
    """Put the override there, unless it is there already."""
    global _users  # noqa: PLW0603
    with _lock:
        if not _users:
            _put()
        _users += 1


def uninstall() -> None:
    """Take the override away, when the last block of all threads ends."""
    global _users  # noqa: PLW0603
    with _lock:
        _users -= 1
        if not _users:
            _take()


def after_fork_in_child() -> None:
    """Forget the blocks of the parent's other threads, which are not in the child."""
    global _lock, _users  # noqa: PLW0603
    _lock = threading.Lock()
    _users = len(current.blocks)
    if not _users and _Override.library is not None:
        _take()


def _put() -> None:
    _Override.normal = torch.library.get_kernel("aten::normal_", "CPU")
    _Override.uniform = torch.library.get_kernel("aten::uniform_", "CPU")
    library: Any = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call, unused-ignore]
    with warnings.catch_warnings():
        # torch warns once in a process that a kernel of its own is overridden.
        warnings.filterwarnings("ignore", "Warning only once for all operators", UserWarning)
        library.impl("normal_", _normal, "CPU", with_keyset=True)
        library.impl("uniform_", _uniform, "CPU", with_keyset=True)
    if not _kept:
        _kept.extend(torch.library.get_kernel(name, "CPU") for name in _OPERATORS)
    _Override.library = library
    replace()
    if _Override.unowned is None:
        generator = torch.Generator()
        _Override.unowned = _references_of_new_tensor(None), _references_of_new_tensor(generator)


def _take() -> None:
    restore()
    library = _Override.library
    _Override.library = None
    if library is not None:
        library._destroy()


def _references_of_new_tensor(generator: torch.Generator | None) -> int:
    """Return how many references our kernels see to a tensor that torch.randn is making.

    Returns 0, by which every draw is taken for one in place, where this version of Python or torch
    does not let the two be told apart.
    """
    probe = Probe()
    outer, current.block = current.block, probe
    try:
        torch.randn(1, generator=generator, device="cpu", dtype=torch.float32)
        new = probe.references
        torch.empty(1, device="cpu", dtype=torch.float32).normal_(generator=generator)
        held = probe.references
    finally:
        current.block = outer
    return new if new < held else 0
