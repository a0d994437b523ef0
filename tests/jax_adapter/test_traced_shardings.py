"""Draws in functions that eight devices share: the same bits, and each device makes its block."""

import functools
import hashlib
import re

import numpy as np
import pytest
from jax_drawing import SHAPE, by_way, draw, draws, jax, jnp, library, same

import weightinit_fast as wi

frameworks = [draws]  # conftest.py imports it, and the others above


@pytest.fixture(scope="module", autouse=True)
def _needs_eight_devices():
    if len(jax.devices("cpu")) < 8:
        pytest.skip("JAX was started with fewer than eight devices")


@pytest.fixture
def key():
    return jax.random.key(7)


@pytest.fixture(params=[True, False], ids=["shardy", "gspmd"])
def partitioner(request):
    """Let each of XLA's two partitioners divide the programs."""
    before = jax.config.jax_use_shardy_partitioner
    if request.param == before:
        yield
        return
    jax.clear_caches()
    jax.config.update("jax_use_shardy_partitioner", request.param)
    yield
    jax.config.update("jax_use_shardy_partitioner", before)
    jax.clear_caches()


def P(*names):
    return jax.sharding.PartitionSpec(*names)


def mesh_of(*sizes, order=None, **kwargs):
    devices = np.array(jax.devices("cpu")[:8])
    devices = devices if order is None else devices[order]
    return jax.sharding.Mesh(devices.reshape(sizes), ("x", "y", "z")[: len(sizes)], **kwargs)


def on(mesh, *names):
    return jax.sharding.NamedSharding(mesh, P(*names))


def needs_ffi():
    if library.why_missing():
        pytest.skip(library.why_missing())


def calls(function, *args):
    """Return the shapes of the blocks that the calls of the engine make, and check the program.

    No device may tell another anything.
    """
    program = function.lower(*args).compile().as_text()
    assert not re.search("all-gather|all-reduce|all-to-all|collective", program)
    found = re.findall(r'\w+\[([\d,]*)\]\S* custom-call\(.*"weightinit_fast_draw"', program)
    assert found
    return [tuple(int(n) for n in text.split(",") if n) for text in found]


# jit with out_shardings ---------------------------------------------------------------------------

SPECS = [
    (("x",), (4, 24)),
    ((None, "x"), (16, 6)),
    (("x", "y"), (4, 12)),
    (("y", "x"), (8, 6)),
    ((("x", "y"),), (2, 24)),
    ((("y", "x"), None), (2, 24)),
    ((None, ("x", "y")), (16, 3)),
    ((), (16, 24)),
]


@pytest.mark.parametrize(("spec", "block"), SPECS)
def test_each_device_draws_its_block(partitioner, key, spec, block):
    needs_ffi()
    jitted = jax.jit(draw, out_shardings=on(mesh_of(4, 2), *spec))
    made = jitted(key)
    assert same(made, key)
    assert made.sharding.shard_shape(SHAPE) == block
    assert calls(jitted, key) == [block]


def test_devices_in_any_order(partitioner, key):
    order = [3, 0, 6, 1, 7, 5, 2, 4]
    for spec in (("x", "y"), ("z", None), (("z", "x"),), (None, ("y", "z"))):
        sharding = on(mesh_of(2, 2, 2, order=order), *spec)
        made = jax.jit(draw, out_shardings=sharding)(key)
        assert same(made, key)
        for shard in made.addressable_shards:
            assert np.array_equal(shard.data, np.asarray(made)[shard.index])


def test_one_digest(partitioner, monkeypatch, key):
    """One SHA-256: devices, shardings, replicas, uneven shapes, eager, jit, FFI and callback."""
    shape, digests = (10, 24, 7), set()

    def note(made):
        digests.add(hashlib.sha256(np.asarray(made).tobytes()).hexdigest())

    some = functools.partial(draw, shape=shape)
    note(some(key))
    mesh = mesh_of(4, 2)
    for way in ["callback"] if library.why_missing() else ["ffi", "callback"]:
        with by_way(way, monkeypatch):
            note(jax.jit(some)(key))
            for spec in ((None, "x"), (None, "y"), ("y", "x"), (None, ("x", "y")), ()):
                sharding = on(mesh, *spec)
                note(some(key, out_sharding=sharding))
                note(jax.jit(some, out_shardings=sharding)(key))
                note(jax.jit(functools.partial(some, out_sharding=sharding))(key))
            for spec in (("x",), ("x", "y"), (None, None, "x"), ("y", None, "x")):  # uneven
                constrain = functools.partial(some, out_sharding=on(mesh, *spec))
                # The result has a sharding that JAX 0.12 can name, as not every one is.
                times_one = jax.jit(lambda k, f=constrain: f(k) * 1, out_shardings=on(mesh))
                note(times_one(key))
    note(draws_whole(shape, key))
    assert len(digests) == 1


def draws_whole(shape, key):
    import weightinit_fast as wi  # noqa: PLC0415

    return wi.normal(shape, mean=0.5, std=0.02, rng=wi.jax.key(key))


def test_uneven_blocks_are_padded(partitioner, key):
    needs_ffi()
    for shape in ((10, 7), (5, 9), (3, 1), (1, 13)):
        sharding = on(mesh_of(4, 2), "x", "y")

        def function(k, shape=shape, sharding=sharding):
            made = draw(k, shape=shape, out_sharding=sharding)
            return made * 1, jnp.cumsum(made, 0)

        made, sums = jax.jit(function, out_shardings=on(mesh_of(4, 2)))(key)
        assert same(made, key, shape=shape)
        np.testing.assert_allclose(sums, np.cumsum(np.asarray(made), 0), rtol=1e-6)


def test_positions_take_no_memory(key):
    needs_ffi()
    jitted = jax.jit(functools.partial(draw, shape=(1 << 22,)), out_shardings=on(mesh_of(8), "x"))
    memory = jitted.lower(key).compile().memory_analysis()
    assert memory.output_size_in_bytes == 4 << 19  # of a device
    assert memory.temp_size_in_bytes < 1024


def test_a_longer_axis_than_a_partitioner_knows_is_not_divided(key):
    needs_ffi()
    jitted = jax.jit(functools.partial(draw, shape=(1 << 31,), dtype="float8_e5m2"))
    text = jitted.lower(key).as_text()
    assert "weightinit_fast_draw" in text
    assert "CustomSPMDPartitioning" not in text


# Batches ------------------------------------------------------------------------------------------


def test_a_batch_is_shared_too(partitioner, key):
    needs_ffi()
    keys = jax.random.split(key, 8)
    jitted = jax.jit(jax.vmap(draw), out_shardings=on(mesh_of(4, 2), "x", None, "y"))
    made = jitted(keys)
    assert all(same(made[k], keys[k]) for k in range(8))
    assert calls(jitted, keys) == [(2, 16, 12)]


def test_a_batch_follows_its_keys(partitioner, key):
    needs_ffi()
    keys = jax.device_put(jax.random.split(key, 8), on(mesh_of(4, 2), "x"))
    jitted = jax.jit(jax.vmap(draw))
    made = jitted(keys)
    assert all(same(made[k], keys[k]) for k in range(8))
    assert calls(jitted, keys) == [(2, 16, 24)]


def test_scan_over_layers_on_devices(partitioner, key):
    keys = jax.random.split(key, 5)

    def stack(keys):
        return jax.lax.scan(lambda c, k: (c, draw(k)), 0, keys)[1]

    made = jax.jit(stack, out_shardings=on(mesh_of(4, 2), None, "x", "y"))(keys)
    assert all(same(made[k], keys[k]) for k in range(5))


def test_pmap(key):
    keys = jax.random.split(key, 8)
    made = jax.pmap(draw)(keys)
    assert all(same(made[k], keys[k]) for k in range(8))


# shard_map ----------------------------------------------------------------------------------------


def shard_map(*args, **kwargs):
    if not hasattr(jax, "shard_map"):
        pytest.skip("this jax has no jax.shard_map")
    return jax.shard_map(*args, **kwargs)


@pytest.mark.parametrize("way", ["ffi", "callback"])
def test_shard_map(way, monkeypatch, key):
    """Within shard_map, a draw is of the device alone: the function says with which key."""
    if way == "ffi":
        needs_ffi()

    def body(k):
        return draw(jax.random.fold_in(k, jax.lax.axis_index("x")), shape=(4, 6))

    with by_way(way, monkeypatch):
        mapped = shard_map(body, mesh=mesh_of(4, 2), in_specs=P(), out_specs=P("x"))
        made = jax.jit(mapped)(key)
        for k in range(4):
            assert same(made[4 * k : 4 * k + 4], jax.random.fold_in(key, k), shape=(4, 6))
        mapped = shard_map(draw, mesh=mesh_of(4, 2), in_specs=P(), out_specs=P())
        assert same(jax.jit(mapped)(key), key)


def test_shard_map_over_some_axes_of_the_mesh(key):
    needs_ffi()

    def body(k):
        return draw(jax.random.fold_in(k, jax.lax.axis_index("x")), shape=(4, 6))

    mesh = mesh_of(4, 2)
    mapped = shard_map(body, mesh=mesh, in_specs=P(), out_specs=P("x"), axis_names={"x"})
    jitted = jax.jit(mapped, out_shardings=on(mesh, "x", "y"))
    made = jitted(key)
    for k in range(4):
        assert same(made[4 * k : 4 * k + 4], jax.random.fold_in(key, k), shape=(4, 6))
    assert calls(jitted, key) == [(4, 3)]


def test_python_is_not_called_where_xla_has_axes_of_a_shard_map(key):
    body = functools.partial(draw, init="orthogonal")
    mapped = shard_map(body, mesh=mesh_of(4, 2), in_specs=P(), out_specs=P(), axis_names={"x"})
    with pytest.raises(NotImplementedError, match="callbacks"):
        jax.jit(mapped)(key)


# Explicit axes, and meshes of the context ---------------------------------------------------------


def set_mesh(kind):
    if not hasattr(jax, "set_mesh"):
        pytest.skip("this jax has no jax.set_mesh")
    kind = getattr(jax.sharding.AxisType, kind)
    return jax.set_mesh(jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind, kind)))


def test_explicit_axes(key):
    needs_ffi()
    with set_mesh("Explicit"):
        jitted = jax.jit(lambda k: draw(k, out_sharding=P("x", "y")))
        made = jitted(key)
        assert same(made, key)
        assert jax.typeof(made).sharding.spec == P("x", "y")
        assert calls(jitted, key) == [(4, 12)]
        assert same(jax.jit(draw)(key), key)
        keys = jax.sharding.reshard(jax.random.split(key, 8), P("x"))
        stack = jax.jit(jax.vmap(draw))(keys)
        assert stack.sharding.spec == P("x", None, None)
        made = np.asarray(stack)
    assert all(same(made[k], jax.random.split(key, 8)[k]) for k in range(8))


def test_automatic_axes_of_a_context(key):
    needs_ffi()
    with set_mesh("Auto"):
        jitted = jax.jit(lambda k: draw(k, out_sharding=P("x", "y")))
        assert same(jitted(key), key)
        assert jitted(key).sharding.spec == P("x", "y")
        assert calls(jitted, key) == [(4, 12)]
        abstract = jax.sharding.NamedSharding(jax.sharding.get_abstract_mesh(), P("y"))
        made = jax.jit(lambda k: draw(k, out_sharding=abstract))(key)
        assert same(made, key)
        assert made.sharding.spec == P("y")


def test_constants_are_shared_too(partitioner, key):
    made = jax.jit(functools.partial(draw, init="ones", out_sharding=on(mesh_of(4, 2), "x")))(key)
    assert same(made, key, "ones")
    assert made.sharding.spec == P("x")


@pytest.mark.parametrize("dtype", ["float32", "int32", "complex64"])
@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
def test_constants_of_every_type_are_shared(key, kind, dtype):
    """JAX's own function shares them over explicit axes of the mesh of jax.set_mesh alone."""
    if not hasattr(jax, "set_mesh"):
        pytest.skip("this JAX has no jax.set_mesh")
    axis = getattr(jax.sharding.AxisType, kind)
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(axis, axis))
    sharding = on(mesh, "x", "y")

    def make(value):
        return wi.jax.initializers.constant(value)(key, SHAPE, dtype, sharding)

    columns = np.arange(24)
    with jax.set_mesh(mesh):
        made = [jax.jit(functools.partial(make, value))() for value in (1, 1.5, columns)]
        made.append(jax.jit(make)(columns))
    made += [make(value) for value in (1, 1.5, columns)]
    for array, value in zip(made, (1, 1.5, columns, columns, 1, 1.5, columns), strict=True):
        assert np.array_equal(array, np.broadcast_to(value, SHAPE).astype(dtype))
        assert array.sharding.is_equivalent_to(sharding, 2)


def test_the_text_of_a_program_tells_what_is_drawn(key, partitioner):
    """JAX's cache on the disk looks programs up by their text, without addresses on request."""
    needs_ffi()

    def text(init):
        jitted = jax.jit(functools.partial(draw, init=init), out_shardings=on(mesh_of(8), "x"))
        found, addresses = re.subn(r'backend_config = "\d+"', "", jitted.lower(key).as_text())
        assert addresses == 1
        return found

    inits = (
        "normal(std=1.0)",
        "normal(std=2.0)",
        "normal(mean=1.0)",
        "uniform(low=0.0, high=1.0)",
        "truncated_normal",
        "truncated_normal(lower=-1.0)",
    )
    texts = [text(init) for init in inits]
    assert len(set(texts)) == len(inits)
    assert text(inits[0]) == texts[0]
