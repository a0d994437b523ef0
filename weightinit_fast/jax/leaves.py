"""Which leaves of a tree are drawn: their names, shapes, dtypes and initialisers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._resolve.dtypes import NAMES, DType, kind_of, requested
from .._resolve.target import range_target
from ..initialisers.initializer import Initializer, rule_of
from ..models.explanation import Explanations
from ..models.messages import concerning, listed
from ..models.recipe import Recipe
from ..models.shapes import TensorSpec
from .trees import Opened, Path, name_of

__all__ = ["Leaf", "Plan", "check_types", "drawable_leaves", "plan_of"]


class Leaf:
    """A leaf that is drawn."""

    __slots__ = ("dtype", "init", "name", "number", "path", "sharding", "spec", "stream")

    def __init__(self, number: int, path: Path, spec: TensorSpec, dtype: np.dtype) -> None:
        #: Its number among the leaves of the tree.
        self.number: int = number
        self.path: Path = path
        self.name: str = name_of(path)
        self.spec: TensorSpec = spec
        self.dtype: np.dtype = dtype
        self.init: Initializer
        #: The name, or that of the leaf whose values it has.
        self.stream: str
        self.sharding: jax.sharding.Sharding | None = None


class Plan(NamedTuple):
    """What is to be done with a tree."""

    drawn: list[Leaf]
    explanations: Explanations

    @property
    def unused(self) -> tuple[str, ...]:
        """The patterns of the recipe that take no leaf; none if there are no leaves."""
        return self.explanations.unused if self.drawn else ()


def plan_of(tree: Opened, recipe: Recipe, dtype: DType | None) -> Plan:
    """Return the leaves that are drawn, each with its initialiser."""
    drawn = drawable_leaves(tree, dtype)
    explanations = recipe.explain({leaf.name: leaf.spec for leaf in drawn})
    for leaf, explanation in zip(drawn, explanations, strict=True):
        leaf.init = explanation.initializer
        leaf.stream = explanation.same_as or leaf.name
        kind = kind_of(leaf.dtype, "the dtype")
        unwritten = range_target(leaf.spec.shape, kind, np.empty(0, kind.storage), 0)
        with concerning(leaf.name):
            rule_of(leaf.init).check(unwritten)
    return Plan(drawn, explanations)


def drawable_leaves(tree: Opened, dtype: DType | None) -> list[Leaf]:
    """Return the leaves of a floating-point type, and refuse those that are never drawn."""
    wanted = None if dtype is None else _numpy_dtype(dtype)
    drawn: list[Leaf] = []
    traced, undrawable = [], []
    for number, (path, leaf) in enumerate(zip(tree.paths, tree.leaves, strict=True)):
        if not _is_inexact(leaf):
            continue
        if isinstance(leaf, jax.core.Tracer):
            traced.append(name_of(path))
            continue
        found = np.dtype(leaf.dtype)
        if wanted is not None and jnp.issubdtype(found, np.floating):
            found = wanted
        if found.name not in NAMES:
            undrawable.append(f"{name_of(path)} ({found.name})")
            continue
        drawn.append(Leaf(number, path, TensorSpec(tuple(leaf.shape), found.name), found))
    if traced:
        raise TypeError(f"{_TRACING}, and these leaves are traced: {listed(traced)}")
    if undrawable:
        raise TypeError(
            f"{len(undrawable)} of the leaves cannot be drawn, because their dtype is none of "
            f"{', '.join(NAMES)}: {listed(undrawable)}. Pass dtype=, or take them out of the tree"
        )
    if any(not leaf.path for leaf in drawn):
        raise ValueError(
            "abstract is a single leaf, which has no name: pass a tree, such as {'name': leaf}"
        )
    return drawn


_TRACING = (
    "materialize writes memory, which a function that jax.jit or another transformation traces "
    "cannot do: call it outside of such functions, or initialise in them by the functions of "
    "weightinit_fast.jax.initializers"
)


def _is_inexact(leaf: Any) -> bool:
    """Whether a leaf is an array of floating-point or complex numbers, or describes one.

    Scalars of NumPy are no arrays. The types of other libraries, as torch's, are not looked at.
    """
    if isinstance(leaf, np.generic) or not hasattr(leaf, "shape"):
        return False
    try:
        return bool(jnp.issubdtype(leaf.dtype, np.inexact))  # the type of a key is no np.dtype
    except (AttributeError, TypeError):
        return False


def _numpy_dtype(dtype: DType) -> np.dtype:
    """Return the type that dtype= means."""
    found = requested(dtype)[1]
    assert found is not None  # JAX brings ml_dtypes
    return found


def check_types(drawn: Sequence[Leaf]) -> None:
    """Refuse to draw what JAX would not take as it is: float64 without x64, and in a trace."""
    for dtype in {leaf.dtype for leaf in drawn}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = jax.device_put(np.empty(0, dtype))
        if isinstance(made, jax.core.Tracer):
            raise TypeError(_TRACING)
        if made.dtype != dtype:
            names = [leaf.name for leaf in drawn if leaf.dtype == dtype]
            raise ValueError(
                f"JAX is set to make no arrays of {dtype}, which is the type of {listed(names)}: "
                "call jax.config.update('jax_enable_x64', True), or pass dtype='float32'"
            )
