"""Arrays of JAX on a GPU: the bits of those on the CPU, by every way to draw. They need a GPU."""

import functools

import numpy as np
import pytest
from adapted import DTYPES, adapter, bits, expected, jax
from support.frameworks import Framework

import weightinit_fast as wi

filling = Framework("weightinit_fast.jax.filling", after=jax)
frameworks = [filling]  # conftest.py imports it

SHAPE = (64, 24)
RULES = [
    ("normal", (), "normal(std=0.01)"),
    ("uniform", (), "uniform(high=0.01)"),
    ("truncated_normal", (), "truncated_normal(std=0.01)"),
    ("he_uniform", (), "he_uniform(layout='IO')"),
    ("orthogonal", (), "orthogonal(column_axis=-1)"),
    ("constant", (0.5,), "constant(value=0.5)"),
]


@pytest.fixture(autouse=True)
def gpu():
    """Return a GPU, which is JAX's default device for as long as the test runs."""
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("this machine has no GPU that JAX can use")
    with jax.default_device(device):
        yield device


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "arguments", "text"), RULES)
def test_values(gpu, name, arguments, text, dtype):
    init, key = getattr(adapter.initializers, name)(*arguments), jax.random.key(42)
    wanted = bits(expected(text, SHAPE, dtype, key))
    made = init(key, SHAPE, dtype)
    assert made.devices() == {gpu}
    assert bits(made) == wanted
    traced = jax.jit(functools.partial(init, shape=SHAPE, dtype=dtype))(key)
    assert traced.devices() == {gpu}
    assert bits(traced) == wanted


def test_transformations():
    init, keys = adapter.initializers.normal(), jax.random.split(jax.random.key(1), 4)
    text = "normal(std=0.01)"
    wanted = b"".join(bits(expected(text, SHAPE, "float32", key)) for key in keys)
    assert bits(jax.jit(jax.vmap(lambda key: init(key, SHAPE)))(keys)) == wanted
    _, scanned = jax.jit(lambda keys: jax.lax.scan(lambda c, k: (c, init(k, SHAPE)), 0, keys))(keys)
    assert bits(scanned) == wanted


def test_shardings_of_a_mesh_of_gpus_and_of_one_cpu(gpu):
    init, key, text = adapter.initializers.normal(), jax.random.key(42), "normal(std=0.01)"
    wanted = bits(expected(text, SHAPE, "float32", key))
    mesh = jax.sharding.Mesh(np.array([gpu]), ("a",))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("a"))
    cpu = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    for sharding in (spread, cpu):
        made = init(key, SHAPE, "float32", sharding)
        assert made.sharding.is_equivalent_to(sharding, 2)
        assert bits(made) == wanted
    there = init(jax.device_put(key, jax.devices("cpu")[0]), SHAPE)
    assert {device.platform for device in there.devices()} == {"cpu"}


@pytest.mark.parametrize("wave", [1 << 28, 5000])
def test_materialize(gpu, wave, monkeypatch):
    """Waves of host memory, each of which may go only when the device has fetched it."""
    monkeypatch.setattr(filling._module, "_WAVE_BYTES", wave)
    shapes = {f"w{k}": jax.ShapeDtypeStruct((30 + k, 40), "float32") for k in range(12)}
    shapes["q"] = jax.ShapeDtypeStruct((40, 40), "float32")
    recipe = {"q": "orthogonal", "*": "he_normal(layout='IO')"}
    cpu = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    mixed = {name: cpu if name == "w3" else None for name in shapes}
    for shardings, platform in ((None, "gpu"), (cpu, "cpu"), (mixed, None)):
        made = adapter.materialize(shapes, recipe, rng=0, shardings=shardings)
        for name, spec in shapes.items():
            rule = recipe.get(name, recipe["*"])
            wanted = wi.initializer(rule)(spec.shape, rng=0, stream=name)
            assert np.array_equal(made[name], wanted), name
            here = platform or ("cpu" if name == "w3" else "gpu")
            assert {device.platform for device in made[name].devices()} == {here}, name
