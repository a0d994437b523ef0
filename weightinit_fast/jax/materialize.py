"""materialize(): a tree of shapes becomes a tree of arrays, each drawn once, where it is to be."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax

from .._resolve.dtypes import DType
from .._resolve.keys import Key, RNGLike
from .._resolve.keys import key as key_of
from .._resolve.numbers import integer
from .._resolve.threads import thread_count
from ..models.explanation import unused_text
from ..models.messages import concerning, listed
from ..models.recipe import Recipe
from ..models.recipe_like import RecipeLike, as_recipe
from ..models.report import Report, ReportRow
from ..models.shapes import TensorSpec
from .filling import draw_leaves
from .keys import key as key_of_jax
from .leaves import Leaf, check_types, drawable_leaves, plan_of
from .shards import own_sharding, shardings_by_path
from .trees import Opened, Path, opened

__all__ = ["explain", "materialize", "shapes"]


def materialize(
    abstract: Any,
    recipe: RecipeLike,
    *,
    rng: RNGLike | jax.Array = None,
    shardings: Any = None,
    dtype: DType | None = None,
    threads: int | None = None,
) -> Any:
    """Draw the arrays of a tree of shapes, each once, on the devices where they are to be.

    The values of a leaf are those of ``initializer(rule)(shape, rng=rng, stream=name)``, bit for
    bit, however devices and processes share it. Each process draws the shards of its own devices,
    and a shard that is replicated once. Everything is checked before anything is drawn.

    Parameters
    ----------
    abstract : pytree
        Its leaves are ``jax.ShapeDtypeStruct``, as ``jax.eval_shape``, ``nnx.eval_shape`` and
        ``equinox.filter_eval_shape`` return them, or arrays, of which only shape, dtype and
        sharding are read. Leaves of a floating-point type are drawn. All others are returned as
        they are: integers, keys, booleans, functions and numbers of Python.
    recipe : Recipe, Model, dict, list, str, path, Initializer or callable
        Rules by names, as `weightinit_fast.Recipe` takes them, or whatever else stands for a
        recipe. The name of a leaf is its path in the tree, joined by dots; see Notes.
    rng : None, int, Generator, Key or jax.Array, optional
        What `weightinit_fast.key` takes, or a key of JAX, which stands for
        ``weightinit_fast.jax.key(rng)``. Where several processes share an array, it has to be
        given, and be equal in all of them.
    shardings : Sharding or pytree, optional
        Where the arrays are to be: one for all leaves, or a tree of them, each of which is for all
        leaves at or below its path. An entry may be a ``jax.sharding.Sharding``, a device, a
        PartitionSpec of the mesh of ``jax.set_mesh``, or None. Without an entry, a leaf has the
        sharding that it brings along, and otherwise is where JAX puts new arrays.
    dtype : dtype, optional
        The floating-point type of all leaves that are drawn. By default, they keep theirs.
    threads : int, optional
        As in `normal`.

    Returns
    -------
    pytree
        The same tree, with a ``jax.Array`` in the place of each leaf that is drawn.

    Raises
    ------
    ValueError
        If leaves have no rule, two leaves have one name, a rule cannot draw a leaf of its shape, a
        sharding cannot cut it, or shardings does not fit the tree. The message lists the names.
    TypeError
        If leaves are complex or of a floating-point type that is never drawn, or if JAX is tracing
        a function.

    Warns
    -----
    UserWarning
        If a pattern of the recipe takes no leaf, since it may be misspelt. A last rule ``*`` may.

    See Also
    --------
    explain : says which rule takes which leaf, before anything is drawn.

    Notes
    -----
    A name has the keys of dicts, the indices of lists and the names of attributes that lead to the
    leaf: ``params.Dense_0.kernel`` for Linen, ``blocks.0.attention.query.kernel`` for NNX,
    ``layers.0.weight`` for Equinox. What Flax wraps around an array, such as ``nnx.Param`` or
    Linen's ``Partitioned``, adds nothing to the name, and is around the array that is returned.

    A Variable of NNX that a module holds under several names is drawn once, by the first of them,
    as ``nnx.state`` shows it, and is shared in the module that is returned. Otherwise no two leaves
    share values unless ``same_as`` of the recipe says so: one ShapeDtypeStruct or array in two
    places of a tree stands for two tensors.

    Where all devices are CPUs, all shards of all leaves are one fill, into memory that JAX takes
    without a copy. Otherwise they are drawn into host memory piece by piece and copied.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.jax
    >>> abstract = {"fc": {"kernel": jax.ShapeDtypeStruct((256, 10), "float32"),
    ...                    "bias": jax.ShapeDtypeStruct((10,), "float32")}}
    >>> recipe = wi.Recipe({"*.bias": "zeros", "*": "he_normal(layout='IO')"})
    >>> params = wi.jax.materialize(abstract, recipe, rng=0)
    >>> w = wi.he_normal((256, 10), layout="IO", rng=0, stream="fc.kernel")
    >>> bool((params["fc"]["kernel"] == w).all())
    True

    Each device draws its rows, and each has the whole of the bias:

    >>> from jax.sharding import NamedSharding, PartitionSpec
    >>> mesh = jax.make_mesh((jax.device_count(),), ("rows",))
    >>> rows = NamedSharding(mesh, PartitionSpec("rows"))
    >>> whole = NamedSharding(mesh, PartitionSpec())
    >>> places = {"fc": {"kernel": rows, "bias": whole}}
    >>> params = wi.jax.materialize(abstract, recipe, rng=0, shardings=places)
    >>> bool((params["fc"]["kernel"] == w).all())
    True
    """
    threads = None if threads is None else integer(threads, "threads")
    thread_count(threads, 0)  # refuses wrong values
    tree = opened(abstract)
    plan = plan_of(tree, _read_recipe(recipe), dtype)
    if plan.unused:
        warnings.warn(unused_text(plan.unused), stacklevel=2)
    _place(tree, plan.drawn, shardings)
    check_types(plan.drawn)
    drawn = draw_leaves(plan.drawn, _key_of(rng, plan.drawn), threads)
    return tree.rebuild(drawn.get(i, leaf) for i, leaf in enumerate(tree.leaves))


def explain(abstract: Any, recipe: RecipeLike, *, dtype: DType | None = None) -> Report:
    """Say what `materialize` does with each leaf that it draws, and draw nothing.

    Parameters
    ----------
    abstract, recipe, dtype
        As in `materialize`.

    Returns
    -------
    Report
        (name, shape, dtype, rule, initializer, law, same_as) for each leaf; it prints as a table.

    Raises
    ------
    ValueError, TypeError
        As `materialize`, where the tree or the recipe is wrong.

    See Also
    --------
    shapes : returns the names and shapes alone.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.jax
    >>> abstract = {"fc": {"kernel": jax.ShapeDtypeStruct((256, 10), "float32"),
    ...                    "bias": jax.ShapeDtypeStruct((10,), "float32")}}
    >>> wi.jax.explain(abstract, {"*.bias": "zeros", "*": "he_normal(layout='IO')"})
    parameter  shape     dtype    rule    initialiser             law
    fc.bias    10        float32  *.bias  zeros                   constant 0
    fc.kernel  256 x 10  float32  *       he_normal(layout='IO')  normal, std 0.0883883
    """
    plan = plan_of(opened(abstract), _read_recipe(recipe), dtype)
    rows = (
        ReportRow(name, shape, leaf.dtype.name, rule, init, law, same_as)
        for leaf, (name, shape, rule, init, law, same_as) in zip(
            plan.drawn, plan.explanations, strict=True
        )
    )
    return Report(rows, None, plan.unused)


def shapes(abstract: Any, *, dtype: DType | None = None) -> dict[str, TensorSpec]:
    """Return the names, shapes and types of the leaves that `materialize` draws.

    Parameters
    ----------
    abstract, dtype
        As in `materialize`.

    Returns
    -------
    dict
        Name -> `weightinit_fast.TensorSpec`: what `weightinit_fast.save` and ``Recipe.plan`` take.

    Raises
    ------
    ValueError, TypeError
        As `materialize`, where the tree is wrong.

    See Also
    --------
    explain : says what a recipe does with them.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.jax
    >>> def init(key):
    ...     return {"layers": [jax.numpy.zeros((64, 8)), jax.numpy.zeros(8)], "steps": 0}
    >>> found = wi.jax.shapes(jax.eval_shape(init, jax.random.key(0)), dtype="bfloat16")
    >>> for name, spec in found.items():
    ...     print(name, spec)
    layers.0 TensorSpec(shape=(64, 8), dtype='bfloat16')
    layers.1 TensorSpec(shape=(8,), dtype='bfloat16')
    """
    return {leaf.name: leaf.spec for leaf in drawable_leaves(opened(abstract), dtype)}


def _read_recipe(recipe: RecipeLike | None) -> Recipe:
    if recipe is None:
        raise TypeError(
            "a tree of shapes does not say how its arrays are initialised: pass a recipe, such as "
            "{'*.bias': 'zeros', '*.scale': 'ones', '*': 'lecun_normal(layout=\"IO\")'}"
        )
    return as_recipe(recipe)


def _place(tree: Opened, drawn: Sequence[Leaf], shardings: Any) -> None:
    """Find where each leaf is to be, and refuse what cannot be cut in that way."""
    given: dict[Path, jax.sharding.Sharding | None] = {}
    if shardings is not None:
        given = shardings_by_path(shardings, tree.paths, [leaf.path for leaf in drawn])
    for leaf in drawn:
        with concerning(leaf.name):
            sharding = given.get(leaf.path)
            if sharding is None:
                sharding = own_sharding(tree.leaves[leaf.number])
            leaf.sharding = sharding
            if sharding is not None:
                _check_cut(sharding, leaf.spec.shape)


def _check_cut(sharding: jax.sharding.Sharding, whole: tuple[int, ...]) -> None:
    try:
        if isinstance(sharding, jax.sharding.NamedSharding):
            sharding.check_compatible_aval(whole)  # refuses a spec with too many axes
        sharding.shard_shape(whole)
    except ValueError as error:  # of a class of JAX's own
        raise ValueError(str(error)) from None


def _key_of(rng: RNGLike | jax.Array, drawn: Iterable[Leaf]) -> Key:
    """Return the key of all streams."""
    if isinstance(rng, jax.Array):
        return key_of_jax(rng)
    if rng is None:
        shared = [
            leaf.name
            for leaf in drawn
            if leaf.sharding is not None and not leaf.sharding.is_fully_addressable
        ]
        if shared:
            raise ValueError(
                "several processes share arrays, and each would draw with another key: pass the "
                f"same rng= in all of them. They share {listed(shared)}"
            )
    return key_of(rng)
