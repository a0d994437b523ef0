"""The default recipe: what the ``reset_parameters`` of each class of torch.nn documents.

A class is known if it is in `CLASSES`, or if it is derived from one that is and does not override
``reset_parameters``. What no known class has is unknown: its law is in code that only the module's
author can put in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

from torch import nn

from .._resolve.messages import shown
from ..initialisers.initializer import Initializer
from ..initialisers.initializer import initializer as as_initializer
from ..initialisers.named import xavier_normal, xavier_uniform
from ..initialisers.plain import constant, normal, ones, uniform, zeros
from ..initialisers.scaled import fan_in_uniform

__all__ = [
    "CLASSES",
    "Default",
    "Fans",
    "check_fans",
    "class_rules",
    "default_of",
    "has_own_reset",
    "is_transformer",
]

#: Whose fans a default rule takes: torch's, which reads them from the shape of the weight, or those
#: of the layer.
Fans: TypeAlias = Literal["torch", "layer"]

#: The rules of one module: the name of a parameter, relative to the module -> Initializer.
_Rules: TypeAlias = Mapping[str, Initializer]


class Default(NamedTuple):
    """The default rule of one parameter."""

    initializer: Initializer
    #: The name of the class that documents it.
    source: str
    #: The row that is zero after the draw, which is the padding of an embedding.
    zero_row: int | None = None


def check_fans(fans: object) -> Fans:
    """Return fans=, unless it is neither "torch" nor "layer"."""
    if isinstance(fans, str) and fans in get_args(Fans):
        return cast(Fans, fans)
    raise ValueError(f"fans must be 'torch' or 'layer', not {shown(fans)}")


# One function for each rule -----------------------------------------------------------------------

# A model has thousands of layers of a few sizes, and an Initializer takes 10 µs to make.


@lru_cache(maxsize=4096)
def _made(function: Callable[..., Any], *own: tuple[str, Any]) -> Initializer:
    return as_initializer(function, **dict(own))


@lru_cache(maxsize=4096)
def _bias_of(fan_in: int, fan_out: int) -> Initializer:
    """Return U[-b, b) with b = 1/√fan_in; zeros for fan_in 0, as torch has it."""
    if fan_in == 0:
        return _made(zeros)
    return _made(fan_in_uniform, ("fans", (fan_in, fan_out)))


@lru_cache(maxsize=4096)
def _within(bound: float) -> Initializer:
    """Return U[-bound, bound)."""
    return _made(uniform, ("low", -bound), ("high", bound)) if bound else _made(zeros)


def _stored(module: nn.Module, name: str, axes: int) -> tuple[int, ...] | None:
    """Return the shape of a parameter, unless it is absent or another one than the layer's own.

    FullyShardedDataParallel leaves flat pieces in the place of parameters.
    """
    parameter = module._parameters.get(name)
    if parameter is None or parameter.dim() != axes:
        return None
    return tuple(parameter.shape)


def _linear(module: Any, fans: Fans) -> _Rules:
    fan_out, fan_in = _stored(module, "weight", 2) or (module.out_features, module.in_features)
    return _linear_rules(fan_in, fan_out)


@lru_cache(maxsize=4096)
def _linear_rules(fan_in: int, fan_out: int) -> _Rules:
    return {"weight": _made(fan_in_uniform), "bias": _bias_of(fan_in, fan_out)}


def _bilinear(module: Any, fans: Fans) -> _Rules:
    shape = _stored(module, "weight", 3)
    bound = 1 / math.sqrt(shape[1] if shape else module.in1_features)
    return {"weight": _within(bound), "bias": _within(bound)}


def _convolution(module: Any, fans: Fans) -> _Rules:
    kernel = tuple(module.kernel_size)
    outer, inner = module.out_channels, module.in_channels // module.groups
    if module.transposed:
        outer, inner = module.in_channels, module.out_channels // module.groups
    shape = _stored(module, "weight", 2 + len(kernel)) or (outer, inner, *kernel)
    return _convolution_rules(shape, module.groups, bool(module.transposed), fans)


@lru_cache(maxsize=4096)
def _convolution_rules(shape: tuple[int, ...], groups: int, transposed: bool, fans: Fans) -> _Rules:
    own: dict[str, Any] = {}
    if fans == "layer" and transposed:
        own["layout"] = "IO" + "DHW"[-len(shape[2:]) :]
    if fans == "layer" and groups != 1:
        own |= {"groups": groups, "transposed": transposed} if transposed else {"groups": groups}
    area = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * area, shape[0] * area
    if fans == "layer" and transposed:
        fan_in, fan_out = shape[0] // groups * area, shape[1] * area
    elif fans == "layer":
        fan_out //= groups
    return {"weight": _made(fan_in_uniform, *own.items()), "bias": _bias_of(fan_in, fan_out)}


def _embedding(module: Any, fans: Fans) -> _Rules:
    return _EMBEDDING


_EMBEDDING: _Rules = {"weight": _made(normal)}


def _norm(module: Any, fans: Fans) -> _Rules:
    return _NORM


_NORM: _Rules = {"weight": _made(ones), "bias": _made(zeros)}


def _recurrent(module: Any, fans: Fans) -> _Rules:
    bound = 1 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0.0
    rule = _within(bound)
    if isinstance(module, nn.RNNBase):
        return dict.fromkeys(module._flat_weights_names, rule)
    return dict.fromkeys(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), rule)


def _attention(module: Any, fans: Fans) -> _Rules:
    width = module.embed_dim
    # The three matrices of q, k and v are packed in one, and torch draws it as if it were one.
    own = (("fans", (width, width)),) if fans == "layer" else ()
    return {
        "in_proj_weight": _made(xavier_uniform, *own),
        **dict.fromkeys(("q_proj_weight", "k_proj_weight", "v_proj_weight"), _made(xavier_uniform)),
        "in_proj_bias": _made(zeros),
        "out_proj.bias": _made(zeros),
        "bias_k": _made(xavier_normal),
        "bias_v": _made(xavier_normal),
    }


def _prelu(module: Any, fans: Fans) -> _Rules:
    return {"weight": _made(constant, ("value", float(module.init)))}


#: The classes of torch.nn that have parameters of their own. The others, such as
#: AdaptiveLogSoftmaxWithLoss and TransformerEncoderLayer, have only those of their children.
CLASSES: dict[type[nn.Module], Callable[[Any, Fans], _Rules]] = {
    nn.Linear: _linear,
    nn.Bilinear: _bilinear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.ConvTranspose1d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.ConvTranspose3d: _convolution,
    nn.Embedding: _embedding,
    nn.EmbeddingBag: _embedding,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.BatchNorm3d: _norm,
    nn.SyncBatchNorm: _norm,
    nn.InstanceNorm1d: _norm,
    nn.InstanceNorm2d: _norm,
    nn.InstanceNorm3d: _norm,
    nn.LayerNorm: _norm,
    nn.GroupNorm: _norm,
    nn.RMSNorm: _norm,
    nn.RNNBase: _recurrent,
    nn.RNNCellBase: _recurrent,
    nn.RNN: _recurrent,
    nn.LSTM: _recurrent,
    nn.GRU: _recurrent,
    nn.RNNCell: _recurrent,
    nn.LSTMCell: _recurrent,
    nn.GRUCell: _recurrent,
    nn.MultiheadAttention: _attention,
    nn.PReLU: _prelu,
}

#: The names of the methods that set a module's parameters in torch.nn.
_RESETS = ("reset_parameters", "_reset_parameters")


def _known(kind: type[nn.Module]) -> type[nn.Module] | None:
    """Return the class of `CLASSES` whose rules a class has; None if it has rules of its own."""
    if kind in CLASSES:
        return kind
    for base in kind.__mro__:
        if base in CLASSES:
            return base
        if any(name in base.__dict__ for name in _RESETS) and not _is_torchs(base):
            return None
    return None


def _is_torchs(kind: type) -> bool:
    """Whether a class is one of torch.nn, whose lazy classes only delay what their bases do."""
    return kind.__module__.startswith("torch.nn.modules.")


def class_rules(module: nn.Module, fans: Fans) -> tuple[str, _Rules] | None:
    """Return the name of the class whose rules a module has, and the rules; None for an unknown.

    The names are relative to the module. Some are those of parameters that it does not have.

    Examples
    --------
    >>> import torch
    >>> name, rules = class_rules(torch.nn.Linear(4, 3), "torch")
    >>> print(name, rules["weight"], rules["bias"])
    Linear fan_in_uniform fan_in_uniform(fans=(4, 3))
    """
    kind = _known(type(module))
    return None if kind is None else (kind.__name__, CLASSES[kind](module, fans))


def has_own_reset(module: nn.Module) -> bool:
    """Whether the class of a module, or one that it is derived from, overrides reset_parameters."""
    kinds = type(module).__mro__
    return any(name in kind.__dict__ and not _is_torchs(kind) for kind in kinds for name in _RESETS)


def is_transformer(module: nn.Module) -> bool:
    """Whether a module draws all its weights anew, as torch.nn.Transformer does."""
    if not isinstance(module, nn.Transformer):
        return False
    kind = type(module)._reset_parameters
    return kind is nn.Transformer._reset_parameters


def default_of(module: nn.Module, name: str, found: tuple[str, _Rules]) -> Default | None:
    """Return the default rule of a parameter of a module with known rules; None if it has none."""
    source, rules = found
    init = rules.get(name)
    if init is None:
        return None
    row = module.padding_idx if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) else None
    return Default(init, source, row)
