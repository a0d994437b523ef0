"""materialize() over devices: one digest for every sharding, where leaves go, what does not fit."""

import numpy as np
import pytest
from jax_leaves import adapter, jax, mesh_of, named, same, spec
from jax_trees import (
    KEY,
    LEAVES,
    RECIPE,
    abstract_tree,
    digest,
    expected_leaves,
    flat,
    ways,
)
from support.frameworks import Framework

filling = Framework("weightinit_fast.jax.filling")

WAYS = (
    "replicas",
    "rows",
    "columns",
    "two axes",
    "two axes, transposed",
    "rows by two axes",
    "rows, each twice",
    "columns, each four times",
    "devices backwards",
    "three devices",
    "one device",
    "the last four",
)


@pytest.fixture(scope="module")
def expected():
    return digest(expected_leaves())


# One digest ---------------------------------------------------------------------------------------


def test_ways_are_all_tested(devices):
    assert tuple(ways(devices)) == WAYS


def test_without_shardings(expected):
    tree = adapter.materialize(abstract_tree(), RECIPE, rng=KEY)
    assert digest(flat(tree)) == expected
    assert all(leaf.devices() == {jax.devices()[0]} for leaf in jax.tree.leaves(tree))
    assert not any(leaf.committed for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("way", WAYS)
def test_one_digest_for_every_sharding(way, devices, expected):
    sharding_of = ways(devices)[way]
    abstract = abstract_tree(sharding_of)
    tree = adapter.materialize(abstract, RECIPE, rng=KEY)
    assert digest(flat(tree)) == expected
    for name, leaf in flat(tree).items():
        wanted = sharding_of(LEAVES[name][0])
        assert leaf.sharding == wanted
        assert leaf.committed
        for shard in leaf.addressable_shards:
            whole = np.asarray(leaf)
            assert np.asarray(shard.data).tobytes() == whole[shard.index].tobytes()
    again = adapter.materialize(
        abstract_tree(),
        RECIPE,
        rng=KEY,
        shardings=jax.tree.map(lambda leaf: leaf.sharding, abstract),
    )
    assert digest(flat(again)) == expected
    assert jax.tree.map(lambda a: a.sharding, again) == jax.tree.map(lambda a: a.sharding, tree)


def test_by_way_of_host_memory(devices, expected, monkeypatch, fills):
    """Devices that are no CPU get their shards by waves."""
    monkeypatch.setattr(filling._module, "_is_on_cpu", lambda *_: False)
    monkeypatch.setattr(filling._module, "_WAVE_BYTES", 4096)
    tree = adapter.materialize(abstract_tree(ways(devices)["two axes"]), RECIPE, rng=KEY, threads=2)
    assert digest(flat(tree)) == expected
    sizes = [sum(target.array.nbytes for target in fill) for fill in fills]
    assert len(sizes) > 3
    assert all(sum(t.array.nbytes for t in fill[:-8]) < 4096 for fill in fills)


# Shardings ----------------------------------------------------------------------------------------


def test_shardings_of_parts_of_the_tree(devices):
    line, plane = mesh_of(devices, 8, names=("x",)), mesh_of(devices, 2, 4)
    abstract = {
        "blocks": [{"k": spec(8, 8), "b": spec(8)} for _ in range(2)],
        "out": spec(8, sharding=named(line, "x")),
        "steps": 0,
    }
    first, second = named(plane, "a"), named(line)
    tree = adapter.materialize(
        abstract,
        "normal",
        rng=KEY,
        shardings={"blocks": [first, {"k": second, "b": devices[5]}], "out": None, "steps": None},
    )
    assert {leaf.sharding for leaf in tree["blocks"][0].values()} == {first}
    assert tree["blocks"][1]["k"].sharding == second
    assert tree["blocks"][1]["b"].devices() == {devices[5]}
    assert tree["out"].sharding == named(line, "x")
    (one,) = {
        leaf.sharding
        for leaf in jax.tree.leaves(adapter.materialize(abstract, "normal", shardings=first))
        if isinstance(leaf, jax.Array)
    }
    assert one == first


def test_the_mesh_that_is_set(devices):
    if not hasattr(jax, "set_mesh"):
        pytest.skip("this JAX has no jax.set_mesh")
    P = jax.sharding.PartitionSpec
    mesh = jax.make_mesh((2, 4), ("a", "b"), devices=devices)
    with jax.set_mesh(mesh):
        abstract = jax.eval_shape(
            lambda: {"w": jax.device_put(jax.numpy.zeros((8, 8)), P("a", "b"))}
        )
        found = adapter.materialize(abstract, "normal", rng=KEY)["w"]
        other = adapter.materialize({"w": spec(8, 8)}, "normal", rng=KEY, shardings=P("a", "b"))
    assert isinstance(abstract["w"].sharding.mesh, jax.sharding.AbstractMesh)
    assert found.sharding == named(mesh, "a", "b") == other["w"].sharding
    assert same(found, "normal", (8, 8), "w")
    with pytest.raises(ValueError, match=r"w: P\('a', 'b'\) names axes of a mesh, but no devices"):
        adapter.materialize(abstract, "normal")
    with (
        jax.set_mesh(jax.make_mesh((8,), ("x",), devices=devices)),
        pytest.raises(
            ValueError, match=r"abstract mesh \{'a': 2, 'b': 4\}, and the mesh .* \{'x': 8"
        ),
    ):
        adapter.materialize(abstract, "normal")


def test_the_default_device(devices):
    with jax.default_device(devices[3]):
        tree = adapter.materialize({"w": spec(256, 128), "b": spec(3)}, "normal", rng=KEY)
    assert all(leaf.devices() == {devices[3]} for leaf in tree.values())


def test_kinds_of_memory(devices):
    if "pinned_host" not in {memory.kind for memory in devices[0].addressable_memories()}:
        pytest.skip("this JAX has one kind of memory for CPUs")
    sharding = named(mesh_of(devices, 8), "a", memory_kind="pinned_host")
    found = adapter.materialize({"w": spec(256, 128)}, "normal", rng=KEY, shardings=sharding)["w"]
    assert found.sharding == sharding
    assert same(found, "normal", (256, 128), "w")


def test_shardings_that_do_not_fit(devices):
    types = (jax.sharding.AxisType.Explicit,) * 2
    mesh = jax.make_mesh((2, 4), ("a", "b"), devices=devices, axis_types=types)
    abstract = {"a": {"w": spec(6, 8), "b": spec(8)}, "c": spec(8)}
    cases = {
        r"a.w: .* partitioned 4 times, but the dimension size is 6": named(mesh, "b"),
        r"a.b: .* only valid for values of rank at least 2": {
            "a": named(mesh, None, "b"),
            "c": None,
        },
        r"says nothing about c: write None": {"a": named(mesh)},
        r"no leaf of the tree: a.w.x, d$": {
            "a": {"w": {"x": named(mesh)}, "b": None},
            "c": None,
            "d": named(mesh),
        },
        r"shardings: a.b: .*P.*\('a'.*\) names axes of a mesh, but no devices": {
            "a": {"w": None, "b": jax.sharding.PartitionSpec("a")},
            "c": None,
        },
        r"c: .*unreduced.* is unreduced: the devices hold terms of a sum": {
            "a": None,
            "c": jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("a", unreduced={"b"})),
        },
    }
    for text, shardings in cases.items():
        with pytest.raises(ValueError, match=text):
            adapter.materialize(abstract, "normal", shardings=shardings)
    with pytest.raises(TypeError, match=r"shardings: c: a sharding must be .*, not 'rows'"):
        adapter.materialize(abstract, "normal", shardings={"a": None, "c": "rows"})
