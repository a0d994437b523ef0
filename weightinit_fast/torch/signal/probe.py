"""Probe: hooks that measure activations on their way forward, and gradients on their way back."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .rows import Row, moments_of

__all__ = ["Probe", "tensors_of"]

#: The functions whose values of 0 make a unit dead. Their modules call them.
_RELUS = {
    *(functional.relu, functional.relu6, torch.relu, torch.relu_),
    *(torch.Tensor.relu, torch.Tensor.relu_, functional.relu_),
}
_NORMS = (
    nn.modules.batchnorm._NormBase,  # also instance norms
    nn.GroupNorm,
)


class _Seen(NamedTuple):
    """A tensor that has a row already, as long as it is not changed in place."""

    tensor: weakref.ref[torch.Tensor]
    version: int
    row: Row


class Probe:
    """Measures the outputs of all modules within a block, in the order in which they are made.

    A tensor that a container returns as it came from its last module has one row. Modules that run
    several times have a row for each call.
    """

    def __init__(self, module: nn.Module) -> None:
        self.rows: list[Row] = []
        self.ran: set[nn.Module] = set()
        self._module = module
        self._names: dict[nn.Module, str] = {
            part: name or type(module).__name__ for name, part in module.named_modules()
        }
        self._calls: dict[str, int] = {}
        self._seen: dict[int, _Seen] = {}
        self._running: list[nn.Module] = []
        self._handles: list[Any] = []
        self._tensor_handles: list[Any] = []
        self._unit_axis = -1
        self._mode = _Relus(self._see_relu)

    def __enter__(self) -> Probe:
        for part in self._names:
            # A compiled script takes no hooks.
            if not isinstance(part, torch.jit.ScriptModule):
                self._handles.append(part.register_forward_pre_hook(self._before))
                self._handles.append(part.register_forward_hook(self._after))
        self._mode.__enter__()  # type: ignore[no-untyped-call, unused-ignore]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop measuring activations. The gradients are still measured, until `remove`."""
        self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call, unused-ignore]
        self._running.clear()
        self._seen.clear()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def see_input(self, tensor: torch.Tensor, name: str) -> None:
        """Measure a tensor of the sample."""
        self._record(tensor, name, "input", None)

    def remove(self) -> None:
        """Stop measuring gradients: a module may return a parameter, which outlives the graph."""
        for handle in self._tensor_handles:
            handle.remove()
        self._tensor_handles.clear()

    # Hooks ----------------------------------------------------------------------------------------

    def _before(self, part: nn.Module, _: Any) -> None:
        self._running.append(part)

    def _after(self, part: nn.Module, _: Any, output: Any) -> None:
        self._running.pop()
        self.ran.add(part)
        axis = _unit_axis(part)
        self._unit_axis = self._unit_axis if axis is None else axis
        name = self._names[part]
        for number, tensor in enumerate(tensors_of(output)):
            layer = f"{name}[{number}]" if number else name
            seen = self._seen_of(tensor)
            if seen is None:
                row = self._record(tensor, layer, type(part).__name__, part)
                row.output = number
                if isinstance(part, (nn.ReLU, nn.ReLU6)):
                    self._count_units(row, tensor)
            elif seen.row.layer.endswith("()") and not any(True for _ in part.children()):
                # The module of a function that has a row: the row gets the name of the module.
                self._uncount(seen.row)
                seen.row.layer, seen.row.kind = layer, type(part).__name__
                seen.row.call = self._count(layer)

    def _see_relu(self, name: str, tensor: torch.Tensor) -> None:
        if self._seen_of(tensor) is None:
            part = self._running[-1] if self._running else self._module
            row = self._record(tensor, f"{self._names[part]}.{name}()", name, None)
            self._count_units(row, tensor)

    # Rows -----------------------------------------------------------------------------------------

    def _seen_of(self, tensor: torch.Tensor) -> _Seen | None:
        seen = self._seen.get(id(tensor))
        if seen is None or seen.tensor() is not tensor or seen.version != _version(tensor):
            return None
        return seen

    def _count(self, layer: str) -> int:
        self._calls[layer] = self._calls.get(layer, 0) + 1
        return self._calls[layer]

    def _uncount(self, row: Row) -> None:
        self._calls[row.layer] -= 1

    def _record(self, tensor: torch.Tensor, layer: str, kind: str, part: nn.Module | None) -> Row:
        found = moments_of(tensor)
        row = Row(
            number=len(self.rows),
            layer=layer,
            kind=kind,
            call=self._count(layer),
            shape=tuple(tensor.shape),
            mean=found.mean,
            std=found.std,
            zeros=found.zeros / max(1, found.size),
            nan=found.nan,
            inf=found.inf,
            has_weights=part is not None and _has_weights(part),
            is_block=part is not None and any(True for _ in part.children()),
        )
        self.rows.append(row)
        self._seen[id(tensor)] = _Seen(weakref.ref(tensor), _version(tensor), row)
        if tensor.requires_grad:

            def measure(gradient: torch.Tensor) -> None:
                moments = moments_of(gradient)
                row.gradient_std = moments.std
                row.gradient_bad = moments.nan + moments.inf

            # The hook is of the tensor as it is now: an in-place step that follows does not move
            # it.
            handle = tensor.register_hook(measure)  # type: ignore[no-untyped-call, unused-ignore]
            self._tensor_handles.append(handle)
        return row

    def _count_units(self, row: Row, tensor: torch.Tensor) -> None:
        """Count the units that are 0 throughout, and those that never are."""
        if not tensor.ndim or not tensor.numel():
            return
        fits = -tensor.ndim <= self._unit_axis < tensor.ndim
        # NaN counts as alive, since its unit is not 0. It is a finding of its own.
        alive = ~(tensor.detach() <= 0)
        positive = alive.movedim(self._unit_axis if fits else -1, 0).flatten(1)
        row.units, row.positions = positive.shape
        row.dead = int((~positive.any(1)).sum())
        row.always = int(positive.all(1).sum())


class _Relus(TorchFunctionMode):
    """Tells of each call of a ReLU, also of one that is no module's."""

    def __init__(self, tell: Callable[[str, torch.Tensor], None]) -> None:
        super().__init__()
        self._tell = tell

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _RELUS:
            self._tell(func.__name__.rstrip("_"), result)
        return result


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of real or complex numbers within tuples, dicts and dataclasses."""
    if isinstance(value, torch.Tensor):
        is_number = value.is_floating_point() or value.is_complex()
        if is_number and value.layout is torch.strided and not value.is_nested:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_of(getattr(value, field.name))


def _version(tensor: torch.Tensor) -> int:
    """Return the number of changes in place. A module may itself turn on inference mode."""
    return -1 if tensor.is_inference() else tensor._version


def _has_weights(part: nn.Module) -> bool:
    if isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
        return False
    return any(p is not None and p.ndim > 1 for p in part._parameters.values())


def _unit_axis(part: nn.Module) -> int | None:
    """Return the axis of a module's output that has the units; None keeps that of the last one."""
    if isinstance(part, nn.modules.conv._ConvNd):
        return -1 - len(part.kernel_size)
    if isinstance(part, _NORMS):
        return 1
    return -1 if any(p is not None for p in part._parameters.values()) else None
