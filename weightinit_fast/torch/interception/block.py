"""The state of a block: its key, the streams of its draws, and the draw itself."""

from __future__ import annotations

import threading
from types import FrameType
from typing import Any

import torch

from ... import _core
from ..._resolve.keys import Key
from ...initialisers.initializer import Initializer, initializer
from ..refusals import problem_of
from ..shards import parts_of
from ..tensors import fill, increment_versions, target_of
from .names import Names

__all__ = ["FLOATS", "Block", "Probe", "current"]

#: The types that torch's own kernels draw. The engine draws float8 too, and torch refuses it.
FLOATS = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))

# Looked up once, since a layer of 16 units takes less time to draw than a few look-ups.
_fill_tensor = _core.fill_tensor


class Probe:
    """Takes the place of a block to see how many references to a tensor a kernel counts."""

    references = 0


class _Current(threading.local):
    """The blocks of each thread.

    ``block`` is the innermost one, by which the thread draws, and None outside of all blocks.
    """

    block: Block | Probe | None = None

    def __init__(self) -> None:
        self.blocks: list[Block] = []


current: _Current = _Current()


class Block:
    """What one ``with fast_init(...)`` knows.

    Attributes
    ----------
    key : Key
    count : int
        How many draws without a name there have been: the number of the next one is its stream.
    names : Names or None
        The names of the tensors of the model that the caller gave.
    threads : int or None
    owner : object
        The context manager, which ends the block.
    callers : frozenset of frames
        The frames that ran when the block began.
    """

    __slots__ = ("callers", "count", "key", "names", "owner", "threads")

    def __init__(
        self,
        key: Key,
        names: Names | None,
        threads: int | None,
        owner: object,
        callers: frozenset[FrameType],
    ) -> None:
        self.key: Key = key
        self.count: int = 0
        self.names: Names | None = names
        self.threads: int | None = threads
        self.owner: object = owner
        self.callers: frozenset[FrameType] = callers

    def draw(
        self,
        tensor: torch.Tensor,
        transform: int,
        params: tuple[float, ...],
        generator: torch.Generator | None,
        in_kernel: bool,
    ) -> bool:
        """Fill a tensor in CPU memory; return False, with nothing written, where torch must do it.

        The engine refuses a few parameters that torch takes, such as a mean beyond the range of the
        type. ``in_kernel`` says that torch calls, and tells autograd itself.
        """
        target = stream = None
        rng: Any = self.key
        try:
            if self.names is not None:
                target, stream = self.names.find(tensor)
            numbered = False
            if generator is not None:
                rng = generator
                if stream is None:
                    stream = 0
            elif stream is None:
                numbered, stream = True, self.count
            if target is not None or not _fill_tensor(
                tensor, transform, params, rng, stream, self.threads, in_kernel
            ):
                if not tensor.numel() or (not in_kernel and problem_of(tensor)):
                    return False
                if target is None:
                    target = target_of(tensor)
                target.write(transform, params, rng, stream, self.threads)
                if not in_kernel:
                    increment_versions([tensor])
        except ValueError:
            return False
        if numbered:
            self.count += 1
        return True

    def draw_parts(
        self,
        tensor: torch.Tensor,
        transform: int,
        params: tuple[float, ...],
        generator: torch.Generator | None,
    ) -> bool:
        """Fill what this process holds of a DTensor, with the values that the whole one has there.

        All processes must draw the same tensors in the same order, as they do in torch.

        Raises
        ------
        ValueError
            Where `parts_of` raises, or the engine refuses the parameters: torch's own draw would
            give the parts of all processes the same values.
        """
        named = None if self.names is None else self.names.stream_of(tensor)
        stream = named if named is not None else 0 if generator is not None else self.count
        init = _initializer(transform, params)
        rng: Any = self.key if generator is None else generator
        fill([(init, piece, stream) for piece in parts_of(tensor)], rng, self.threads)
        if named is None and generator is None:
            self.count += 1
        return True


def _initializer(transform: int, params: tuple[float, ...]) -> Initializer:
    """Return the initialiser that draws by a transform of the engine."""
    if transform == _core.NORMAL:
        return initializer("normal", mean=params[0], std=params[1])
    if transform == _core.UNIFORM:
        return initializer("uniform", low=params[0], high=params[1])
    mean, std, lower, upper = params
    return initializer("truncated_normal", mean=mean, std=std, lower=lower, upper=upper)
