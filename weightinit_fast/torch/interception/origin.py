"""What counts as an initialisation, and what is data that torch draws as ever.

aten::normal_ and aten::uniform_ write the weights of a new layer and the noise of a forward pass
alike. Three facts tell them apart.

- *Which function was called.* The functions of torch.nn.init initialise, wherever they are called
  (interception/loops.py), and what is drawn into a torch.nn.Parameter is a weight.
- *Who holds the tensor.* ``torch.randn(3)`` and its kind draw into a tensor that no Python object
  refers to yet, and ``tensor.normal_()`` into one that somebody holds (interception/core.py). What
  torch.distributions draws counts as new.
- *What runs.* The nearest function on the stack that is a forward pass, or that makes or resets a
  module, decides about the draws that are left. Those in a forward pass are data, and those in the
  making of a module initialise it. Where neither runs, a draw into a tensor that somebody holds is
  an initialisation, and a draw that makes a new tensor is data.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

import torch

__all__ = ["Origin", "origin"]

#: By this function torch.distributions draws samples, in place in a tensor that it has just made.
_STANDARD_NORMAL = "_standard_normal"
_DTENSOR_MODULE = "torch.distributed.tensor._dispatch"


class Origin(NamedTuple):
    """What `origin` finds out about a draw."""

    initialises: bool
    #: The DTensor whose local tensor is drawn, where torch runs an operation of a DTensor.
    dtensor: Any


def origin(local: torch.Tensor, in_place: bool, callers: frozenset[FrameType]) -> Origin:
    """Find out where a draw that has reached a kernel comes from.

    Only the stack of the block itself is read: functions that called it say nothing about what is
    drawn in it.

    Parameters
    ----------
    local : torch.Tensor
        The tensor that is drawn.
    in_place : bool
        Whether somebody held the tensor before the draw.
    callers : frozenset of frames
        The frames that ran when the block began. The search ends with the first of them, which has
        the ``with`` statement as a rule.
    """
    module = sys.modules.get(_DTENSOR_MODULE)
    dtensor_file = None if module is None else module.__file__
    dtensor = None
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        name = code.co_name
        if name == "forward":
            return Origin(False, dtensor)
        if ("init" in name or name.endswith("reset_parameters")) and _makes_module(frame):
            return Origin(True, dtensor)
        if name == _STANDARD_NORMAL:
            in_place = False
        if dtensor is None and code.co_filename == dtensor_file:
            dtensor = _dtensor_of(local, frame)
        if frame in callers:
            break
        frame = frame.f_back
    return Origin(in_place, dtensor)


def _makes_module(frame: FrameType) -> bool:
    """Whether the first argument of a function is a torch.nn.Module.

    This is so in ``__init__``, ``reset_parameters`` and ``_init_weights`` of a module, and in a
    function that ``module.apply`` calls.
    """
    code = frame.f_code
    if not code.co_argcount:
        return False
    return isinstance(frame.f_locals.get(code.co_varnames[0]), torch.nn.Module)


def _dtensor_of(local: torch.Tensor, frame: FrameType) -> Any:
    """Return the DTensor that an operation was called with, from the frame that runs it.

    Raises
    ------
    RuntimeError
        If there is none that has this local tensor. Every process would then draw the same values
        into its own part, and nobody would be told.
    """
    for argument in frame.f_locals.get("args", ()):
        if getattr(argument, "_local_tensor", None) is local:
            return argument
    raise RuntimeError(
        "fast_init does not find the DTensor whose local tensor is drawn, and the local tensors of "
        "all processes would be equal: use weightinit_fast.torch.initialize after the block"
    )
