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
from ..models.messages import concerning, listed
from ..models.recipe_like import RecipeLike
from ..models.report import Report
from .buffers import set_buffers
from .initialize import draw, read_recipe
from .modules import Fans
from .parameters import Held, check_module, parameters_of
from .plan import misspelt, plan_of
from .refusals import KINDS, check
from .shards import is_dtensor

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
        is a tensor on the meta device, or a list, tuple or dict of them. The message lists the
        names. The parameters and the buffers
        are then as they were.
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
    if len(on_meta) == len(held) and (patterns := misspelt(plan, held)):
        warnings.warn(unused_text(patterns), stacklevel=2)
    with ExitStack() as undo:
        done = set_buffers(module, dict(buffers or {}), place, wanted, undo)
        _refuse_replaced(on_meta)
        made, tied = _allocate(on_meta, place)
        report = draw(plan, rng, threads, tied, done)
        undo.pop_all()
    for one, new in made:
        _put(one, new)
    for owner in {owner for one in on_meta for owner, _ in one.slots}:
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


def _refuse_replaced(on_meta: Sequence[Held]) -> None:
    """Refuse parameters in whose place a method that sets buffers has put others."""
    replaced = [
        one.name
        for one in on_meta
        if any(owner._parameters.get(key) is not one.tensor for owner, key in one.slots)
    ]
    if replaced:
        raise ValueError(
            "a method that sets the buffers of a module has put new parameters in the place of "
            f"these: {listed(replaced)}. Give the module a method reset_buffers() that sets the "
            "buffers alone"
        )


# Memory -------------------------------------------------------------------------------------------


def _allocate(
    on_meta: Sequence[Held], device: torch.device
) -> tuple[list[tuple[Held, torch.Tensor]], dict[str, str]]:
    """Return new memory for each parameter, and which have that of another one: name -> its name.

    Parameters that are the same elements on the meta device, as views of one tensor, stay so.
    """
    first: dict[object, tuple[Held, torch.Tensor]] = {}
    made, tied = [], {}
    for one in on_meta:
        old = one.tensor
        assert old is not None
        if type(old) is not nn.Parameter and not is_dtensor(old):
            with concerning(one.name):
                check(old)
        identity = _identity(old)
        known = first.get(identity)
        if known is None:
            new = _memory_like(old, one.dtype, device)
            first[identity] = one, new
        else:
            new, tied[one.name] = known[1], known[0].name
        one.fresh(new)
        made.append((one, new))
    return made, tied


def _identity(tensor: torch.Tensor) -> object:
    """Return what two parameters have in common that are the same elements on the meta device."""
    if is_dtensor(tensor):
        return id(tensor)
    storage = tensor.untyped_storage()._cdata
    return storage, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _memory_like(old: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return memory of the shape and the memory format of a tensor on the meta device."""
    if is_dtensor(old):
        mesh: Any = old.device_mesh  # type: ignore[attr-defined, unused-ignore]
        with torch.no_grad():
            new = torch.empty_like(old, dtype=dtype, device=torch.device(mesh.device_type))
        # That it is a parameter tells how fully_shard has cut it.
        return nn.Parameter(new, requires_grad=False)
    if old.is_contiguous():
        return torch.empty(old.shape, dtype=dtype, device=device)
    # torch.empty_like keeps the format of a dense tensor; it takes 20 times as long.
    with torch.no_grad():
        return torch.empty_like(old, dtype=dtype, device=device)


def _put(one: Held, new: torch.Tensor) -> None:
    """Put memory in the place of a parameter's, with the class and the attributes of it."""
    old = one.tensor
    assert old is not None
    made: torch.Tensor
    if is_dtensor(old):
        made = nn.Parameter(new, old.requires_grad)
    else:
        made = torch.Tensor._make_subclass(type(old), new, old.requires_grad)
    made.__dict__.update(old.__dict__)
    # The dicts themselves, so that the handles that register_hook has returned remove from them.
    # torch.utils.swap_tensors would leave them with the memory that it takes away.
    for hooks in ("_backward_hooks", "_post_accumulate_grad_hooks"):
        registered = getattr(old, hooks)
        if registered is not None:
            setattr(made, hooks, registered)
    try:
        torch.utils.swap_tensors(old, made)  # type: ignore[no-untyped-call, unused-ignore]
    except RuntimeError:
        for owner, key in one.slots:
            setattr(owner, key, made)
