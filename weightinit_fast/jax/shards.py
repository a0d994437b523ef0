"""Shardings as people write them: one for all leaves of a tree, or a tree of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from .._resolve.messages import shown
from ..models.messages import concerning, listed
from .trees import Path, name_of, opened

__all__ = ["current_mesh", "over_devices", "own_sharding", "shardings_by_path"]


def shardings_by_path(
    shardings: Any, paths: Sequence[Path], needed: Sequence[Path]
) -> dict[Path, Sharding | None]:
    """Return the sharding of each leaf that needs one, from a tree of shardings.

    Parameters
    ----------
    shardings : pytree
        A leaf of it is for all leaves of the other tree at or below its path. None is a leaf that
        says nothing.
    paths : sequence of Path
        Those of all leaves of the other tree.
    needed : sequence of Path
        Those of the leaves that need a sharding.

    Raises
    ------
    ValueError
        If it says nothing about a leaf, or is about a leaf that is not there.
    TypeError
        If a leaf of it is no sharding.
    """
    given = opened(shardings, is_leaf=_ends)
    table = dict(zip(given.paths, given.leaves, strict=True))
    found: dict[Path, Sharding | None] = {}
    without = []
    for path in needed:
        above = _above(path, table)
        if above is None:
            without.append(name_of(path))
        else:
            with concerning(f"shardings: {name_of(above)}" if above else "shardings"):
                found[path] = over_devices(table[above])
    used = {_above(path, table) for path in paths}
    astray = [name_of(p) for p, what in table.items() if p not in used and what is not None]
    if astray:
        raise ValueError(f"shardings has entries for what is no leaf of the tree: {listed(astray)}")
    if without:
        raise ValueError(
            f"shardings says nothing about {listed(without)}: write None for a leaf that stays "
            "where JAX puts new arrays"
        )
    return found


def own_sharding(leaf: Any) -> Sharding | None:
    """Return the sharding that a ShapeDtypeStruct or an array has; None if it has none.

    An array that was never put anywhere on purpose has none.
    """
    if isinstance(leaf, jax.Array) and not leaf.committed:
        return None
    sharding = getattr(leaf, "sharding", None)
    return over_devices(sharding) if isinstance(sharding, Sharding) else None


def _ends(node: Any) -> bool:
    """Whether a node of a tree of shardings is one of its leaves."""
    return node is None or isinstance(node, (Sharding, PartitionSpec))


def _above(path: Path, table: dict[Path, Any]) -> Path | None:
    """Return the path in the table at which or below which a leaf is; there is at most one."""
    return next((path[:n] for n in range(len(path) + 1) if path[:n] in table), None)


def over_devices(given: Any) -> Sharding | None:
    """Return a sharding over devices; None if nothing is said.

    Raises
    ------
    ValueError
        If a mesh is needed and none is set, or if the devices do not hold the values themselves.
    TypeError
        If it is no sharding.
    """
    if isinstance(given, jax.Device):
        return SingleDeviceSharding(given)
    if isinstance(given, PartitionSpec):
        given = NamedSharding(_mesh_of(given), given)
    if given is not None and not isinstance(given, Sharding):
        raise TypeError(
            "a sharding must be a jax.sharding.Sharding, a PartitionSpec, a device or None, not "
            f"{shown(given)}"
        )
    if not isinstance(given, NamedSharding):
        return given
    if given.mesh.empty:  # what jax.typeof() says of an array of one device
        return None
    if getattr(given.spec, "unreduced", None):
        raise ValueError(
            f"{shown(given.spec)} is unreduced: the devices hold terms of a sum, and not values "
            "that can be drawn"
        )
    if isinstance(given.mesh, AbstractMesh):
        mesh = _mesh_of(given.spec)
        if mesh.shape_tuple != given.mesh.shape_tuple:
            raise ValueError(
                f"{shown(given.spec)} is over an abstract mesh {shown(dict(given.mesh.shape))}, "
                f"and the mesh that jax.set_mesh has set is {shown(dict(mesh.shape))}"
            )
        return NamedSharding(mesh, given.spec, memory_kind=given.memory_kind)
    return given


def current_mesh() -> jax.sharding.Mesh | None:
    """Return the mesh that jax.set_mesh has set, if there is one."""
    get_mesh = getattr(jax.sharding, "get_mesh", None)  # JAX 0.7.0 has it not yet
    mesh: jax.sharding.Mesh | None = get_mesh() if get_mesh else None
    return None if mesh is None or mesh.empty else mesh


def _mesh_of(spec: PartitionSpec) -> jax.sharding.Mesh:
    """Return the mesh that jax.set_mesh has set, which a PartitionSpec needs."""
    mesh = current_mesh()
    if mesh is None:
        raise ValueError(
            f"{shown(spec)} names axes of a mesh, but no devices: call this in a block of "
            "jax.set_mesh(mesh), or pass a NamedSharding over the mesh"
        )
    return mesh
