"""The memory of a jax.Array: NumPy arrays that the engine fills, handed over without a copy.

JAX takes an array of NumPy as it is if its memory begins on a multiple of 64 bytes, and copies it
otherwise. The package's new arrays of 64 KiB and more begin there (_resolve/memory.py). Measured
with jax 0.10.2, by comparing the pointers: ``jax.device_put`` and ``jax.make_array_from_callback``
take every dtype without a copy. ``jax.dlpack.from_dlpack`` does so too, but NumPy exports neither
bfloat16 nor float8 to it. ``jax.numpy.asarray`` copies, even with ``copy=False``.

JAX never writes into memory that it has taken in this way, even if the array is donated. So several
devices of the CPU can hold one buffer, and nobody else may write into it afterwards.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import numpy as np

from .._resolve.target import Target, resolve
from ..initialisers.initializer import Initializer, rule_of

__all__ = ["Box", "Pieces"]

#: The elements that a device holds: (start, stop, step) for each axis.
Box: TypeAlias = tuple[tuple[int, int, int], ...]


class Pieces:
    """The pieces of a tensor that the devices of this process hold, each once.

    Whoever makes an array fills ``targets`` with the values of the initialiser, in any order and
    with as many other targets as there are, and then calls `assemble`.

    Parameters
    ----------
    init : Initializer
        What will be drawn. If its elements depend on each other, as those of ``orthogonal`` do,
        there is one target, of the whole tensor, and `assemble` cuts it.
    whole : tuple of int
        The shape of the whole tensor.
    dtype : numpy.dtype
        One of the types that the engine fills.
    sharding : jax.sharding.Sharding, optional
        None is JAX's default device; the array is then not committed to it.
    """

    __slots__ = ("_buffers", "_dtype", "_sharding", "_whole", "targets")

    def __init__(
        self,
        init: Initializer,
        whole: tuple[int, ...],
        dtype: np.dtype,
        sharding: jax.sharding.Sharding | None = None,
    ) -> None:
        self._whole = whole
        self._dtype = dtype
        self._sharding = sharding
        #: What the engine fills, one for each different piece.
        self.targets: list[Target] = []
        self._buffers: dict[Box, np.ndarray] = {}
        rule = rule_of(init)
        everything = box_of((slice(None),) * len(whole), whole)
        boxes = {everything: None}
        if sharding is not None and not sharding.addressable_devices:
            boxes = {}
        elif sharding is not None and rule.by_parts:
            if isinstance(sharding, jax.sharding.NamedSharding):
                sharding.check_compatible_aval(whole)  # refuses a spec with too many axes
            held = sharding.addressable_devices_indices_map(whole)
            boxes = dict.fromkeys(box_of(index, whole) for index in held.values() if index)
            if not whole and held:
                boxes = {(): None}
        for box in boxes:
            index = None if box == everything else tuple(slice(*axis) for axis in box)
            target = resolve(whole, dtype, None, index, None, rule.zeroed)
            self.targets.append(target)
            self._buffers[box] = target.result

    def assemble(self) -> jax.Array:
        """Return the array, after the targets have been filled."""
        sharding, whole = self._sharding, self._whole
        made: jax.Array
        if sharding is not None and not sharding.addressable_devices:  # all in other processes
            made = jax.make_array_from_single_device_arrays(whole, sharding, [], dtype=self._dtype)
        elif sharding is None or isinstance(sharding, jax.sharding.SingleDeviceSharding):
            (buffer,) = self._buffers.values()
            made = jax.device_put(buffer, sharding)
        else:
            made = jax.make_array_from_callback(whole, sharding, self._held, dtype=self._dtype)
        return made

    def _held(self, index: tuple[slice, ...] | None) -> np.ndarray:
        """Return the elements at an index."""
        index = index or ()
        box = box_of(index, self._whole)
        buffer = self._buffers.get(box)
        if buffer is None:  # the tensor has been made as a whole
            (entire,) = self.targets
            buffer = np.ascontiguousarray(entire.result[index])
            self._buffers[box] = buffer
        return buffer


def box_of(index: Any, whole: tuple[int, ...]) -> Box:
    """Return slices as what can be compared and hashed."""
    return tuple(chosen.indices(n) for chosen, n in zip(index, whole, strict=True))
