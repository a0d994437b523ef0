"""Trees of arrays: each leaf with its path, and the same tree with other leaves.

A path has one text for each step from the root to the leaf: a key of a dict, an index of a list, or
the name of an attribute. Joined by dots, it is the name of the leaf: ``params.Dense_0.kernel``.
Boxes of Flax, such as ``nnx.Param`` and Linen's ``Partitioned``, hold an array and what is known
about it. They add nothing to a path, so that a tree has the same names with its boxes and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from jax import tree_util

from ..models.messages import listed

__all__ = ["Opened", "Path", "name_of", "opened"]

Path: TypeAlias = tuple[str, ...]

#: Takes new leaves one by one, and makes a part of the tree of them.
_Rebuild: TypeAlias = Callable[[Iterator[Any]], Any]


class Opened(NamedTuple):
    """The leaves of a tree, and how they become a tree again.

    Attributes
    ----------
    paths : list of Path
        No two are equal.
    leaves : list
        In the order of the paths. ``None`` is no leaf.
    rebuild : callable
        Returns the tree with other leaves, given in the same order.
    """

    paths: list[Path]
    leaves: list[Any]
    rebuild: Callable[[Iterable[Any]], Any]


def opened(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Opened:
    """Return the leaves of a tree with their paths.

    A module of NNX is opened as ``nnx.split`` does: a Variable that is shared is one leaf, whose
    path is the first one, and is shared in the rebuilt module.

    Parameters
    ----------
    tree : pytree
    is_leaf : callable, optional
        Whether a node is a leaf, as for ``jax.tree.flatten``.

    Raises
    ------
    ValueError
        If two leaves have one name, as those of ``{"a.b": x, "a": {"b": y}}`` have.

    Examples
    --------
    >>> found = opened({"layers": [{"w": 1}, {"w": 2}], "scale": 3})
    >>> [name_of(path) for path in found.paths], found.leaves
    (['layers.0.w', 'layers.1.w', 'scale'], [1, 2, 3])
    >>> found.rebuild("xyz")
    {'layers': [{'w': 'x'}, {'w': 'y'}], 'scale': 'z'}
    """
    paths: list[Path] = []
    leaves: list[Any] = []
    rebuild = _open(tree, (), paths, leaves, is_leaf or _never)
    names: set[str] = set()
    twice = []
    for name in map(name_of, paths):
        if name in names:
            twice.append(name)
        names.add(name)
    if twice:
        raise ValueError(
            f"the tree has two leaves of one name, which would have equal values: {listed(twice)}. "
            "Rename a key that holds a dot, or is the text of a number beside that number"
        )
    return Opened(paths, leaves, lambda new: rebuild(iter(new)))


def name_of(path: Path) -> str:
    """Return the name of a leaf, which is its stream."""
    return ".".join(path)


def _never(node: Any) -> bool:
    return False


def _open(
    node: Any,
    path: Path,
    paths: list[Path],
    leaves: list[Any],
    is_leaf: Callable[[Any], bool],
) -> _Rebuild:
    """List the leaves below a node, and return what rebuilds it."""
    if _is_graph(node):
        nnx = sys.modules["flax.nnx"]
        graphdef, state = nnx.split(node)
        inner = _open(state, path, paths, leaves, is_leaf)
        return lambda new: nnx.merge(graphdef, inner(new))
    skipped = 1 if _is_box(node) else 0

    def ends(inside: Any) -> bool:
        if inside is node:
            return not skipped and is_leaf(inside)
        return _is_box(inside) or _is_graph(inside) or is_leaf(inside)

    entries, treedef = tree_util.tree_flatten_with_path(node, is_leaf=ends)
    parts: list[_Rebuild] = []
    for keys, leaf in entries:
        at = (*path, *(_text_of(key) for key in keys[skipped:]))
        if leaf is not node and (_is_box(leaf) or _is_graph(leaf)):
            parts.append(_open(leaf, at, paths, leaves, is_leaf))
        else:
            paths.append(at)
            leaves.append(leaf)
            parts.append(next)
    return lambda new: tree_util.tree_unflatten(treedef, [part(new) for part in parts])


def _text_of(key: Any) -> str:
    """Return one step of a path: the key of a dict, the index of a list, the name of an attribute.

    A class that is registered without names for its children has their numbers.
    """
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _is_graph(node: Any) -> bool:
    """Whether a node is a module of NNX, or another of its objects, such as an optimiser.

    Only a process that has imported Flax can have one.
    """
    nnx = sys.modules.get("flax.nnx")
    # Before Flax 0.11, the class is called Object.
    return nnx is not None and isinstance(node, getattr(nnx, "Pytree", None) or nnx.Object)


def _is_box(node: Any) -> bool:
    """Whether a node is a box of Flax around an array: a Variable of NNX, or metadata of Linen."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(node, nnx.Variable):
        return True
    meta = sys.modules.get("flax.core.meta")
    return meta is not None and isinstance(node, meta.AxisMetadata)
