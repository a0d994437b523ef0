"""materialize(): what is drawn and how often, what is a leaf, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from jax_leaves import adapter, jax, mesh_of, named, same, spec
from jax_trees import KEY

import weightinit_fast as wi


def resident():
    """Return the bytes of this process that are in memory; 0 where no file tells."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0


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
