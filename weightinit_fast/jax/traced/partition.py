"""The call of the engine, and how the devices of a mesh share its result.

XLA gives each device a block of an array. Where the result of a draw is shared, each device draws
its own block, and no device tells another anything. For this the engine has to know where a block
lies in the whole tensor. The call has an operand for each axis of the tensor, the positions 0, 1,
2, ... along this axis, which is sharded as the axis of the result is. So the first position that a
device has is the beginning of its block, whatever the mesh is and however XLA numbers the devices.
The operands take no memory: XLA computes only their first elements.

JAX writes such a call into a program as the address of its Python object, and no more. JAX's cache
on the disk (``jax_compilation_cache_dir``) looks a program up by its text, and by request without
those addresses. So the call has one operand more, which nobody reads: the numbers that say what is
drawn. Without it, a program that draws something else of the same shape was taken from the cache.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning

from . import library
from .tiles import Tiles

__all__ = ["Draw"]

# Functions of JAX that have no types.
_type: Any = jax.ShapeDtypeStruct
_partitioned: Any = custom_partitioning

#: Of a longer axis, the devices make the whole: JAX 0.10 cannot tell XLA's partitioner its length.
_LONGEST = (1 << 31) - 1


class Draw(NamedTuple):
    """A draw by the engine, with what the engine is told."""

    shape: tuple[int, ...]
    dtype: np.dtype
    transform: int
    parameters: tuple[float, ...]
    stream: int

    def whole(self, words: Any) -> Any:
        """Draw whole tensors, one for each key."""
        return self._call(words, self.shape)

    def partitioned(self, words: Any) -> Any:
        """Draw tensors that the devices of a mesh share as XLA finds best."""
        batch = words.ndim - 1
        if not (batch or self.shape) or any(n > _LONGEST for n in self.shape):
            return self.whole(words)
        positions = (jax.lax.iota(np.uint32, n) for n in self.shape)
        return _shared(self, batch)(words, self._told(), *positions)

    def _told(self) -> Any:
        """Return what the engine is told, as words that are in the text of the program."""
        numbers = np.array([*self.parameters, 0, 0], np.float64).view(np.uint64)
        numbers[-2:] = self.transform, self.stream
        # One by one, since newer versions of JAX pass arrays from outside, and not in the text.
        words = numbers.view(np.uint32).tolist()
        return jnp.stack([jax.lax.full((), word, np.uint32) for word in words])

    def block(self, lengths: tuple[int, ...], words: Any, told: Any, *positions: Any) -> Any:
        """Draw a block of the tensor, at the positions that a device has along each axis."""
        with _without_mesh():
            low = jnp.stack([p[0] for p in positions])
            return self._call(words, lengths, jnp.stack([low, jnp.zeros_like(low)], 1))

    def _call(self, words: Any, lengths: tuple[int, ...], *start: Any) -> Any:
        result = _type((*words.shape[:-1], *lengths), self.dtype)
        call: Any = jax.ffi.ffi_call(library.TARGET, result)
        return call(
            words,
            *start,
            whole=np.array(self.shape, np.int64),
            transform=np.int64(self.transform),
            parameters=np.array(self.parameters, np.float64),
            stream=np.uint64(self.stream).astype(np.int64),
        )


def _shared(draw: Draw, batch: int) -> Any:
    """Return the function of words and positions that XLA partitions, for keys of `batch` axes."""

    def function(words: Any, told: Any, *positions: Any) -> Any:
        return draw.whole(words)

    def divide(mesh: Any, operands: Any, result: Any) -> Any:
        """Say what each device computes, given how XLA shares the result."""
        tiles = Tiles(result.sharding, len(result.shape))
        needed = [tiles.of_axes(range(batch), 1), tiles.of_axes((), 1)]
        needed += (tiles.of_axes([batch + k], 0) for k in range(len(draw.shape)))
        lengths = tuple(
            -(-n // parts) for n, parts in zip(draw.shape, tiles.parts[batch:], strict=True)
        )
        return mesh, functools.partial(draw.block, lengths), result.sharding, tuple(needed)

    def infer(mesh: Any, operands: Any, result: Any) -> Any:
        """Say that the tensors of a batch are where their keys are."""
        known = next(o for o in operands if o.sharding is not None)
        axes = range(batch) if known is operands[0] else ()
        uncut = len(result.shape) - len(axes)
        return Tiles(known.sharding, len(known.shape)).of_axes(axes, uncut)

    shared = _partitioned(function)
    batches = [f"b{k}" for k in range(batch)]
    axes = [f"a{k}" for k in range(len(draw.shape))]
    operands = [" ".join([*batches, "w"]), "t", *axes]
    shared.def_partition(
        partition=divide,
        infer_sharding_from_operands=infer,
        propagate_user_sharding=lambda mesh, user: user.sharding,
        decode_shardings=False,
        sharding_rule=f"{', '.join(operands)} -> {' '.join([*batches, *axes])}",
    )
    return shared


def _without_mesh() -> Any:
    """Forget the mesh of jax.set_mesh: what one device computes has no shardings.

    (With explicit axes, JAX 0.12 would note one at every operation.)
    """
    if not hasattr(jax.sharding, "use_abstract_mesh"):  # before jax 0.6.1
        return contextlib.nullcontext()
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ()))
