"""Which tensors the drop-ins fill themselves, and which they leave to torch's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function_variadic

from ..._core import fill_tensor
from ..._resolve.keys import RNGLike
from ..._resolve.numbers import integer
from ..._resolve.threads import thread_count
from ...initialisers.initializer import Initializer, rule_of
from ...initialisers.rules import ElementwiseRule
from ..interception.block import Block, current
from ..refusals import check, overrides_functions, problem_of
from ..shards import is_flattened, parts_of
from ..tensors import Piece, fill, increment_versions, target_of

__all__ = ["KEPT", "REFUSALS", "THEIRS", "draw", "otherwise"]

#: Name -> torch's own function. They are read once, so that a program may put the drop-ins into
#: torch.nn.init.
THEIRS: dict[str, Callable[..., torch.Tensor]] = {
    name: getattr(torch.nn.init, name) for name in dir(torch.nn.init) if name.endswith("_")
}

_default_generator = torch.default_generator

#: What the drop-ins raise for an argument or a tensor that they leave to torch.
REFUSALS = (TypeError, ValueError, OverflowError, BufferError)

#: Arguments that torch's functions lack -> their defaults.
_DEFAULTS = {"layout": None, "groups": 1, "transposed": False}

#: How many results of a function of the arguments are kept. A small fill takes about as long as
#: reading its arguments, and a model repeats them from layer to layer.
KEPT = 1024


def draw(
    tensor: torch.Tensor,
    transform: int,
    params: tuple[float, ...],
    generator: torch.Generator | None,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> bool:
    """Fill a plain tensor by one draw of the engine; return whether that has been done."""
    if rng is None and generator is None:
        if current.block is not None:
            return False
        rng = _default_generator
    else:
        rng = rng_of(generator, rng)
        if is_flattened(tensor):
            return False
    return fill_tensor(tensor, transform, params, rng, stream, threads)


def rng_of(generator: torch.Generator | None, rng: RNGLike) -> RNGLike:
    """Return what a call draws its key from."""
    if rng is None:
        if generator is None:
            return _default_generator
        if isinstance(generator, torch.Generator):
            return generator
        raise TypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
    if generator is None:
        return rng
    raise TypeError("pass either generator= or rng=, not both")


def otherwise(
    ours: Callable[..., torch.Tensor],
    tensor: torch.Tensor,
    arguments: dict[str, Any],
    make: Callable[[], Initializer],
    threads: int | None,
    rng: RNGLike = None,
    stream: int | str = 0,
    **axes: Any,
) -> torch.Tensor:
    """Fill a tensor that `draw` does not take, or let torch's own function do so.

    ``arguments`` are those that torch's function has besides the tensor, ``axes`` are others that
    it does not have, and ``make`` returns the initialiser that they stand for.
    """
    theirs = THEIRS[ours.__name__]
    if threads is not None:
        thread_count(integer(threads, "threads"), 0)  # refuses what torch's function would not see
    added = {name: value for name, value in axes.items() if value != _DEFAULTS[name]}
    if rng is not None or stream != 0:
        added |= {"rng": rng, "stream": stream}
    is_tensor = isinstance(tensor, torch.Tensor)
    if is_tensor and has_torch_function_variadic(tensor):
        return _overridden(ours, tensor, arguments, added, threads)
    if current.block is not None and rng is None and arguments.get("generator") is None:
        return _in_block(theirs, tensor, arguments, make, added)
    pieces = parts_of(tensor) if is_tensor else [tensor]
    sharded = len(pieces) != 1 or pieces[0] is not tensor
    if not sharded:
        if not added and (problem_of(tensor) or tensor.is_meta or not tensor.numel()):
            return theirs(tensor, **arguments)
        check(tensor)
    try:
        init = make()
        draw_from = rng_of(arguments.get("generator"), rng)
        _write(tensor, init, pieces, sharded, draw_from, stream, threads)
    except REFUSALS:  # nothing has been written
        if added or sharded:
            raise
        return theirs(tensor, **arguments)
    return tensor


def _write(
    tensor: torch.Tensor,
    init: Initializer,
    pieces: Sequence[Piece],
    sharded: bool,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> None:
    """Fill the pieces of a tensor, and tell autograd of the write, also after Ctrl-C."""
    told = not (sharded or tensor.is_cpu)  # `fill` tells autograd of its pieces
    try:
        if sharded or told:
            fill([(init, piece, stream) for piece in pieces], rng, threads)
        else:
            rule_of(init).fill(target_of(tensor), rng, stream, threads)
    except REFUSALS:
        raise
    except BaseException:
        if not told:
            increment_versions([tensor])
        raise
    if not told:
        increment_versions([tensor])


def _overridden(
    ours: Callable[..., torch.Tensor],
    tensor: torch.Tensor,
    arguments: dict[str, Any],
    added: dict[str, Any],
    threads: int | None,
) -> torch.Tensor:
    """Fill a tensor whose class, or a mode, says what functions of torch do."""
    if overrides_functions(type(tensor)):
        if added:
            check(tensor)  # refuses it
        return THEIRS[ours.__name__](tensor, **arguments)
    # Either a mode is active, such as torch.device("meta"), or the class inherits from
    # torch.Tensor: to call the function as if there were no class, and to convert its result.
    if threads is not None:
        added["threads"] = threads
    filled: torch.Tensor = handle_torch_function(
        ours, (tensor,), tensor=tensor, **arguments, **added
    )
    return filled


def _in_block(
    theirs: Callable[..., torch.Tensor],
    tensor: torch.Tensor,
    arguments: dict[str, Any],
    make: Callable[[], Initializer],
    added: dict[str, Any],
) -> torch.Tensor:
    """Fill a tensor in a block of fast_init, whose key and stream it gets."""
    if not added:
        return theirs(tensor, **arguments)
    if "stream" in added:
        raise TypeError("stream= needs rng= or generator= in a block of fast_init, which has names")
    check(tensor)
    rule = rule_of(make())
    block = current.block
    if not (isinstance(rule, ElementwiseRule) and isinstance(block, Block) and tensor.is_cpu):
        raise TypeError(f"{', '.join(added)} needs rng= or generator= in a block of fast_init")
    transform, params = rule.parameters(tuple(tensor.shape))
    rule.check(target_of(tensor))
    if not block.draw(tensor, transform, params, None, in_kernel=False):
        raise RuntimeError("fast_init has refused a draw of weightinit_fast.torch.init")
    return tensor
