"""Buffers of a module on the meta device: set as the code of their module sets them, or refused.

No law describes a buffer. What is right for it stands in the code of its module: in the
constructor, which has run without memory, and in methods that set the buffer again. `set_buffers`
gives each buffer memory and calls these methods. The buffer shows whether one has set it: its
version has advanced, or another tensor has taken its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from .._resolve.messages import did_you_mean, shortened, shown
from ..models.messages import listed
from .parameters import walk

__all__ = ["set_buffers"]

#: Methods without arguments that set the buffers of their own module, in the order in which they
#: are tried. timm has the first one, and reset_parameters is torch's convention for both buffers
#: and parameters.
_METHODS = (
    "init_non_persistent_buffers",
    "reset_buffers",
    "reset_running_stats",
    "reset_parameters",
)


#: The attributes that every module has, such as the dicts of its parameters and buffers.
_OWN = frozenset(vars(nn.Module()))


class _Found(NamedTuple):
    """A buffer on the meta device."""

    name: str
    module: nn.Module
    key: str
    tensor: torch.Tensor


def set_buffers(
    root: nn.Module,
    given: Mapping[str, torch.Tensor],
    device: torch.device,
    dtype: torch.dtype | None,
    undo: ExitStack,
) -> dict[str, str]:
    """Make the buffers of a module real that are on the meta device: return name -> what set it.

    ``undo`` gets a callback that puts the former buffers back.

    Raises
    ------
    ValueError
        If nothing sets a buffer, or a plain attribute is a tensor on the meta device, or a list,
        tuple or dict of such tensors. All are listed.
    """
    result: dict[str, str] = {}
    unset: list[str] = []
    unset_attributes: list[str] = []
    failures: list[str] = []
    made: dict[int, _Found] = {}
    left = dict(given)
    owners = _Owners(root)
    for path, module in walk(root):
        prefix = f"{path}." if path else ""
        found = list(_meta_buffers(prefix, module))
        attributes = _meta_attributes(module)
        unset_attributes += [prefix + key for key in _meta_collections(module)]
        if not found and not attributes:
            continue
        undo.callback(_put_back, module, dict(module._buffers), attributes)
        waiting: list[_Found] = []
        for buffer in found:
            first = made.setdefault(id(buffer.tensor), buffer)
            if buffer.name in left:
                value = left.pop(buffer.name)
                module._buffers[buffer.key] = _placed(buffer, value, device)
                result[buffer.name] = "as given"
            elif first is not buffer:  # modules share the buffer
                module._buffers[buffer.key] = first.module._buffers[first.key]
            else:
                module._buffers[buffer.key] = _memory_like(buffer, device, dtype)
                if not _set_running_statistics(buffer, result):
                    waiting.append(buffer)
        for key, value in attributes.items():
            if id(value) in made:  # the attribute is a second name of a buffer
                module.__dict__.pop(key)
        if waiting or _on_meta(module, attributes):
            methods = _methods(module, owners)
            _run_methods(module, methods, device, waiting, attributes, result, failures)
        for key, value in attributes.items():
            same = made.get(id(value))
            if same is not None and _is_meta(module.__dict__.get(key, value)):
                module.__dict__[key] = same.module._buffers[same.key]
        unset += [b.name for b in waiting]
        unset_attributes += [prefix + key for key in _on_meta(module, attributes)]
    _refuse(unset, unset_attributes, left, result, failures)
    return result


def _meta_buffers(prefix: str, module: nn.Module) -> Iterator[_Found]:
    for key, tensor in module._buffers.items():
        if tensor is not None and not nn.parameter.is_lazy(tensor) and tensor.is_meta:
            yield _Found(prefix + key, module, key, tensor)


def _is_meta(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_meta


def _meta_attributes(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the plain attributes that are tensors on the meta device, by their keys."""
    return {
        key: value
        for key, value in module.__dict__.items()
        if _is_meta(value) and not isinstance(value, nn.Parameter)
    }


def _meta_collections(module: nn.Module) -> Iterator[str]:
    """Yield the keys of lists, tuples and dicts that have tensors on the meta device.

    No method is tried for them, since nothing tells whether it has set them all.
    """
    for key, value in module.__dict__.items():
        if not isinstance(value, (list, tuple, dict)) or key in _OWN:
            continue
        members = value.values() if isinstance(value, dict) else value
        if any(_is_meta(member) and not isinstance(member, nn.Parameter) for member in members):
            yield key


def _on_meta(module: nn.Module, keys: Iterable[str]) -> list[str]:
    """Return those of some attributes that are tensors on the meta device."""
    return [key for key in keys if _is_meta(module.__dict__.get(key))]


def _put_back(
    module: nn.Module,
    buffers: dict[str, torch.Tensor | None],
    attributes: dict[str, torch.Tensor],
) -> None:
    module._buffers.clear()
    module._buffers.update(buffers)
    module.__dict__.update(attributes)


def _placed(buffer: _Found, value: object, device: torch.device) -> torch.Tensor:
    """Return a buffer that the caller gives, on the device."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"buffers={{{buffer.name!r}: ...}} must be a tensor, not {shown(value)}")
    if value.shape != buffer.tensor.shape:
        raise ValueError(
            f"buffers={{{buffer.name!r}: ...}} has shape {shown(tuple(value.shape))}, and the "
            f"buffer has shape {shown(tuple(buffer.tensor.shape))}"
        )
    return value.detach().to(device, buffer.tensor.dtype)


def _memory_like(buffer: _Found, device: torch.device, dtype: torch.dtype | None) -> torch.Tensor:
    """Return memory for a buffer, of its shape; running statistics get the dtype of the model."""
    old = buffer.tensor
    wanted = old.dtype
    if dtype is not None and wanted.is_floating_point and isinstance(buffer.module, _NormBase):
        wanted = dtype
    new = torch.empty_like(old, dtype=wanted, device=device)
    new.__dict__.update(old.__dict__)  # marks a torch.nn.Buffer
    return new


def _set_running_statistics(buffer: _Found, result: dict[str, str]) -> bool:
    """Set a buffer of a norm of torch.nn, as its reset_running_stats does."""
    value = {"running_mean": 0, "running_var": 1, "num_batches_tracked": 0}.get(buffer.key)
    kind: Any = type(buffer.module)
    if value is None or not isinstance(buffer.module, _NormBase):
        return False
    if kind.reset_running_stats is not _NormBase.reset_running_stats:
        return False
    tensor = buffer.module._buffers[buffer.key]
    assert tensor is not None
    with torch.no_grad():
        tensor.fill_(value)
    result[buffer.name] = "reset_running_stats"
    return True


# The methods of a module --------------------------------------------------------------------------


class _Owners:
    """The modules that initialise those inside them by ``_init_weights``, as transformers' do."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._owner_of: dict[int, nn.Module] | None = None

    def of(self, module: nn.Module) -> nn.Module | None:
        """Return the innermost one that holds a module, or is that module."""
        if self._owner_of is None:
            self._owner_of = {}
            self._note(self._root, None)
        return self._owner_of.get(id(module))

    def _note(self, module: nn.Module, owner: nn.Module | None) -> None:
        assert self._owner_of is not None
        if _is_pretrained(module):
            owner = module
        if owner is not None:
            self._owner_of.setdefault(id(module), owner)
        for child in module._modules.values():
            if child is not None:
                self._note(child, owner)


def _is_pretrained(module: nn.Module) -> bool:
    """Whether a module is a PreTrainedModel of transformers, which this package does not import."""
    return any(
        kind.__name__ == "PreTrainedModel" and kind.__module__.startswith("transformers.")
        for kind in type(module).__mro__
    )


def _run_methods(
    module: nn.Module,
    methods: Iterable[tuple[str, Callable[[], object], bool]],
    device: torch.device,
    waiting: list[_Found],
    attributes: Mapping[str, torch.Tensor],
    result: dict[str, str],
    failures: list[str],
) -> None:
    """Call the methods that set the buffers of a module, until all that wait for it are set."""
    for what, method, touches in methods:
        if touches and not _all_on_meta(module, waiting):
            continue
        before = [(tensor, tensor._version) for tensor in map(_current, waiting)]
        try:
            # The parameters are on the meta device still, where drawing them takes no time.
            with torch.no_grad(), torch.device(device):
                method()
        except Exception as error:  # whatever a method raises that meets tensors without memory
            failures.append(f"{what} of {type(module).__name__} raised {error!r}")
        for buffer, (tensor, version) in zip(list(waiting), before, strict=True):
            now = module._buffers.get(buffer.key)
            if now is None or now.is_meta:
                module._buffers[buffer.key] = tensor
            elif now is not tensor or now._version != version:
                result[buffer.name] = what
                module._buffers[buffer.key] = now.to(device)
                waiting.remove(buffer)
        if not waiting and not _on_meta(module, attributes):
            return


def _current(buffer: _Found) -> torch.Tensor:
    tensor = buffer.module._buffers[buffer.key]
    assert tensor is not None
    return tensor


def _all_on_meta(module: nn.Module, waiting: list[_Found]) -> bool:
    """Whether nothing in a module is real that a method could write, except the waiting buffers."""
    free = {id(_current(buffer)) for buffer in waiting}
    return all(p.is_meta for p in module.parameters()) and all(
        b.is_meta or id(b) in free for b in module.buffers()
    )


def _methods(
    module: nn.Module, owners: _Owners
) -> Iterator[tuple[str, Callable[[], object], bool]]:
    """Yield (name, method, whether it may write more than the module's buffers)."""
    for name in _METHODS:
        method = getattr(module, name, None)
        if callable(method):
            yield name, method, name == "reset_parameters"
    owner: Any = owners.of(module)
    if owner is not None:
        yield f"{type(owner).__name__}._init_weights", lambda: owner._init_weights(module), True


def _refuse(
    unset: list[str],
    attributes: list[str],
    left: Mapping[str, Any],
    result: Mapping[str, str],
    failures: list[str],
) -> None:
    """Refuse what nothing has set, and names that are no buffers on the meta device."""
    if left:
        name = next(iter(left))
        hint = did_you_mean(name, [*unset, *result])
        raise ValueError(
            f"buffers= has {shown(name)}, which is no buffer on the meta device"
            f"{'; ' if hint else ''}{hint}"
        )
    advice = (
        "make them outside of the meta device, as in torch.tensor(..., device='cpu'), or give "
        "their module a method reset_buffers() that sets them"
    )
    if failures:
        advice += f". ({shortened(failures[0], 200)})"
    if unset:
        which = "this buffer" if len(unset) == 1 else f"these {len(unset)} buffers"
        raise ValueError(
            f"no method of its module sets {which}, made on the meta device: {listed(unset)}. Pass "
            f"their values, as in buffers={{{shortened(unset[0])!r}: tensor}}; or {advice}"
        )
    if attributes:
        raise ValueError(
            "these attributes of modules are tensors on the meta device, or hold some, and are "
            f"neither parameters nor buffers: {listed(attributes)}: {advice}"
        )
