"""The primitive of JAX that stands for a draw, and what JAX's transformations make of it."""

from __future__ import annotations

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from . import lowering

__all__ = ["bind"]

# Classes of JAX that have no types.
_spec: Any = PartitionSpec
_zero: Any = ad.Zero

#: draw words, what=What: the tensors of the keys whose words are given, uint32[batch..., 4]. The
#: result has the axes of the batch, followed by those of the tensor.
_draw_p: Any = Primitive("weightinit_fast_draw")


def bind(words: Any, what: lowering.What) -> Any:
    """Draw, or record in the program that JAX traces that something is drawn."""
    return _draw_p.bind(words, what=what)


def _abstract(words: Any, *, what: lowering.What) -> Any:
    """Return the type of the result.

    It varies over the manual axes of a shard_map over which the words vary, and a batch is sharded
    as that of the words is.
    """
    shape = (*words.shape[:-1], *what.shape)
    sharding = words.sharding
    spec = _spec(*sharding.spec[:-1], *(None for _ in what.shape))
    return words.update(
        shape=shape,
        dtype=what.dtype,
        weak_type=False,
        sharding=NamedSharding(sharding.mesh, spec),
    )


def _run(words: Any, *, what: lowering.What) -> Any:
    """Draw outside of jit, for example under jax.vmap."""
    with jax.disable_jit(False):  # jax.disable_jit() would call this function for ever
        return _jitted(words, what)


_jitted = jax.jit(bind, static_argnames="what")


def _batch(arguments: Any, axes: Any, *, what: lowering.What) -> Any:
    """Draw for several keys at once."""
    (words,), (axis,) = arguments, axes
    return bind(jax.numpy.moveaxis(words, axis, 0), what), 0


def _differentiate(primals: Any, tangents: Any, *, what: lowering.What) -> Any:
    """Return the draw and its tangent, which is zero: the words of a key are integers."""
    (words,) = primals
    made = bind(words, what)
    return made, _zero.from_primal_value(made)


_draw_p.def_abstract_eval(_abstract)
_draw_p.def_impl(_run)
batching.primitive_batchers[_draw_p] = _batch
ad.primitive_jvps[_draw_p] = _differentiate
try:
    # JAX then tells the lowering on which devices the program will run, without which it cannot
    # partition a call. (There is no public way to ask for that.)
    from jax._src.dispatch import prim_requires_devices_during_lowering

    prim_requires_devices_during_lowering.add(_draw_p)
except (ImportError, AttributeError):  # the lowering then makes whole tensors
    pass
mlir.register_lowering(_draw_p, lowering.on_host)
mlir.register_lowering(_draw_p, lowering.on_cpu, platform="cpu")
