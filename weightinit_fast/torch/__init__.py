"""Initialisation of torch tensors, modules and shards. It needs torch, and is imported on demand.

An element depends on (key, stream, index) alone. So a tensor has the same values whatever its
memory format, its device and the processes that share it.

>>> import torch
>>> import weightinit_fast as wi
>>> import weightinit_fast.torch  # `wi.torch` is imported when it is first used
>>> w = torch.empty(256, 128)
>>> wi.torch.init.normal_(w, rng=0, stream="fc1.weight") is w
True
>>> bool((w.numpy() == wi.normal((256, 128), rng=0, stream="fc1.weight")).all())
True
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401  first, so that the error below is the one that is seen
except ImportError as _error:
    raise ImportError(
        "weightinit_fast.torch needs the package torch: run pip install '.[torch]' in the clone, "
        "or pip install torch"
    ) from _error

from ..models.report import Report, ReportRow
from . import init
from .initialize import initialize
from .interception import fast_init
from .materialize import materialize
from .plan import default_rules
from .signal import SignalReport, signal

__all__ = [
    "Report",
    "ReportRow",
    "SignalReport",
    "default_rules",
    "fast_init",
    "init",
    "initialize",
    "materialize",
    "signal",
]
