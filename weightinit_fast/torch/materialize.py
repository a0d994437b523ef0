"""materialize(): a model that was built on the meta device becomes real, drawn once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

import torch
from torch import nn

from .._resolve.keys import RNGLike
from .._resolve.messages import shown
from ..models.explanation import unused_text
from ..models.recipe_like import RecipeLike
from .buffers import set_buffers
from .initialize import draw, read_recipe
from .modules import Fans
from .parameters import Held, check_module, parameters_of
from .plan import plan_of
from .report import Report
from .tensors import KINDS

__all__ = ["materialize"]


def materialize(
    module: nn.Module,
    recipe: RecipeLike | None = None,
    *,
    rng: RNGLike = None,
    device: torch.device | str | int = "cpu",
    dtype: torch.dtype | str | None = None,
    fans: Fans = "torch",
    buffers: Mapping[str, torch.Tensor] | None = None,
    threads: int | None = None,
) -> Report:
    """Give memory and values to a model that was built on the meta device.

    Building a model under ``with torch.device("meta")`` takes no memory and draws nothing. This
    function allocates each parameter once and draws it once, straight into its memory, with the
    values that `initialize` gives a parameter of its name.

    Parameters
    ----------
    module : torch.nn.Module
        Parameters and buffers that are real already are left as they are.
    recipe, rng, fans, threads
        As in `initialize`.
    device : torch.device or str or int, default "cpu"
        Where the parameters and buffers are to be. The values are the same everywhere. DTensors
        stay on the device of their mesh, where each process gets memory for its shards alone.
    dtype : torch.dtype or str, optional
        The floating-point type of the parameters, and of the running statistics of torch's norms.
        The other buffers keep the type that their module's code gives them, since frequencies and
        positions lose their meaning in few bits. By default, all keep theirs.
    buffers : dict, optional
        Name -> tensor: the values of buffers that no method of their module sets.

    Returns
    -------
    Report
        As `initialize` returns, for the parameters that were made real. Its ``buffers`` say what
        set each buffer.

    Raises
    ------
    ValueError
        Where `initialize` raises, and if no method sets a buffer, or a plain attribute of a module
        is a tensor on the meta device. The message lists the names. The module is then as it was.
    TypeError
        If module is no module, or dtype is no floating-point type that is drawn.

    Warns
    -----
    UserWarning
        If a pattern of the recipe takes no parameter.

    See Also
    --------
    initialize : draws the parameters of a module that is real.

    Notes
    -----
    A parameter stays the same object, with its class, its attributes and its hooks, so that an
    optimiser that was made before still has it, and tied weights stay tied. Where something holds a
    weak reference to it, as recurrent layers do, torch cannot exchange its memory, and a new object
    takes its place in every module that holds it.

    A buffer is set by the code of its module: running statistics as ``reset_running_stats`` does,
    others by the first of ``init_non_persistent_buffers`` (timm), ``reset_buffers``,
    ``reset_parameters`` and the ``_init_weights`` of a transformers model that writes it. These
    methods see the parameters on the meta device still, and what they draw there is nowhere.

    Where a whole model is on one device, a ``torch.nn.Module`` that torchtitan shards under meta is
    the same to this function: parallelise first, then call it, and each process draws its shards.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> with torch.device("meta"):
    ...     net = torch.nn.Sequential(torch.nn.Linear(256, 10), torch.nn.BatchNorm1d(10))
    >>> report = wi.torch.materialize(net, rng=0)
    >>> net[0].weight.device, net[1].running_var[:3]
    (device(type='cpu'), tensor([1., 1., 1.]))
    >>> weight = wi.fan_in_uniform((10, 256), rng=0, stream="0.weight")
    >>> bool((net[0].weight.detach().numpy() == weight).all())
    True
    >>> report.buffers["1.running_mean"]
    'reset_running_stats'
    """
    check_module(module)
    read = read_recipe(recipe, fans)
    place = _device(device)
    wanted = _dtype(dtype)
    held = parameters_of(module)
    on_meta = [one for one in held if one.tensor is not None and one.tensor.is_meta]
    if wanted is not None:
        for one in on_meta:
            if one.dtype.is_floating_point:
                one.dtype = wanted
    plan = plan_of(module, held, on_meta, read, fans)
    if plan.unused and len(on_meta) == len(held):
        warnings.warn(unused_text(plan.unused), stacklevel=2)
    with ExitStack() as undo:
        done = set_buffers(module, dict(buffers or {}), place, wanted, undo)
        made = _allocate(on_meta, place)
        for one, new in made:
            one.fresh(new)
        report = draw(plan, rng, threads, done)
        undo.pop_all()
    for one, new in made:
        _put(one, new)
    for one in on_meta:
        for owner, _ in one.slots:
            if isinstance(owner, nn.RNNBase):
                owner._init_flat_weights()
    return report


def _device(device: torch.device | str | int) -> torch.device:
    place = torch.device(device)
    if place.type == "meta":
        raise ValueError("device must have memory, which 'meta' has not")
    return place


def _dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    """Return the torch.dtype that dtype= means."""
    found: Any = dtype
    if isinstance(dtype, str):
        found = getattr(torch, dtype, None)
    if dtype is None:
        return None
    if found not in KINDS:
        names = ", ".join(str(known) for known in KINDS)
        raise TypeError(f"dtype must be one of {names}, not {shown(dtype)}")
    return cast(torch.dtype, found)


# Memory -------------------------------------------------------------------------------------------


def _allocate(on_meta: Sequence[Held], device: torch.device) -> list[tuple[Held, torch.Tensor]]:
    """Return new memory for each parameter; those that are one tensor on meta get the same."""
    made: dict[object, torch.Tensor] = {}
    result = []
    for one in on_meta:
        old = one.tensor
        assert old is not None
        identity = _identity(old)
        new = made.get(identity)
        if new is None:
            new = made[identity] = _memory_like(old, one.dtype, device)
        result.append((one, new))
    return result


def _identity(tensor: torch.Tensor) -> object:
    """Return what two parameters have in common that are the same elements on the meta device."""
    if not _is_plain(tensor):
        return id(tensor)
    storage = tensor.untyped_storage()._cdata
    return storage, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _is_plain(tensor: torch.Tensor) -> bool:
    return type(tensor).__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl


def _memory_like(old: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return memory of the shape and the memory format of a tensor on the meta device."""
    if not _is_plain(old):  # a DTensor: that it is a parameter tells how fully_shard has cut it
        with torch.no_grad():
            made = torch.empty_like(old, dtype=dtype, device=device)
        return nn.Parameter(made, requires_grad=False)
    if old.is_contiguous():
        return torch.empty(old.shape, dtype=dtype, device=device)
    # torch.empty_like keeps the format of a dense tensor; it takes 20 times as long.
    with torch.no_grad():
        return torch.empty_like(old, dtype=dtype, device=device)


def _put(one: Held, new: torch.Tensor) -> None:
    """Put memory in the place of a parameter's, with the class and the attributes of it."""
    old = one.tensor
    assert old is not None
    if _is_plain(old):
        made = torch.Tensor._make_subclass(type(old), new, old.requires_grad)
    else:
        made = nn.Parameter(new, old.requires_grad)
    made.__dict__.update(old.__dict__)
    try:
        torch.utils.swap_tensors(old, made)  # type: ignore[no-untyped-call, unused-ignore]
    except RuntimeError:
        for owner, key in one.slots:
            setattr(owner, key, made)
