"""Functions of torch and timm that are replaced by name while there are blocks.

Nearly all are private halves of functions: ``normal_`` of torch.nn.init calls ``_no_grad_normal_``
by its name in the module, whoever has imported ``normal_`` from there. So nobody else keeps one of
ours. A model may keep ``kaiming_uniform_``, which is public, as an attribute. So what replaces it
is equal to it and is pickled as it (`_KaimingUniform`). Outside of a block, each calls what it has
replaced. What somebody else has put in the place of one of them is left there.

They are replaced for two reasons.

- ``_no_grad_trunc_normal_`` draws again what lies outside of the bounds, until nothing does. It
  would be right with core.py alone, but takes several passes over memory. timm and diffusers have
  copies of it, or of what it was before torch 2.12.
- To go through torch's dispatcher takes longer than to draw the weights of a small layer. Plain
  tensors are drawn past it.

Whatever is no plain tensor goes through the original functions, and so through core.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from math import inf, sqrt
from types import FunctionType
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function_variadic

from ... import _core
from ..bounds import bounded, warn_of_far_mean
from ..tensors import increment_versions
from .block import FLOATS, Block, current

__all__ = ["replace", "restore"]

_NORMAL, _UNIFORM, _TRUNCATED = _core.NORMAL, _core.UNIFORM, _core.TRUNCATED
_PLAIN = frozenset((torch.Tensor, torch.nn.Parameter))
_NUMBERS = frozenset((float, int))
_ROOT_3 = sqrt(3.0)

# Looked up once, since a layer of 16 units takes less time to draw than a few look-ups.
_is_compiling = torch.compiler.is_compiling
_has_function_mode = torch._C._is_torch_function_mode_enabled
_dispatch_modes = torch._C._len_torch_dispatch_stack
_transforms = torch._C._functorch.peek_interpreter_stack
_trace = torch._C._get_tracing_state
_fill_tensor = _core.fill_tensor
_in_inference_mode = torch.is_inference_mode_enabled

_Function = Callable[..., torch.Tensor]


# The draw -----------------------------------------------------------------------------------------


def _drawn(  # noqa: PLR0911
    tensor: Any, transform: int, params: tuple[float, ...], generator: torch.Generator | None
) -> bool:
    """Draw, if the thread is in a block; return False, with nothing written, where it must not."""
    block = current.block
    if (
        type(block) is not Block
        or _transforms() is not None
        or _trace() is not None
        or _in_inference_mode()
    ):
        return False
    if type(tensor) in _PLAIN:
        if tensor.dtype not in FLOATS:
            return False
        if tensor.is_meta:
            return _nothing_drawn(tensor)
        if generator is None and block.names is None:
            # The shortest way, for the small layers of which a model may have thousands. What
            # fill_tensor does not take is tried below.
            try:
                if _fill_tensor(tensor, transform, params, block.key, block.count, block.threads):
                    block.count += 1
                    return True
            except ValueError:
                return False
        return (
            tensor.is_cpu
            and not (generator is not None and generator.device.type != "cpu")
            and block.draw(tensor, transform, params, generator, in_kernel=False)
        )
    if not _is_dtensor(tensor) or _has_function_mode() or _dispatch_modes():
        return False
    block.draw_parts(tensor, transform, params, generator)
    increment_versions([tensor])
    return True


def _nothing_drawn(tensor: torch.Tensor) -> bool:
    """Leave a tensor on the meta device as it is, which has no elements; count a write of it.

    torch's own kernel there is a decomposition in Python that takes 0.2 ms: building GPT-2 medium
    on the meta device took 76 to 121 ms with it, and 33 ms without. (An override of that kernel was
    tried. torch keeps a table of kernels in Python besides the dispatcher's, in which the last one
    that was registered stays for good, so that FakeTensorMode called it after the block.)
    """
    if _dispatch_modes():
        return False
    increment_versions([tensor])
    return True


def _is_dtensor(tensor: Any) -> bool:
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor) and tensor.dtype in FLOATS


# The functions ------------------------------------------------------------------------------------
#
# Each is made for the function that it replaces, and asks first whether torch.compile traces it,
# which then sees the original alone.


def _uniform(original: _Function) -> _Function:
    def _no_grad_uniform_(
        tensor: torch.Tensor, a: float, b: float, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        if (
            not _is_compiling()
            and type(a) in _NUMBERS
            and type(b) in _NUMBERS
            and -inf < a < b < inf
            and _drawn(tensor, _UNIFORM, (a, b), generator)
        ):
            return tensor
        return original(tensor, a, b, generator)

    return _no_grad_uniform_


def _normal(original: _Function) -> _Function:
    def _no_grad_normal_(
        tensor: torch.Tensor, mean: float, std: float, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        if (
            not _is_compiling()
            and type(mean) in _NUMBERS
            and type(std) in _NUMBERS
            and -inf < mean < inf
            and 0 <= std < inf
            and _drawn(tensor, _NORMAL, (mean, std), generator)
        ):
            return tensor
        return original(tensor, mean, std, generator)

    return _no_grad_normal_


def _truncated(original: _Function) -> _Function:
    # Without generator where the original has none, as in timm.
    def _no_grad_trunc_normal_(
        tensor: torch.Tensor,
        mean: float,
        std: float,
        a: float,
        b: float,
        *place: torch.Generator | None,
        **generator: torch.Generator | None,
    ) -> torch.Tensor:
        if not _is_compiling() and type(current.block) is Block:
            try:
                params = bounded(mean, std, a, b, tensor)
            except (AttributeError, TypeError, ValueError):
                return original(tensor, mean, std, a, b, *place, **generator)
            given = place[0] if place else generator.get("generator")
            if _drawn(tensor, _TRUNCATED, params, given):
                warn_of_far_mean(mean, std, a, b, 3)
                return tensor
        return original(tensor, mean, std, a, b, *place, **generator)

    return _no_grad_trunc_normal_


def _kaiming(original: _Function) -> _Function:
    @wraps(original)
    def kaiming_uniform_(
        tensor: torch.Tensor,
        a: float = 0,
        mode: Any = "fan_in",
        nonlinearity: Any = "leaky_relu",
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        if _is_compiling():
            return original(tensor, a, mode, nonlinearity, generator)
        if has_torch_function_variadic(tensor):
            # The original would hand over what its name in torch.nn.init stands for now, which is
            # this function, and those who override torch's functions look for the original.
            handed: torch.Tensor = handle_torch_function(
                original,
                (tensor,),
                tensor=tensor,
                a=a,
                mode=mode,
                nonlinearity=nonlinearity,
                generator=generator,
            )
            return handed
        if (
            mode == "fan_in"
            and nonlinearity == "leaky_relu"
            and type(a) in _NUMBERS
            and type(tensor) in _PLAIN
            and (elements := tensor.numel())
            and tensor.dim() > 1
        ):
            fan = elements // tensor.shape[0]
            # The bound as torch computes it, so that the bits are the same on every way to draw.
            bound = _ROOT_3 * (sqrt(2.0 / (1 + a**2)) / sqrt(fan))
            if _drawn(tensor, _UNIFORM, (-bound, bound), generator):
                return tensor
        return original(tensor, a, mode, nonlinearity, generator)

    # A model may keep this function, which is public in torch, and be pickled after the block.
    # pickle finds a function by its module and name, and asks whether what is there is the same.
    # (An object that passed for the original was tried: torch.compile takes functions alone.)
    kaiming_uniform_.__module__ = __name__
    kaiming_uniform_.__doc__ = None  # its examples are those of torch
    return kaiming_uniform_


# There and gone -----------------------------------------------------------------------------------

#: (module, name) -> function that makes what replaces it. Modules that are not imported are left
#: alone, and so are those that are imported while a block runs: core.py draws for these.
_REPLACED: dict[tuple[str, str], Callable[[_Function], _Function]] = {
    ("torch.nn.init", "_no_grad_uniform_"): _uniform,
    ("torch.nn.init", "_no_grad_normal_"): _normal,
    ("torch.nn.init", "_no_grad_trunc_normal_"): _truncated,
    ("torch.nn.init", "kaiming_uniform_"): _kaiming,
    ("timm.layers.weight_init", "_trunc_normal_"): _truncated,
    (
        "diffusers.pipelines.deprecated.unidiffuser.modeling_uvit",
        "_no_grad_trunc_normal_",
    ): _truncated,
}

#: What is replaced now: (module, name, original, ours).
_now: list[tuple[Any, str, _Function, _Function]] = []
#: Original -> ours, so that every block puts the same functions there.
_made: dict[_Function, _Function] = {}


def _ours(original: _Function, make: Callable[[_Function], _Function]) -> _Function:
    """Return the function that takes the place of an original one."""
    ours = _made.get(original)
    if ours is None:
        ours = _made[original] = make(original)
        # torch.jit.script compiles what this returns.
        setattr(ours, "__prepare_scriptable__", lambda: original)  # noqa: B010
    return ours


#: Ours for torch's, under the name by which pickles know it.
kaiming_uniform_: _Function = _ours(torch.nn.init.kaiming_uniform_, _kaiming)


def replace() -> None:
    """Put our functions in the place of the original ones."""
    for (module_name, name), make in _REPLACED.items():
        module = sys.modules.get(module_name)
        original = getattr(module, name, None)
        # It may be another function: that of a program which draws in its own way, or one that
        # draws nothing, as within no_init_weights() of transformers.
        if type(original) is not FunctionType or original.__globals__ is not vars(module):
            continue
        ours = _ours(original, make)
        setattr(module, name, ours)
        _now.append((module, name, original, ours))


def restore() -> None:
    """Put the original functions back, where nobody else has replaced ours meanwhile."""
    while _now:
        module, name, original, ours = _now.pop()
        if getattr(module, name, None) is ours:
            setattr(module, name, original)
