"""Which tensors the drop-ins fill themselves, and which they leave to torch's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.graph import increment_version
from torch.overrides import handle_torch_function, has_torch_function_variadic

from ..._resolve.keys import RNGLike
from ..._resolve.target import Target
from ...initialisers.initializer import Initializer, rule_of
from ...initialisers.rules import Parameters
from ..shards import parts_of
from ..tensors import (
    PLAIN,
    check,
    fill,
    increment_versions,
    overrides_functions,
    plain_target,
    problem_of,
    target_of,
)

__all__ = ["KEPT", "REFUSALS", "draw", "fast_target", "otherwise"]

_default_generator = torch.default_generator
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_compiling = torch.compiler.is_compiling

#: What the drop-ins raise for an argument or a tensor that they leave to torch.
REFUSALS = (TypeError, ValueError, OverflowError, BufferError)

#: How many results of a function of the arguments are kept. A small fill takes about as long as
#: reading its arguments, and a model repeats them from layer to layer.
KEPT = 1024


def fast_target(tensor: Any) -> Target | None:
    """Return the Target of a tensor that is filled where it lies; None for every other tensor."""
    if (
        type(tensor) not in PLAIN
        or has_torch_function_variadic(tensor)
        or _dispatch_modes()
        or _is_compiling()
    ):
        return None
    return plain_target(tensor)


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


def draw(
    target: Target,
    tensor: torch.Tensor,
    parameters: Parameters,
    generator: torch.Generator | None,
    rng: RNGLike,
    stream: int | str,
    threads: int | None,
) -> torch.Tensor:
    """Fill a plain tensor by one draw of the engine; return the tensor."""
    transform, params = parameters
    target.write(transform, params, rng_of(generator, rng), stream, threads)
    increment_version(tensor)
    return tensor


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
    """Fill a tensor that `fast_target` does not take, or let torch's own function do so.

    ``arguments`` are those that torch's function has besides the tensor, ``axes`` are others that
    it does not have, and ``make`` returns the initialiser that they stand for.
    """
    theirs: Callable[..., torch.Tensor] = getattr(torch.nn.init, ours.__name__)
    added = {name: value for name, value in axes.items() if value not in (None, False, 1)}
    if rng is not None or stream != 0:
        added |= {"rng": rng, "stream": stream}
    is_tensor = isinstance(tensor, torch.Tensor)
    if is_tensor and has_torch_function_variadic(tensor) and not overrides_functions(type(tensor)):
        # Either a mode is active, such as torch.device("meta"), or the class inherits from
        # torch.Tensor: to call the function as if there were no class, and to convert its result.
        if threads is not None:
            added["threads"] = threads
        filled: torch.Tensor = handle_torch_function(
            ours, (tensor,), tensor=tensor, **arguments, **added
        )
        return filled
    pieces = parts_of(tensor) if is_tensor else [tensor]
    sharded = len(pieces) != 1 or pieces[0] is not tensor
    if not sharded:
        if not added and (problem_of(tensor) or tensor.is_meta or not tensor.numel()):
            return theirs(tensor, **arguments)
        check(tensor)
    try:
        init = make()
        draw_from = rng_of(arguments.get("generator"), rng)
        if sharded or not tensor.is_cpu:
            fill([(init, piece, stream) for piece in pieces], draw_from, threads)
        else:
            rule_of(init).fill(target_of(tensor), draw_from, stream, threads)
    except REFUSALS:
        if added or sharded:
            raise
        return theirs(tensor, **arguments)
    if sharded or tensor.is_cpu:
        increment_versions([tensor])
    return tensor
