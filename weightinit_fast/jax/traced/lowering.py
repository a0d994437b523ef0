"""What a draw becomes in a program of XLA: a call of the engine, or of Python on the host."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
from jax.interpreters import mlir

from ... import _core
from ..._resolve.keys import Key
from ...initialisers.initializer import Initializer, rule_of
from ...initialisers.rules import ElementwiseRule
from ..keys import key_of_words
from . import library, partition

__all__ = ["What", "on_cpu", "on_host"]

_type: Any = jax.ShapeDtypeStruct  # which has no types

#: Transform of the extension -> its number in weightinit_fast.h, which programs have.
_TRANSFORMS = {
    _core.CONSTANT: 2,  # WIF_CONSTANT
    _core.UNIFORM: 3,
    _core.NORMAL: 4,
    _core.TRUNCATED: 5,  # WIF_TRUNCATED_NORMAL
}


@dataclasses.dataclass(frozen=True)
class What:
    """What is drawn: all that is known when a function is traced."""

    init: Initializer
    shape: tuple[int, ...]
    dtype: np.dtype
    stream: int

    def __repr__(self) -> str:
        return f"{self.init} {np.dtype(self.dtype).name}{list(self.shape)}"


def on_cpu(context: Any, words: Any, *, what: What) -> Any:
    """Emit a call of the engine if this can be done, and otherwise one of Python."""
    rule = rule_of(what.init)
    if not isinstance(rule, ElementwiseRule) or library.why_missing():
        return on_host(context, words, what=what)
    transform, parameters = rule.parameters(what.shape)
    padded = np.zeros(4)
    padded[: len(parameters)] = parameters
    emit = partition.Draw(
        what.shape, what.dtype, _TRANSFORMS[transform], tuple(padded), what.stream
    )
    # The callbacks by which XLA asks how to partition a call are no part of an exported program.
    exporting = getattr(context.module_context.lowering_parameters, "for_export", False)
    unknown = getattr(context.module_context.axis_context, "device_assignment", ()) is None
    function = emit.whole if exporting or unknown else emit.partitioned
    return mlir.lower_fun(function, multiple_results=False)(context, words)


def on_host(context: Any, words: Any, *, what: What) -> Any:
    """Emit a call of Python, which draws in the memory of the host."""
    batch = context.avals_in[0].shape[:-1]
    result = _type((*batch, *what.shape), what.dtype)
    draw = functools.partial(_draw, what)

    def call(words: Any) -> Any:
        return jax.pure_callback(draw, result, words, vmap_method="sequential")

    return mlir.lower_fun(call, multiple_results=False)(context, words)


def _draw(what: What, words: Any) -> np.ndarray:
    """Draw for each key of a batch."""
    words = np.asarray(words)
    batch = words.shape[:-1]
    if not batch:
        made: np.ndarray = _one(what, words, None)
        return made
    tensors = np.empty((*batch, *what.shape), what.dtype)
    for index in np.ndindex(batch):
        _one(what, words[index], tensors[index])
    return tensors


def _one(what: What, words: np.ndarray, out: np.ndarray | None) -> Any:
    key: Key = key_of_words(words)
    return what.init(what.shape, dtype=what.dtype, out=out, rng=key, stream=what.stream)
