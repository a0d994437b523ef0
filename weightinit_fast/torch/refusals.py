"""Which tensors the engine fills, and why others are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .. import _core
from .._resolve.dtypes import Kind, kind_named
from .._resolve.memory import check_strides
from .._resolve.messages import shown

__all__ = ["KINDS", "PLAIN", "check", "dispatch_modes", "overrides_functions", "problem_of"]

#: The types that the engine fills. torch has other float types, which older versions lack.
KINDS: dict[torch.dtype, Kind] = {
    getattr(torch, name): kind_named(name) for name in _core.DTYPES if hasattr(torch, name)
}
#: Tensors of these classes are plain memory. (A torch.nn.Buffer is a Tensor with an attribute.)
PLAIN = (torch.Tensor, torch.nn.Parameter)
#: How many TorchDispatchModes are active.
dispatch_modes: Callable[[], int] = torch._C._len_torch_dispatch_stack


def check(tensor: Any) -> None:
    """Refuse whatever is no plain tensor of a type that is filled, and say what to do instead.

    Raises
    ------
    TypeError
        If the tensor is of a type, a layout or a class that has no memory to fill.
    ValueError
        If the memory is there, but must not or cannot be written as it is.
    """
    problem = problem_of(tensor)
    if problem is not None:
        kind, text = problem
        raise kind(f"{_described(tensor)} {text}")


def problem_of(tensor: Any) -> tuple[type[Exception], str] | None:
    """Return why a tensor cannot be filled, as an exception's class and the end of a sentence."""
    if not isinstance(tensor, torch.Tensor):
        return TypeError, "is no torch.Tensor: fill an array with the functions of weightinit_fast"
    if torch.compiler.is_compiling():
        return TypeError, (
            "cannot be filled while torch.compile or torch.export traces: initialise outside of "
            "the traced function"
        )
    if dispatch_modes():
        return TypeError, (
            "cannot be filled while a TorchDispatchMode is active, such as FakeTensorMode, which "
            "would not see it: leave the mode first"
        )
    return _problem_of_class(tensor) or _problem_of_type(tensor) or _problem_of_memory(tensor)


def _problem_of_class(tensor: torch.Tensor) -> tuple[type[Exception], str] | None:
    """Return why tensors of this class, or wrapped in this way, have no memory to fill."""
    if torch.nn.parameter.is_lazy(tensor):
        return ValueError, (
            "has no shape yet: run its lazy module once, or call materialize() of the parameter"
        )
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return TypeError, (
            "is wrapped by a transform of torch.func, such as vmap or grad: initialise outside of "
            "the transform"
        )
    kind = type(tensor)
    if kind not in PLAIN and (
        overrides_functions(kind)
        or kind.__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl
    ):
        return TypeError, _problem_of_subclass(kind)
    return None


def overrides_functions(kind: type) -> bool:
    """Whether a class of tensors says itself what torch's functions do to it."""
    function = kind.__torch_function__  # type: ignore[attr-defined, unused-ignore]
    inherited = torch.Tensor.__torch_function__.__func__  # type: ignore[attr-defined, unused-ignore]
    return (
        function is not torch._C._disabled_torch_function_impl
        and getattr(function, "__func__", None) is not inherited
    )


def _problem_of_subclass(kind: type) -> str:
    """Return why a subclass that defines what operations do to it is not filled."""
    name = kind.__name__
    if name == "DTensor":
        return (
            "is a DTensor, each process of which holds a part: fill the parts that "
            "weightinit_fast.torch.shards.parts_of returns"
        )
    if name == "FakeTensor":
        return "is a FakeTensor, which has no memory: leave FakeTensorMode first"
    if name == "NestedTensor":
        return "is a nested tensor: fill its values()"
    return (
        f"is of the subclass {kind.__module__}.{kind.__qualname__}, which defines what operations "
        "do to it: fill the plain tensors that it is made of, or fill it before it is wrapped"
    )


def _problem_of_type(tensor: torch.Tensor) -> tuple[type[Exception], str] | None:
    """Return why a layout or a type of elements is not filled."""
    if tensor.is_nested:
        return TypeError, "is a nested tensor: fill the tensors that its unbind() returns"
    if tensor.layout is not torch.strided:
        hint = (
            "fill a dense tensor, and call its to_mkldnn()"
            if tensor.layout is torch._mkldnn  # type: ignore[attr-defined, unused-ignore]
            else "fill its values, or a dense tensor that is made sparse afterwards"
        )
        return TypeError, f"has the layout {tensor.layout}: {hint}"
    if tensor.is_quantized:
        return TypeError, "is quantised: fill a float32 tensor, and quantise that"
    if tensor.dtype not in KINDS:
        if tensor.is_complex():
            hint = "fill torch.view_as_real(tensor), whose numbers are the real and imaginary parts"
        else:
            hint = "fill a float32 tensor, and convert that"
        return TypeError, (
            f"has the type {tensor.dtype}, and the types that are filled are "
            f"{', '.join(str(dtype) for dtype in KINDS)}: {hint}"
        )
    return None


def _problem_of_memory(tensor: torch.Tensor) -> tuple[type[Exception], str] | None:
    """Return why the memory of a tensor of a right type must not or cannot be written."""
    if tensor.is_neg() or tensor.is_conj():
        which, call = ("negative", "neg") if tensor.is_neg() else ("conjugate", "conj")
        return ValueError, (
            f"has torch's {which} bit, so that its memory does not hold its values: fill "
            f"tensor.resolve_{call}(), and copy that back"
        )
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        return ValueError, (
            "was made in InferenceMode, and torch allows no change of it outside: fill it within "
            "torch.inference_mode(), or fill its clone()"
        )
    return None if tensor.is_meta or tensor.numel() == 0 else _problem_of_storage(tensor)


def _problem_of_storage(tensor: torch.Tensor) -> tuple[type[Exception], str] | None:
    """Return why there is no memory for the elements, or not for each its own."""
    if tensor._is_zerotensor():
        return ValueError, "is one of torch's zero tensors, without memory: fill its clone()"
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    last = tensor.storage_offset() + sum((n - 1) * step for n, step in steps)
    if tensor.untyped_storage().nbytes() < (last + 1) * tensor.element_size():
        return ValueError, (
            "has no memory for all its elements, because its storage was freed or resized (as FSDP "
            "frees the whole parameters between uses): fill the shards, or fill it where it is "
            "gathered"
        )
    if not tensor.is_contiguous():
        try:
            check_strides(tuple(tensor.shape), tensor.stride(), 1, "it")
        except ValueError as error:
            return ValueError, f"cannot be filled, since {error}: fill its clone()"
    return None


def _described(tensor: Any) -> str:
    """Return the subject of a message."""
    if not isinstance(tensor, torch.Tensor):
        return shown(tensor)
    try:
        return f"the tensor of shape {shown(tuple(tensor.shape))}"
    except RuntimeError:  # nested tensors and uninitialised parameters have no shape
        return f"the {type(tensor).__name__}"
