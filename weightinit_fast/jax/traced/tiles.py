"""How a sharding of XLA cuts an array into tiles, and the same cuts of other arrays.

JAX shows a sharding that XLA has chosen as a GSPMDSharding, whether XLA's partitioner is Shardy or
GSPMD, and whatever meshes and contexts the program has. It holds an array of device numbers, with
an axis for each axis of the data, which says into how many parts that one is cut. Further axes
follow: along these the devices hold the same data (REPLICATED), or they are axes of a mesh that the
program handles by itself (MANUAL, in jax.shard_map). JAX has no public names for what is read here;
all versions from 0.6 to 0.12 have these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

__all__ = ["Tiles"]


class Cut(jax.sharding.Sharding):
    """A sharding of XLA as JAX wants it back."""

    def __init__(self, hlo: Any) -> None:
        self._hlo = hlo

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        return self._hlo


class Tiles:
    """The tiles into which a sharding cuts an array of ``ndim`` axes.

    Attributes
    ----------
    parts : tuple of int
        Into how many parts each axis is cut.
    """

    def __init__(self, sharding: Any, ndim: int) -> None:
        hlo = self._hlo = sharding._to_xla_hlo_sharding(ndim)
        #: None where the sharding cuts no axis.
        self._devices: np.ndarray | None = None
        self.parts: tuple[int, ...] = (1,) * ndim
        if hlo.is_tiled():
            dimensions = hlo.tile_assignment_dimensions()
            self._devices = np.reshape(hlo.tile_assignment_devices(), dimensions)
            self.parts = self._devices.shape[:ndim]

    def of_axes(self, axes: Sequence[int], more: int) -> Any:
        """Return the sharding of an array that has some of the axes, and then ``more`` uncut ones.

        Devices whose tiles differ along the other axes alone hold the same data of it.
        """
        if self._devices is None:
            return Cut(self._hlo)
        ndim = len(self.parts)
        rest = range(ndim, self._devices.ndim)
        others = [axis for axis in range(ndim) if axis not in axes]
        kept = [self.parts[axis] for axis in axes]
        devices = self._devices.transpose(*axes, *others, *rest)
        devices = devices.reshape(*kept, *[1] * more, -1, *self._devices.shape[ndim:])
        replicated = type(self._hlo.to_proto()).Type.REPLICATED
        types = [replicated, *(self._hlo.subgroup_types() or [replicated] * len(rest))]
        hlo = type(self._hlo).subgroup_with_device_ordering(
            np.ascontiguousarray(devices, np.int64), subgroup_types=types
        )
        return Cut(hlo)
