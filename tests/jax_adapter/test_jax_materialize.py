"""materialize(): one digest for every sharding, what is a leaf, where it goes, what is refused."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
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
from jax_trees import jax as jax  # noqa: PLC0414  the fixture imports it
from support.frameworks import Framework

import weightinit_fast as wi

adapter = Framework("weightinit_fast.jax")
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


@pytest.fixture
def devices():
    found = jax.devices()
    if len(found) != 8:
        pytest.skip("the devices of JAX were made before XLA_FLAGS could ask for 8")
    return found


@pytest.fixture
def fills(monkeypatch):
    """List what each call of fill_all fills."""
    found = []

    def recording(draws, *arguments):
        listed = list(draws)
        found.append([target for _, target, _ in listed])
        return fill_all(listed, *arguments)

    fill_all = filling._module.fill_all
    monkeypatch.setattr(filling._module, "fill_all", recording)
    return found


def spec(*shape, dtype="float32", sharding=None):
    return jax.ShapeDtypeStruct(shape, np.dtype(dtype), sharding=sharding)


def mesh_of(devices, *shape, names=("a", "b")):
    return jax.sharding.Mesh(np.array(devices).reshape(shape), names[: len(shape)])


def named(mesh, *axes, **others):
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes), **others)


def same(array, init, shape, stream, dtype="float32", rng=KEY):
    wanted = wi.initializer(init)(shape, dtype=dtype, rng=rng, stream=stream)
    found = np.asarray(array)
    return found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()


def resident():
    """Return the bytes of this process that are in memory; 0 where no file tells."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0


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


# What is drawn, and how often ---------------------------------------------------------------------


def test_each_shard_is_drawn_once_in_one_fill(devices, fills):
    plane = mesh_of(devices, 2, 4)
    abstract = {
        "both": spec(16, 8, sharding=named(plane, "a", "b")),
        "rows": spec(16, 8, sharding=named(plane, "a")),
        "all": spec(256, 128, sharding=named(plane)),
        "none": spec(3),
    }
    tree = adapter.materialize(abstract, "normal", rng=KEY)
    (fill,) = fills
    assert len(fill) == 8 + 2 + 1 + 1
    assert sum(target.array.size for target in fill) == 2 * 16 * 8 + 256 * 128 + 3
    # All devices hold the memory that was filled.
    held = {shard.data.unsafe_buffer_pointer() for shard in tree["all"].addressable_shards}
    assert held == {t.array.ctypes.data for t in fill if t.array.size == 256 * 128}


def test_a_donated_array_leaves_the_memory_of_its_replicas_alone(devices, fills):
    sharding = named(mesh_of(devices, 8), None)
    abstract = {"w": spec(256, 128, sharding=sharding)}
    array = adapter.materialize(abstract, "normal", rng=KEY)["w"]
    found = jax.jit(lambda x: x * 2, donate_argnums=0)(array)
    ((target,),) = fills
    assert array.is_deleted()
    assert same(target.array, "normal", (256, 128), "w")
    for shard in found.addressable_shards:
        assert (np.asarray(shard.data) == 2 * target.array).all()


def test_zeros_are_not_written(fills):
    abstract = {"a": spec(4096, 4096), "b": spec(4)}
    before = resident()
    tree = adapter.materialize(abstract, {"a": "zeros", "b": "normal"}, rng=1)
    assert resident() - before < 32 << 20  # a has 64 MiB
    assert len(fills[0]) == 2
    assert not np.asarray(tree["a"]).any()
    assert same(tree["b"], "normal", 4, "b", rng=1)


def test_a_whole_is_drawn_by_itself(devices, fills):
    """Only one tensor at a time is in memory beside its shards."""
    rows = named(mesh_of(devices, 8), "a")
    abstract = {name: spec(16, 8, sharding=rows) for name in "abc"} | {"d": spec(8)}
    tree = adapter.materialize(abstract, {"d": "ones", "*": "orthogonal"}, rng=KEY)
    assert [len(fill) for fill in fills] == [1, 1, 1, 1]
    assert all(same(tree[name], "orthogonal", (16, 8), name) for name in "abc")


def test_what_is_no_weight_is_left():
    class Opaque:
        pass

    class Foreign:
        shape, dtype = (3,), object()

    left = {
        "int": spec(3, dtype="int32"),
        "bool": spec(2, dtype="bool"),
        "count": np.arange(3, dtype=np.uint32),
        "key": jax.eval_shape(lambda: jax.random.key(0)),
        "real_key": jax.random.key(0),
        "float0": np.zeros(2, jax.dtypes.float0),
        "python": [1.5, 2, "text", Opaque()],
        "numpy": np.float32(2),
        "function": jax.nn.relu,
        "texts": np.array(["a", "b"]),
        "foreign": Foreign(),
    }
    tree = adapter.materialize(left | {"none": None, "w": spec(2)}, "normal", rng=KEY)
    assert tree["none"] is None
    assert same(tree["w"], "normal", 2, "w")
    for name, leaf in left.items():
        pairs = zip(tree[name], leaf, strict=True) if name == "python" else [(tree[name], leaf)]
        assert all(found is given for found, given in pairs)
    nothing = {"steps": 3}
    assert adapter.materialize(nothing, {"*.bias": "zeros"}) == nothing


def test_arrays_stand_for_their_shapes(devices):
    rows = named(mesh_of(devices, 8), "a")
    given = {
        "numpy": np.ones((3, 2), np.float16),
        "jax": jax.numpy.ones((8, 2)),
        "sharded": jax.device_put(np.ones((8, 2), np.float32), rows),
        "aval": jax.typeof(jax.numpy.ones(5)),
    }
    tree = adapter.materialize(given, "normal", rng=KEY)
    assert same(tree["numpy"], "normal", (3, 2), "numpy", "float16")
    assert same(tree["sharded"], "normal", (8, 2), "sharded")
    assert same(tree["aval"], "normal", 5, "aval")
    assert tree["sharded"].sharding == rows
    assert not tree["jax"].committed
    assert given["numpy"].all()
    assert np.asarray(given["sharded"]).all()


def test_dtype():
    abstract = {"a": spec(4, 2), "b": spec(3, dtype="float8_e4m3b11fnuz"), "n": spec(2, dtype="i4")}
    for dtype in ("bfloat16", jax.numpy.float8_e5m2, np.float16):
        tree = adapter.materialize(abstract, "normal", rng=KEY, dtype=dtype)
        assert same(tree["a"], "normal", (4, 2), "a", dtype)
        assert same(tree["b"], "normal", 3, "b", dtype)
        assert tree["n"] is abstract["n"]
    with pytest.raises(TypeError, match=r"1 of the leaves cannot be drawn, .*: c \(complex64\)"):
        adapter.materialize({"c": spec(2, dtype="complex64")}, "normal", dtype="float32")
    with pytest.raises(TypeError, match=r"b \(float8_e4m3b11fnuz\)"):
        adapter.materialize(abstract, "normal")
    with pytest.raises(TypeError, match=r"dtype must be one of float32, .*, not int8"):
        adapter.materialize(abstract, "normal", dtype="int8")


def test_float64_only_where_jax_has_it():
    abstract = {"a": spec(4, 2, dtype="float64"), "b": spec(3)}
    with pytest.raises(ValueError, match=r"no arrays of float64, which is the type of a: call jax"):
        adapter.materialize(abstract, "normal", rng=KEY)
    jax.config.update("jax_enable_x64", True)
    try:
        tree = adapter.materialize(abstract, "normal", rng=KEY)
        assert same(tree["a"], "normal", (4, 2), "a", "float64")
    finally:
        jax.config.update("jax_enable_x64", False)


def test_keys():
    abstract = {"w": spec(4, 2)}
    jax_key = jax.random.key(7)
    for rng in (jax_key, jax.random.key_data(jax_key)):
        found = adapter.materialize(abstract, "normal", rng=rng)["w"]
        assert same(found, "normal", (4, 2), "w", rng=adapter.key(jax_key))
    found = adapter.materialize(abstract, "normal", rng=7)["w"]
    assert same(found, "normal", (4, 2), "w", rng=7)
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    adapter.materialize(abstract | {"v": spec(2)}, "normal", rng=ours)
    wi.key(theirs)
    assert ours.bit_generator.state == theirs.bit_generator.state
    first, second = (adapter.materialize(abstract, "normal")["w"] for _ in range(2))
    assert (first != second).any()
    with pytest.raises(ValueError, match="one key is needed, not an array of keys"):
        adapter.materialize(abstract, "normal", rng=jax.random.split(jax_key))


# Names and ties -----------------------------------------------------------------------------------


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


# Refusals -----------------------------------------------------------------------------------------


def test_everything_is_checked_before_anything_is_drawn(fills):
    abstract = {"a": spec(4, 2), "b": spec(4), "c": spec(4, 2, dtype="float16")}
    cases = {
        r"no rule of the recipe matches 2 tensors: b, c; the patterns are a": {"a": "normal"},
        r"b: shape \(4,\) has no fans": "he_normal",
        r"c: mean=0.0, std=1000000.0 overflows float16": "normal(std=1e6)",
    }
    for text, recipe in cases.items():
        with pytest.raises(ValueError, match=text):
            adapter.materialize(abstract, recipe, rng=KEY)
    with pytest.raises(TypeError, match=r"2 of the leaves cannot be drawn.*d \(complex64\), e"):
        adapter.materialize(
            abstract | {"d": spec(2, dtype="complex64"), "e": spec(2, dtype="float8_e3m4")}, "ones"
        )
    generator, other = np.random.default_rng(3), np.random.default_rng(3)
    with pytest.raises(ValueError, match=r"threads must be in .*, not -1"):
        adapter.materialize(abstract, "normal", rng=generator, threads=-1)
    assert generator.bit_generator.state == other.bit_generator.state
    assert not fills


def test_other_refusals():
    with pytest.raises(
        TypeError, match="does not say how its arrays are initialised: pass a recip"
    ):
        adapter.materialize({"w": spec(1)}, None)
    with pytest.raises(ValueError, match=r"single leaf, which has no name: pass a tree, such as"):
        adapter.materialize(spec(3), "normal")
    with pytest.raises(ValueError, match=r"two leaves of one name, .* values: a.b. Rename"):
        adapter.materialize({"a.b": spec(1), "a": {"b": spec(1)}}, "normal")
    with pytest.warns(UserWarning, match=r"the pattern \*.bias of the recipe takes no tensor"):
        adapter.materialize({"w": spec(1)}, {"*.bias": "zeros", "*": "normal"})


def test_inside_of_functions_that_jax_traces():
    def draw(x):
        return adapter.materialize({"w": spec(3)}, "normal", rng=KEY)["w"] + x

    with pytest.raises(TypeError, match=r"which a function that jax.jit .* traces cannot do: call"):
        jax.jit(draw)(1.0)
    with pytest.raises(TypeError, match=r"by the functions of .*, and these leaves are traced: w"):
        jax.jit(lambda x: adapter.materialize({"w": x}, "normal"))(jax.numpy.ones(3))
