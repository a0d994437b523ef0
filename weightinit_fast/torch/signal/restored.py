"""Everything that a pass through a module may change, put back afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["restored"]

#: What dropout is drawn from during the pass, so that a second call finds the same.
_SEED = 0


@contextmanager
def restored(module: nn.Module, train: bool | None) -> Iterator[None]:
    """Let the parameters take gradients within the block; put everything back at its end.

    Put back are: the training flags, which parameters take gradients, the buffers (the tensors and
    what is in them), the attributes of the modules and the items of those that are dicts (hooks and
    parameters among them), and the state of the generators of torch, NumPy and Python, and of those
    that modules have as attributes. Within the block the generators of torch, NumPy and Python
    begin at a fixed seed.
    """
    with ExitStack() as stack:
        stack.enter_context(_generators(module))
        for part in module.modules():
            for value in vars(part).values():
                if isinstance(value, dict) and value is not part._buffers:
                    stack.callback(_put_back_items, value, dict(value))
                elif isinstance(value, torch.Generator):
                    stack.callback(value.set_state, value.get_state())
            stack.callback(_put_back_attributes, part, dict(vars(part)))
            stack.callback(_put_back_buffers, part, dict(part._buffers), _copies(part))
        for parameter in module.parameters():
            if not parameter.requires_grad and parameter.is_floating_point():
                parameter.requires_grad_(True)
                stack.callback(parameter.requires_grad_, False)
        if train is not None:
            module.train(train)
        yield


@contextmanager
def _generators(module: nn.Module) -> Iterator[None]:
    devices = {parameter.device for parameter in module.parameters()}
    devices |= {buffer.device for buffer in module.buffers()}
    with ExitStack() as stack:
        kinds = sorted({device.type for device in devices} - {"cpu", "meta"}) or ["cuda"]
        for kind in kinds:
            indices = sorted({device.index or 0 for device in devices if device.type == kind})
            fork = torch.random.fork_rng(devices=indices, device_type=kind)
            stack.enter_context(fork)
            # A device that is alone, such as Apple's, has no list of generators.
            generators = getattr(getattr(torch, kind), "default_generators", None)
            for index in indices:
                (generators[index] if generators else getattr(torch, kind)).manual_seed(_SEED)
        torch.default_generator.manual_seed(_SEED)
        stack.callback(random.setstate, random.getstate())
        # Layers that draw from NumPy's global generator can only be set back through it.
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
        random.seed(_SEED)
        np.random.seed(_SEED)  # noqa: NPY002
        yield


def _put_back_attributes(part: nn.Module, attributes: dict[str, Any]) -> None:
    now = vars(part)
    for name in [name for name in now if name not in attributes]:
        del now[name]
    for name, value in attributes.items():
        if now.get(name) is not value:
            now[name] = value


def _put_back_items(now: dict[Any, Any], items: dict[Any, Any]) -> None:
    if len(now) != len(items) or any(now.get(key) is not value for key, value in items.items()):
        now.clear()
        now.update(items)


def _copies(part: nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: buffer.detach().clone()
        for name, buffer in part._buffers.items()
        if buffer is not None
    }


def _put_back_buffers(
    part: nn.Module, buffers: dict[str, torch.Tensor | None], copies: dict[str, torch.Tensor]
) -> None:
    if not isinstance(part, torch.jit.ScriptModule):  # whose buffers cannot be others
        part._buffers.clear()
        part._buffers.update(buffers)
    with torch.no_grad():
        for name, copy in copies.items():
            buffer = buffers[name]
            if buffer is not None and not torch.equal(buffer, copy):
                buffer.copy_(copy)
