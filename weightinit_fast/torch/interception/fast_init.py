"""fast_init: the context manager in which models initialise at the speed of memory."""

from __future__ import annotations

import os
import sys
from contextlib import ContextDecorator
from types import FrameType, TracebackType

import torch

from ..._resolve.keys import RNGLike, key
from ..._resolve.numbers import integer
from ..._resolve.threads import thread_count
from . import core
from .block import Block, current
from .names import Names

__all__ = ["fast_init"]

if hasattr(os, "register_at_fork"):

    def _after_fork_in_child() -> None:
        # What the child draws is data more often than weights: the workers of a DataLoader, which
        # would all draw the same.
        current.block = None
        core.after_fork_in_child()

    os.register_at_fork(after_in_child=_after_fork_in_child)


def _callers(frame: FrameType | None) -> frozenset[FrameType]:
    """Return the frames that run when a block begins: that of the ``with`` and its callers.

    If a function of contextlib enters the block, as ExitStack and contextmanager do, the innermost
    ones have ended by the time of a draw. So one frame would not do to tell where a block begins.
    """
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frozenset(frames)


class fast_init(ContextDecorator):  # noqa: N801  used as a function
    """Let all code in a ``with`` block that builds or resets a model draw through this package.

    The code stays as it is: the constructors of modules, ``reset_parameters``, torch.nn.init, the
    models of transformers, timm, torchvision and diffusers, and ``normal_`` and ``uniform_`` of
    tensors.

    Parameters
    ----------
    rng
        What `weightinit_fast.key` takes. None, the default, draws the key of the block from torch's
        default generator when the block begins, so that ``torch.manual_seed`` before the block
        makes it reproducible.
    model : torch.nn.Module, optional
        A model that is there already, and is reset in the block. Its parameters and buffers are
        drawn by their qualified names. Without it, and for other tensors, the number of the draw
        in the block is the stream: 0, 1, 2 and so on.
    threads : int, optional
        As in `normal`.

    Raises
    ------
    TypeError, ValueError
        Where `weightinit_fast.key` raises, and if model is no module.

    See Also
    --------
    weightinit_fast.torch.initialize : draws by names where the code of the model does not matter.

    Notes
    -----
    *What is drawn.* Normal, uniform and truncated normal draws of float32, float64, float16 and
    bfloat16 in CPU memory, by torch.nn.init or in place, also where torch reaches them through
    views, ``.data`` or ``out=``. Draws into a ``torch.nn.Parameter`` and by torch.nn.init count
    wherever they are, others in place unless a forward pass runs. ``orthogonal_`` and ``sparse_``
    draw their normals here and compute the rest as ever, and ``sparse_`` takes its permutations
    from torch's generator. Constants, ``eye_`` and ``dirac_`` have nothing to draw.

    *What is left alone.* Other draws in a forward pass, and draws that make a new tensor
    (``torch.randn``, ``torch.rand``, ``torch.normal``) unless a module is being made or reset
    meanwhile, as in ``nn.Parameter(torch.randn(n))`` of a constructor; dropout, all other
    distributions, and the samples of torch.distributions; integers; complex numbers; tensors on the
    meta device and on other devices; FakeTensors; what functions that torch.compile compiles, and
    scripted functions, draw into tensors of their own.

    *Values.* A tensor with a name has the values of the same call of this package:
    ``torch.nn.init.normal_(p, std=0.02)`` those of ``normal(p.shape, std=0.02, rng=rng,
    stream=name)``. A slice of it has the values that the whole has there, if the whole is
    contiguous. What is drawn twice, by the constructor and then by the model, has the values of the
    second draw.

    *torch's generators.* ``rng=None`` draws 128 bits from the default generator when the block
    begins. After that, nothing that is drawn here advances it; what is left alone advances it as
    ever. ``torch.manual_seed`` in the block changes only what is left alone. A draw with a
    ``generator=`` of its own takes its key from that generator, which advances by 128 bits, and its
    stream is the name of the tensor or 0.

    *Blocks.* They may be nested: the innermost one draws, by its own key, and the outer one goes on
    afterwards with its next number. One object may be used many times, also in itself, and as a
    decorator. A block is that of one thread. In the other threads, and in processes that are forked
    in the block, torch draws as ever. (All tasks of asyncio are in one thread: do not await
    anything in a block.) While there is a block in any thread, two operators of torch are
    overridden, and ``kaiming_uniform_`` and a few private functions of torch.nn.init, timm and
    diffusers are replaced, which call the original ones outside of the blocks. At the end of the
    last block, also by an exception, all is as it was. To begin and to end a block takes 50 us.

    *DTensors.* Each process draws the part that it holds, with the values that one process would
    draw there. Flat parameters of FullyShardedDataParallel are refused: initialise them before they
    are flattened, or by `weightinit_fast.torch.initialize`.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> with wi.torch.fast_init(rng=0):
    ...     layer = torch.nn.Linear(400, 1000)
    >>> round(float(layer.weight.detach().abs().max()), 5)  # 1/sqrt(400)
    0.05
    >>> with wi.torch.fast_init(rng=0, model=layer):
    ...     layer.reset_parameters()
    >>> same = wi.uniform((1000, 400), low=-0.05, high=0.05, rng=0, stream="weight")
    >>> bool((layer.weight.detach().numpy() == same).all())
    True
    """

    def __init__(
        self,
        rng: RNGLike = None,
        model: torch.nn.Module | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        if callable(rng):
            if isinstance(rng, torch.nn.Module):
                raise TypeError("rng must not be a module: pass it as fast_init(model=module)")
            raise TypeError(
                "rng must not be callable: as a decorator write @fast_init(), with its brackets"
            )
        if model is not None and not isinstance(model, torch.nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
        if threads is not None:
            threads = integer(threads, "threads")
            thread_count(threads, 0)  # refuses wrong values
        self._rng = rng
        self._model = model
        self._threads = threads

    def __enter__(self) -> None:
        found = key(torch.default_generator if self._rng is None else self._rng)
        names = None if self._model is None else Names(self._model)
        block = Block(found, names, self._threads, self, _callers(sys._getframe(1)))
        core.install()
        current.blocks.append(block)
        current.block = block

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        blocks = current.blocks
        for at in range(len(blocks) - 1, -1, -1):
            if blocks[at].owner is self:
                del blocks[at]
                break
        else:
            raise RuntimeError("fast_init must end in the thread in which it began")
        current.block = blocks[-1] if blocks else None
        core.uninstall()
