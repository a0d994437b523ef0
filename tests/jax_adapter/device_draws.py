"""Draw one array in many ways on 8 devices of the CPU, and print what each way came to.

The process needs ``XLA_FLAGS=--xla_force_host_platform_device_count=8``. It prints a dict of JSON:
the name of a check, and True or what was found instead. test_jax_devices.py starts it.
"""

import contextlib
import json
import math

import jax
import numpy as np

import weightinit_fast as wi
import weightinit_fast.jax
from weightinit_fast.jax import buffers, initializers

P = jax.sharding.PartitionSpec
KEY = jax.random.key(5)
SHAPE = (64, 24, 40)
CASES = {
    "he_normal": (
        initializers.he_normal(),
        "variance_scaling(scale=2, distribution='truncated_normal', layout='HIO')",
    ),
    "normal": (initializers.normal(0.02), "normal(std=0.02)"),
    "uniform": (initializers.uniform(), "uniform(high=0.01)"),
    "orthogonal": (initializers.orthogonal(), "orthogonal(column_axis=-1)"),
    "constant": (initializers.constant(0.1), "constant(value=0.1)"),
    "zeros": (initializers.zeros, "zeros"),
}
SPECS = [
    P(),
    P("a"),
    P(None, "b"),
    P("a", None, "b"),
    P(("a", "b")),
    P(("b", "a")),
    P("b", "a"),
    P(None, "a", "b"),
    P(None, None, ("a", "b")),
]
found = {}


def bits(array):
    """Return the bytes of an array."""
    return np.asarray(array).tobytes()


def check(name, value):
    """Note the outcome of a check."""
    found[name] = True if value is True else repr(value)


def same(text, dtype="float32", shape=SHAPE, key=KEY):
    """Return what NumPy's functions draw with the key of JAX."""
    return wi.initializer(text)(shape, dtype=dtype, rng=wi.jax.key(key))


def shardings(mesh):
    """Check every sharding of a mesh."""
    for dtype in ("float32", "bfloat16", "float8_e5m2"):
        for name, (init, text) in CASES.items():
            wanted = bits(same(text, dtype))
            for spec in SPECS:
                sharding = jax.sharding.NamedSharding(mesh, spec)
                made = init(KEY, SHAPE, dtype, sharding)
                case = f"{name} {dtype} {spec}"
                check(f"{case}: values", bits(made) == wanted)
                check(f"{case}: sharding", made.sharding.is_equivalent_to(sharding, len(SHAPE)))
                check(f"{case}: committed", made.committed is True)


def memory(mesh):
    """Check that each piece is drawn once, and that JAX takes it without a copy."""
    init, shape = wi.initializer("normal"), (1024, 1024)
    for spec, count in ((P("a"), 2), (P("a", "b"), 8), (P(), 1), (P(None, "b"), 4)):
        sharding = jax.sharding.NamedSharding(mesh, spec)
        pieces = buffers.Pieces(init, shape, np.dtype("float32"), sharding)
        check(f"pieces of {spec}", len(pieces.targets) == count)
        made = pieces.assemble()
        held = {s.data.unsafe_buffer_pointer() for s in made.addressable_shards}
        addresses = {target.array.ctypes.data for target in pieces.targets}
        check(f"no copy of {spec}", held == addresses)
        size = sum(target.array.size for target in pieces.targets)
        check(f"no replica of {spec}", size == math.prod(shape))


def placements(mesh):
    """Check where an array goes that has no out_sharding."""
    init, text = CASES["normal"]
    devices = jax.devices()
    made = init(KEY, SHAPE)
    check("default: device", made.devices() == {devices[0]})
    check("default: not committed", made.committed is False)
    check("default: as jax", jax.random.normal(KEY, (2,)).committed is False)
    with jax.default_device(devices[3]):
        check("default_device", init(KEY, SHAPE).devices() == {devices[3]})
    for raw in (False, True):
        there = jax.device_put(jax.random.PRNGKey(5) if raw else KEY, devices[5])
        made = init(there, SHAPE)
        check(f"key on a device, raw={raw}", made.devices() == {devices[5]})
        check(f"key on a device, raw={raw}: committed", made.committed is True)
        check(f"key on a device, raw={raw}: values", bits(made) == bits(same(text)))
        there = jax.device_put(KEY, jax.sharding.NamedSharding(mesh, P()))
        made = init(there, SHAPE)
        check(f"key on a mesh, raw={raw}", made.devices() == set(devices))
        check(f"key on a mesh, raw={raw}: values", bits(made) == bits(same(text)))
    single = jax.sharding.SingleDeviceSharding(devices[2])
    made = init(KEY, SHAPE, None, single)
    check("one device", (made.devices() == {devices[2]}) and bits(made) == bits(same(text)))


def meshes(mesh):
    """Check shardings whose mesh is that of jax.set_mesh, and shardings that do not fit."""
    init, text = CASES["normal"]
    named = jax.sharding.NamedSharding(mesh.abstract_mesh, P("a", "b"))
    if hasattr(jax.sharding, "get_mesh"):  # jax 0.7.0 has none
        context, those_of_the_mesh = jax.set_mesh(mesh), (P("a", "b"), named)
    else:
        context, those_of_the_mesh = contextlib.nullcontext(), ()
    with context:
        for out_sharding in those_of_the_mesh:
            made = init(KEY, SHAPE, None, out_sharding)
            wanted = jax.sharding.NamedSharding(mesh, P("a", "b"))
            case = type(out_sharding).__name__
            check(f"set_mesh, {case}", made.sharding.is_equivalent_to(wanted, 3))
            check(f"set_mesh, {case}: values", bits(made) == bits(same(text)))
        if those_of_the_mesh:
            made, theirs = (make(KEY, SHAPE) for make in (init, jax.nn.initializers.normal()))
            check("set_mesh, alone", made.sharding.is_equivalent_to(theirs.sharding, 3))
            check("set_mesh, alone: values", bits(made) == bits(same(text)))
            made = jax.vmap(lambda x: init(KEY, SHAPE) * x)(np.ones(2, np.float32))
            check("set_mesh, a known key in vmap", bits(made[1]) == bits(same(text)))
            other = jax.make_mesh((8,), ("a",)).abstract_mesh
            try:
                init(KEY, SHAPE, None, jax.sharding.NamedSharding(other, P("a")))
            except ValueError as raised:
                check("refused, another mesh", "that jax.set_mesh has set" in str(raised))
            else:
                check("refused, another mesh", "not refused")
    for name, out_sharding, shape, error in (
        ("no mesh", P("a"), SHAPE, ValueError),
        ("abstract", jax.sharding.NamedSharding(mesh.abstract_mesh, P("a")), SHAPE, ValueError),
        ("text", "a", SHAPE, TypeError),
        ("uneven", jax.sharding.NamedSharding(mesh, P("b")), (7, 3), ValueError),
        ("too long", jax.sharding.NamedSharding(mesh, P(None, None, "b")), (8, 8), ValueError),
    ):
        try:
            init(KEY, shape, None, out_sharding)
        except error as raised:
            check(f"refused, {name}", len(str(raised)) > 20)
        else:
            check(f"refused, {name}", "not refused")
    for shape, spec in (((), P()), ((0, 8), P("a")), ((8, 0), P("a"))):
        made = init(KEY, shape, None, jax.sharding.NamedSharding(mesh, spec))
        check(f"shape {shape}", bits(made) == bits(same(text, shape=shape)))


def replicas(mesh):
    """Check that no device changes what others hold, if an array is donated."""
    init, text = CASES["normal"]
    sharding = jax.sharding.NamedSharding(mesh, P())
    donated = init(KEY, SHAPE, None, sharding)
    shards = [shard.data for shard in donated.addressable_shards]
    more = jax.jit(lambda x: x + 1, donate_argnums=0, device=jax.devices()[0])
    pointer = shards[0].unsafe_buffer_pointer()
    first = more(shards[0])
    check("donated", shards[0].is_deleted() and float(first[0, 0, 0]) != 0)
    check("others stay", all(bits(shard) == bits(same(text)) for shard in shards[1:]))
    check("memory is not reused", first.unsafe_buffer_pointer() != pointer)


mesh = jax.make_mesh((2, 4), ("a", "b"))
for part in (shardings, memory, placements, meshes, replicas):
    part(mesh)
print(json.dumps(found))
