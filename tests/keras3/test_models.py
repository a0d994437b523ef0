"""Whole models: files, mixed precision, quantised and LoRA layers, training."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from keras_cases import adapter, array, bits, keras, ours

BATCH = np.linspace(-1, 1, 24, dtype="float32").reshape(3, 8)


def classifier(dtype=None, streams=("a", "b")):
    init, layers = adapter.initializers, keras.layers
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(
                16, name="a", dtype=dtype, kernel_initializer=init.HeNormal(3, stream=streams[0])
            ),
            layers.Dense(
                4,
                name="b",
                dtype=dtype,
                kernel_initializer=init.Orthogonal(seed=3, stream=streams[1]),
                bias_initializer=init.Constant(0.5),
            ),
        ],
        name="net",
    )


LAW = "variance_scaling(scale=2, distribution='truncated_normal', layout='IO')"


def test_save_and_load(tmp_path):
    model = classifier()
    wanted = array(model(BATCH))
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert bits(array(loaded(BATCH))) == bits(wanted)
    init = loaded.get_layer("a").kernel_initializer
    assert type(init) is adapter.initializers.HeNormal
    assert init.get_config() == model.get_layer("a").kernel_initializer.get_config()
    fresh = keras.Sequential.from_config(json.loads(json.dumps(loaded.get_config())))
    kernel = array(fresh.get_layer("a").kernel)
    assert bits(kernel) == bits(ours(LAW, (8, 16), rng=3, stream="a"))
    loaded.save_weights(tmp_path / "net.weights.h5")
    adapter.initialize(loaded, "zeros")
    loaded.load_weights(tmp_path / "net.weights.h5")
    assert bits(array(loaded(BATCH))) == bits(wanted)


@pytest.mark.process
@pytest.mark.parametrize("stream", [0, "a"])
@pytest.mark.parametrize("imported", [True, False])
def test_load_in_another_process(tmp_path, imported, stream):
    """Without streams, Keras's classes stand for those of a package that is not imported."""
    model = classifier(streams=(stream, stream))
    model.save(tmp_path / "net.keras")
    np.save(tmp_path / "wanted.npy", array(model(BATCH)))
    script = (
        "import keras, numpy as np\n"
        + "import weightinit_fast.keras\n" * imported
        + "model = keras.models.load_model('net.keras')\n"
        "found = keras.ops.convert_to_numpy(model(np.load('batch.npy')))\n"
        "assert (found == np.load('wanted.npy')).all()\n"
    )
    np.save(tmp_path / "batch.npy", BATCH)
    command = [sys.executable, "-c", script]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    if imported or stream == 0:
        assert run.returncode == 0, run.stderr
    else:
        assert "unexpected keyword argument 'stream'" in run.stderr


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"])
def test_precision(policy):
    model = classifier(policy)
    stored = "float32" if policy.startswith("mixed") else policy
    kernel = model.get_layer("a").kernel
    assert keras.backend.standardize_dtype(kernel.dtype) == stored
    assert bits(array(kernel.value)) == bits(ours(LAW, (8, 16), stored, rng=3, stream="a"))
    assert policy.removeprefix("mixed_") in str(model(BATCH).dtype)
    report = adapter.initialize(model, "normal(std=0.1)", rng=1)
    assert {row.dtype for row in report} == {stored}
    wanted = ours("normal(std=0.1)", (8, 16), stored, rng=1, stream="net/a/kernel")
    assert bits(array(kernel.value)) == bits(wanted)
    assert np.isfinite(array(model(BATCH))).all()


def test_lora():
    model = classifier()
    layer = model.get_layer("a")
    layer.enable_lora(2)
    init = adapter.initializers
    other = keras.layers.Dense(4, lora_rank=2, kernel_initializer=init.HeNormal(seed=1))
    other.build((None, 8))
    assert np.isfinite(array(other(BATCH))).all()
    with pytest.raises(ValueError, match="net/a/lora_kernel_a"):
        adapter.initialize(model, rng=1)
    rules = adapter.default_rules(model) | {"*/lora_kernel_a": "he_uniform", "*_b": "zeros"}
    report = adapter.initialize(model, rules, rng=1)
    assert [row.name for row in report if "lora" in row.name] == [
        "net/a/lora_kernel_a",
        "net/a/lora_kernel_b",
    ]
    wanted = ours("he_uniform", (8, 2), rng=1, stream="net/a/lora_kernel_a")
    assert bits(array(layer.lora_kernel_a.value)) == bits(wanted)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not")
@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_quantised(mode):
    model = classifier()
    before = array(model(BATCH))
    model.quantize(mode)
    after = array(model(BATCH))
    assert np.allclose(after, before, atol=0.2)
    kernel = array(model.get_layer("a")._kernel.value)
    report = adapter.initialize(model, {"*/bias": "normal", "*": "zeros"}, rng=1)
    names = [row.name for row in report]
    assert "net/a/bias" in names
    if mode == "int8":  # quantised kernels are not drawn
        assert "net/a/kernel" not in names
        assert bits(array(model.get_layer("a")._kernel.value)) == bits(kernel)


def test_training():
    model = classifier()
    model.compile("sgd", "mse")
    losses = model.fit(BATCH, np.ones((3, 4)), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    adapter.initialize(model, rng=1)
    assert model.fit(BATCH, np.ones((3, 4)), verbose=0).history["loss"][0] > 0


def test_an_ensemble_of_clones_warns():
    """The clone has the seeds of the model, so that it would begin equal."""
    model = classifier()
    with pytest.warns(UserWarning, match="called before"):
        clone = keras.models.clone_model(model)
    assert bits(array(clone.get_layer("a").kernel)) == bits(array(model.get_layer("a").kernel))
    adapter.initialize(clone, rng=2)
    assert bits(array(clone.get_layer("a").kernel)) != bits(array(model.get_layer("a").kernel))
