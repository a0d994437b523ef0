"""Draws inside of jit, vmap, scan, remat, grad and export: the bits of NumPy's arrays."""

import functools
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from jax_drawing import (
    BY_PYTHON,
    CONSTANTS,
    DTYPES,
    INITIALISERS,
    SHAPE,
    bits,
    by_way,
    draw,
    draws,
    jax,
    jnp,
    library,
    same,
)
from support.frameworks import Framework

import weightinit_fast as wi

traced = Framework("weightinit_fast.jax.traced", after=jax)
frameworks = [draws]  # conftest.py imports it, and the others above


@pytest.fixture(params=["ffi", "callback"])
def way(request, monkeypatch):
    """Draw by calls of the engine, and by calls of Python."""
    if request.param == "ffi" and library.why_missing():
        pytest.skip(library.why_missing())
    with by_way(request.param, monkeypatch):
        yield request.param


@pytest.fixture
def key():
    return jax.random.key(7)


# Identity -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", [*INITIALISERS, *BY_PYTHON, *CONSTANTS])
def test_jit_has_the_bits_of_numpy(way, key, init):
    assert same(jax.jit(functools.partial(draw, init=init))(key), key, init)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (1, 1), (2, 3, 4, 5), (70_001, 3)])
def test_every_type_and_rank(way, key, dtype, shape):
    made = jax.jit(functools.partial(draw, shape=shape, dtype=dtype))(key)
    assert made.shape == shape
    assert made.dtype == dtype
    assert same(made, key, shape=shape, dtype=dtype)


def test_float64_where_jax_has_it(way, key):
    switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    with switch(True):
        made = jax.jit(functools.partial(draw, dtype="float64"))(key)
        assert made.dtype == "float64"
        assert same(made, key, dtype="float64")


@pytest.mark.parametrize(
    "init", ["uniform(low=-1e-40, high=1e-40)", "normal(std=1e-40)", "constant(value=1e-42)"]
)
def test_subnormal_numbers(way, key, init):
    """XLA's threads flush them to zero; the engine does not."""
    assert same(jax.jit(functools.partial(draw, init=init))(key), key, init)
    assert same(
        jax.jit(functools.partial(draw, init=init, shape=(999, 999)))(key),
        key,
        init,
        shape=(999, 999),
    )


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
@pytest.mark.parametrize("raw", [False, True])
def test_all_words_of_the_key_count(way, impl, raw):
    key = jax.random.key(123456789, impl=impl)
    given = jax.random.key_data(key) if raw else key
    assert same(jax.jit(draw)(given), key)


def test_a_large_draw_on_several_threads(way, key):
    shape = (3_000, 1_001)
    assert same(jax.jit(functools.partial(draw, shape=shape))(key), key, shape=shape)


@pytest.mark.parametrize("init", ["normal(std=0.02)", "orthogonal"])
@pytest.mark.parametrize("stream", [5, 2**64 - 1])
def test_another_stream(way, key, init, stream):
    init = wi.initializer(init)

    def function(words):
        padded = jnp.pad(words, (0, 2))
        return traced.draw(init, padded, SHAPE, np.dtype("float32"), None, stream=stream)

    made = jax.jit(function)(jax.random.key_data(key))
    wanted = init(SHAPE, rng=wi.jax.key(key), stream=stream)
    assert np.asarray(made).tobytes() == wanted.tobytes()


def test_initializers_draw_so(way, key):
    init = wi.jax.initializers.he_normal()
    eager = init(key, SHAPE)
    assert np.asarray(jax.jit(lambda k: init(k, SHAPE))(key)).tobytes() == (
        np.asarray(eager).tobytes()
    )


# Transformations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["normal", "orthogonal", "ones"])
def test_vmap_over_keys(way, key, init):
    keys = jax.random.split(key, 3)
    made = jax.vmap(functools.partial(draw, init=init))(keys)
    assert made.shape == (3, *SHAPE)
    assert all(same(made[k], keys[k], init) for k in range(3))


def test_vmap_of_vmap_and_other_axes(way, key):
    keys = jax.random.split(key, (3, 4))
    made = jax.jit(jax.vmap(jax.vmap(draw), in_axes=1, out_axes=2))(keys)
    assert made.shape == (3, 16, 4, 24)
    assert all(same(made[i, :, j], keys[i, j]) for i in range(3) for j in range(4))


def test_vmap_without_jit(way, key):
    keys = jax.random.split(key, 2)
    with jax.disable_jit():
        made = jax.vmap(draw)(keys)
    assert all(same(made[k], keys[k]) for k in range(2))


def test_vmap_over_no_keys_and_over_something_else(way, key):
    none = jax.random.split(key, 1)[:0]
    assert jax.jit(jax.vmap(draw))(none).shape == (0, *SHAPE)
    made = jax.vmap(lambda k, x: draw(k) * x, in_axes=(None, 0), out_axes=1)(key, jnp.arange(3.0))
    assert same(made[:, 1], key)


def test_scan_over_layers(way, key):
    keys = jax.random.split(key, 5)
    made = jax.jit(lambda keys: jax.lax.scan(lambda c, k: (c, draw(k)), 0, keys)[1])(keys)
    assert all(same(made[k], keys[k]) for k in range(5))


def test_cond_and_loops(way, key):
    made = jax.jit(lambda k, b: jax.lax.cond(b, draw, lambda k: jnp.zeros(SHAPE), k))(key, True)
    assert same(made, key)

    def add(i, total):
        return total + draw(jax.random.fold_in(key, i))

    total = jax.jit(lambda: jax.lax.fori_loop(0, 3, add, jnp.zeros(SHAPE)))()
    wanted = sum(np.asarray(draw(jax.random.fold_in(key, i))) for i in range(3))
    np.testing.assert_allclose(total, wanted, rtol=1e-5)


def test_remat_draws_again_and_gradients_pass_by(way, key):
    def loss(x, k):
        return jnp.sum(jnp.sin(jax.checkpoint(draw)(k) * x))

    made = np.asarray(draw(key))
    gradient = jax.jit(jax.grad(loss))(2.0, key)
    np.testing.assert_allclose(gradient, (np.cos(made * 2) * made).sum(), rtol=1e-4)


def test_the_derivative_by_a_key_is_zero(way):
    raw = jax.random.PRNGKey(3)
    primal, tangent = jax.jvp(draw, (raw,), (np.zeros(2, jax.dtypes.float0),))
    assert same(primal, raw)
    assert not np.asarray(tangent).any()
    assert jax.grad(lambda k: draw(k).sum(), allow_int=True)(raw).dtype == jax.dtypes.float0


def test_eval_shape_draws_nothing(monkeypatch, key):
    monkeypatch.setattr(library._module, "why_missing", lambda: pytest.fail("it was lowered"))
    made = jax.eval_shape(functools.partial(draw, shape=(1 << 20, 1 << 20)), key)
    assert made.shape == (1 << 20, 1 << 20)
    assert made.dtype == "float32"


def test_equal_initialisers_share_a_compiled_program(way):
    count = 0

    def function(key):
        nonlocal count
        count += 1
        return draw(key, "normal(std=0.5)")

    jitted = jax.jit(function)
    for seed in range(3):
        jitted(jax.random.key(seed))
    assert count == 1
    assert jitted._cache_size() == 1


def test_programs_hold_no_values(key):
    """A key that is known when a function is traced becomes a part of the program."""
    program = jax.jit(lambda: draw(key, shape=(300, 300))).lower().as_text()
    assert len(program) < 10_000
    assert same(jax.jit(lambda: draw(key))(), key)


def test_the_program_says_what_is_drawn(key):
    text = str(jax.make_jaxpr(draw)(key))
    assert "weightinit_fast_draw[" in text
    assert "what=normal(mean=0.5, std=0.02) float32[16, 24]" in text


def test_donated_memory(way, key):
    jitted = jax.jit(lambda old, k: old + draw(k), donate_argnums=0)
    old = jnp.zeros(SHAPE)
    assert np.array_equal(jitted(old, key), np.asarray(draw(key)))
    assert old.is_deleted()


# Refusals -----------------------------------------------------------------------------------------


def test_what_is_wrong_is_said_when_the_function_is_traced(key):
    with pytest.raises(ValueError, match="overflows"):
        jax.eval_shape(functools.partial(draw, init="normal(std=1e6)", dtype="float16"), key)
    with pytest.raises(ValueError, match="two axes"):
        jax.eval_shape(functools.partial(draw, init="identity", shape=(3,)), key)
    with pytest.raises(TypeError, match="int32"):
        jax.eval_shape(functools.partial(draw, dtype="int32"), key)


# Export -------------------------------------------------------------------------------------------


def exported(function, *args):
    """Export a function whose target is allowed, and load what was exported."""
    export = pytest.importorskip("jax.export")
    check = export.DisabledSafetyCheck.custom_call(library.TARGET)
    made = export.export(function, disabled_checks=[check])(*args)
    try:
        return export.deserialize(made.serialize())
    except ImportError:  # without the package flatbuffers there are no files
        return made


@pytest.mark.parametrize("init", INITIALISERS)
def test_exported_programs_call_the_engine(key, init):
    if library.why_missing():
        pytest.skip(library.why_missing())
    program = exported(jax.jit(functools.partial(draw, init=init)), key)
    assert same(jax.jit(program.call)(key), key, init)


def test_an_exported_program_of_several_devices(key):
    if library.why_missing():
        pytest.skip(library.why_missing())
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(-1, 2), ("x", "y"))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x", "y"))
    program = exported(jax.jit(draw, out_shardings=sharding), key)
    jitted = jax.jit(program.call, out_shardings=sharding)
    assert same(jitted(key), key)
    # Every device makes the whole.
    assert re.search(r"f32\[16,24\]\S* custom-call", jitted.lower(key).compile().as_text())


LOAD = """
import sys, jax, jax.export
from pathlib import Path
if sys.argv[2] == "first":
    import weightinit_fast.jax
program = jax.export.deserialize(bytearray(Path(sys.argv[1]).read_bytes()))
try:
    made = program.call(jax.random.key(7))
except jax.errors.JaxRuntimeError as error:
    print("refused", "weightinit_fast_draw" in str(error))
else:
    print(bytes(made).hex())
"""


@pytest.mark.process
def test_a_process_that_loads_a_program_imports_the_adapter(tmp_path, key):
    pytest.importorskip("flatbuffers")
    if library.why_missing():
        pytest.skip(library.why_missing())
    export = pytest.importorskip("jax.export")
    check = export.DisabledSafetyCheck.custom_call(library.TARGET)
    program = export.export(jax.jit(draw), disabled_checks=[check])(key)
    (tmp_path / "program").write_bytes(program.serialize())

    def loaded(how):
        command = [sys.executable, "-W", "ignore", "-c", LOAD, str(tmp_path / "program"), how]
        environment = os.environ | {"JAX_PLATFORMS": "cpu"}
        shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return shown.stdout.strip()

    assert loaded("first") == bits(key).hex()
    assert loaded("never") == "refused True"


def test_the_target_has_to_be_allowed(key):
    if library.why_missing():
        pytest.skip(library.why_missing())
    export = pytest.importorskip("jax.export")
    with pytest.raises(ValueError, match="no compatibility guarantees"):
        export.export(jax.jit(draw))(key)


# The library --------------------------------------------------------------------------------------


def test_info_tells_whether_the_handler_was_built():
    missing = library.why_missing()
    assert wi.info()["xla_ffi"] == (missing is None or "was built without" not in missing)


def test_a_library_that_is_missing_or_foreign(monkeypatch, tmp_path):
    load = library._registered.__wrapped__
    monkeypatch.setattr(library._module, "xla_library", lambda: str(tmp_path / "none.so"))
    assert "was built without XLA's header" in load()
    (tmp_path / "text.so").write_text("no library")
    monkeypatch.setattr(library._module, "xla_library", lambda: str(tmp_path / "text.so"))
    assert "cannot be used: " in load()


def test_threads_that_register_at_the_same_time(monkeypatch):
    """The library is given the engine once, since it may be drawing afterwards."""
    if library.why_missing():
        pytest.skip(library.why_missing())
    registered, begin = [], threading.Barrier(8)

    def register(*arguments, **options):
        registered.append(arguments)
        time.sleep(0.05)  # another thread runs meanwhile

    def work():
        begin.wait()
        assert library._register() is None

    monkeypatch.setattr(library._module.jax.ffi, "register_ffi_target", register)
    library._registered.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert len(registered) == 1


def test_the_api_that_this_jax_has_was_tried():
    assert 1 <= library._api_of_xla() <= library.NEWEST_API


def test_bits_depend_on_the_key(key):
    assert bits(key) != bits(jax.random.key(8))
