"""materialize() by names: what leaves are called, which of them are tied, and what is explained."""

import warnings

import numpy as np
import pytest
from jax_leaves import adapter, jax, mesh_of, named, same, spec
from jax_trees import KEY, LEAVES, RECIPE, abstract_tree, flat

import weightinit_fast as wi


def test_names():
    abstract = {
        "a": [spec(1), (spec(1), {"b": spec(1)})],
        "mlp/~/linear_0": {"w": spec(1)},
        3: spec(1),
        "n": 5,
    }
    names = ["3", "a.0", "a.1.0", "a.1.1.b", "mlp/~/linear_0.w"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = adapter.shapes(abstract)
        except ValueError:  # keys that cannot be sorted, in JAX
            abstract["3"] = abstract.pop(3)
            found = adapter.shapes(abstract)
    assert sorted(found) == names


def test_one_spec_in_two_places_is_two_tensors():
    one = spec(4, 2)
    tree = adapter.materialize({"a": one, "b": one}, "normal", rng=KEY)
    assert same(tree["a"], "normal", (4, 2), "a")
    assert same(tree["b"], "normal", (4, 2), "b")


def test_ties_of_the_recipe(devices, fills):
    recipe = wi.Recipe({"emb": "normal"}, same_as={"head": "emb", "cut": "emb"})
    abstract = {name: spec(16, 4) for name in ("emb", "head", "cut")}
    rows = named(mesh_of(devices, 8), "a")
    tree = adapter.materialize(
        abstract, recipe, rng=KEY, shardings={"emb": None, "head": None, "cut": rows}
    )
    assert tree["cut"].sharding == rows
    assert all(same(leaf, "normal", (16, 4), "emb") for leaf in tree.values())
    assert len(fills[0]) == 1 + 8
    rows = adapter.explain(abstract, recipe)
    assert [(row.name, row.same_as) for row in rows] == [
        ("cut", "emb"),
        ("emb", None),
        ("head", "emb"),
    ]
    with pytest.raises(ValueError, match="head has shape"):
        adapter.materialize(abstract | {"head": spec(4)}, recipe)


def test_tied_leaves_can_be_donated(devices):
    """JAX donates no array twice, so each leaf has one of its own; CPUs share the memory."""
    recipe = wi.Recipe({"*": "normal"}, same_as={"head": "emb"})
    abstract = {"emb": spec(1024, 128), "head": spec(1024, 128)}
    step = jax.jit(lambda tree: jax.tree.map(lambda x: x * 2, tree), donate_argnums=0)
    for sharding in (None, named(mesh_of(devices, 8)), named(mesh_of(devices, 8), "a")):
        tree = adapter.materialize(abstract, recipe, rng=KEY, shardings=sharding)
        assert tree["head"] is not tree["emb"]
        pointers = [
            [shard.data.unsafe_buffer_pointer() for shard in leaf.addressable_shards]
            for leaf in tree.values()
        ]
        assert pointers[0] == pointers[1]
        held = np.asarray(tree["emb"]).copy()
        found = step(tree)
        assert all(leaf.is_deleted() for leaf in tree.values())
        assert all((np.asarray(leaf) == 2 * held).all() for leaf in found.values())


def test_explain_and_shapes_say_what_is_drawn(tmp_path):
    report = adapter.explain(abstract_tree(), RECIPE)
    found = adapter.shapes(abstract_tree())
    assert {row.name for row in report} == set(LEAVES) == set(found)
    for row in report:
        shape, dtype, init = LEAVES[row.name]
        assert (row.shape, row.dtype, row.initializer) == (shape, dtype, wi.initializer(init))
        assert found[row.name] == wi.TensorSpec(shape, dtype)
    assert report.unused == ()
    assert adapter.explain({"a": spec(1)}, {"b": "ones", "*": "zeros"}).unused == ("b",)
    # A file of the same weights, without JAX.
    tree = flat(adapter.materialize(abstract_tree(), RECIPE, rng=KEY))
    wi.save(tmp_path / "model.safetensors", RECIPE, found, rng=KEY)
    assert wi.verify(tmp_path / "model.safetensors", RECIPE, rng=KEY) is not False
    assert set(tree) == set(found)
