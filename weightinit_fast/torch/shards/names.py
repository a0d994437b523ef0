"""The names of parameters and modules in the model without wrappers."""

from __future__ import annotations

import torch

__all__ = ["clean_name"]

#: What wrappers call the module that they wrap: FullyShardedDataParallel, torch.compile, and the
#: wrappers of activation checkpointing and offloading.
_WRAPPED = frozenset({"_fsdp_wrapped_module", "_orig_mod", "_checkpoint_wrapped_module"})
#: These call it "module", as other modules call a child.
_WRAPPERS = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)


def clean_name(name: str, module: torch.nn.Module | None = None) -> str:
    """Return the name that a parameter or module has in the model without wrappers.

    Parameters
    ----------
    name : str
        A name of ``module.named_parameters()`` or ``module.named_modules()``.
    module : torch.nn.Module, optional
        The model. Without it, the "module." of DataParallel and DistributedDataParallel is kept,
        since it cannot be told from a child of that name.

    Examples
    --------
    >>> import torch
    >>> from weightinit_fast.torch.shards import clean_name
    >>> model = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Linear(2, 3)))
    >>> [clean_name(name, model) for name, _ in model.named_parameters()]
    ['0.weight', '0.bias']
    >>> clean_name("layers.0._checkpoint_wrapped_module._fsdp_wrapped_module.weight")
    'layers.0.weight'
    """
    kept = []
    owner = module
    for part in name.split("."):
        if part not in _WRAPPED and not (part == "module" and isinstance(owner, _WRAPPERS)):
            kept.append(part)
        owner = None if owner is None else owner._modules.get(part)
    return ".".join(kept)
