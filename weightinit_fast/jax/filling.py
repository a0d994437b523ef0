"""The fill of leaves that are drawn: into memory that JAX takes, or by way of host memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from .._resolve.keys import Key
from ..initialisers.ranges import needs_whole
from ..models.filling import fill_all
from .buffers import Pieces
from .leaves import Leaf

__all__ = ["draw_leaves"]

#: The host memory that is filled before it is copied to devices that are no CPU. Twice as much is
#: in use, since the next memory is filled while the devices fetch the last one.
_WAVE_BYTES = 1 << 28


def draw_leaves(drawn: Sequence[Leaf], key: Key, threads: int | None) -> dict[int, jax.Array]:
    """Return the arrays by the numbers of their leaves."""
    # Tied leaves that are on the same devices are drawn once. Each has an array of its own, since
    # JAX cannot donate one array twice: it refuses that, or ends the process if devices share it.
    tied: dict[object, list[Leaf]] = {}
    for leaf in drawn:
        tied.setdefault((leaf.stream, leaf.sharding), []).append(leaf)
    made: dict[int, jax.Array] = {}
    last: list[jax.Array] = []
    for wave, is_here in _waves([leaves[0] for leaves in tied.values()]):
        fill_all(
            (
                (leaf.init, target, leaf.stream)
                for leaf, pieces in wave
                for target in pieces.targets
            ),
            key,
            threads,
        )
        # The host memory of the wave before this one may go.
        for array in last:
            array.block_until_ready()
        arrays = {}
        # One by one, since JAX copies small buffers, each of which goes when it is copied.
        while wave:
            first, pieces = wave.pop()
            for leaf in tied[first.stream, first.sharding]:
                arrays[leaf.number] = pieces.assemble()
        made |= arrays
        last = [] if is_here else list(arrays.values())
    return made


def _waves(leaves: Sequence[Leaf]) -> Iterator[tuple[list[tuple[Leaf, Pieces]], bool]]:
    """Yield the leaves that are filled together, with their memory, and if JAX takes it as it is.

    Those on CPUs are one fill. A leaf of which every element depends on the others is filled by
    itself, since the whole of it is in memory beside the shards that are cut from it.
    """
    wholes = [leaf for leaf in leaves if needs_whole(leaf.init)]
    others = [leaf for leaf in leaves if not needs_whole(leaf.init)]
    platform = jax.device_put(np.empty(0, np.float32)).devices().pop().platform
    here = [leaf for leaf in others if _is_on_cpu(leaf, platform)]
    if here:
        yield [(leaf, _pieces(leaf)) for leaf in here], True
    wave: list[tuple[Leaf, Pieces]] = []
    size = 0
    for leaf in others:
        if _is_on_cpu(leaf, platform):
            continue
        pieces = _pieces(leaf)
        wave.append((leaf, pieces))
        size += sum(target.array.nbytes for target in pieces.targets)
        if size >= _WAVE_BYTES:
            yield wave, False
            wave, size = [], 0
    if wave:
        yield wave, False
    for leaf in wholes:
        yield [(leaf, _pieces(leaf))], _is_on_cpu(leaf, platform)


def _pieces(leaf: Leaf) -> Pieces:
    return Pieces(leaf.init, leaf.spec.shape, leaf.dtype, leaf.sharding)


def _is_on_cpu(leaf: Leaf, default: str) -> bool:
    """Whether the devices of a leaf are CPUs; ``default`` is the platform of new arrays."""
    if leaf.sharding is None:
        return default == "cpu"
    devices: set[Any] = leaf.sharding.device_set
    return all(device.platform == "cpu" for device in devices)
