"""Programs that tests start, since a process has one backend and one number of devices.

``python keras_processes.py PROGRAM`` prints a line of JSON. The environment chooses the backend and
the number of devices.
"""

import hashlib
import json
import sys
import warnings

import keras
import numpy as np

import weightinit_fast.keras as adapter

#: Class, its arguments, the shape of the variable.
DRAWN = [
    (name, {}, shape)
    for name in (
        "RandomNormal",
        "TruncatedNormal",
        "RandomUniform",
        "VarianceScaling",
        "GlorotUniform",
        "GlorotNormal",
        "LecunUniform",
        "LecunNormal",
        "HeUniform",
        "HeNormal",
        "Orthogonal",
    )
    for shape in ((24, 40), (3, 3, 7, 11))
]


def raw(tensor):
    """Return the bytes of a tensor of float32 or bfloat16."""
    return np.ascontiguousarray(keras.ops.convert_to_numpy(tensor)).tobytes()


def bits():
    """Return a digest of every initialiser, dtype and kind of seed, and of a whole model."""
    digest = hashlib.sha256()
    for name, arguments, shape in DRAWN:
        kind = getattr(adapter.initializers, name)
        for dtype in ("float32", "bfloat16", "float16"):
            for stream in (0, 9, "fc1.weight"):
                digest.update(raw(kind(**arguments, seed=5, stream=stream)(shape, dtype=dtype)))
            init = kind(**arguments, seed=keras.random.SeedGenerator(2**31 - 5))
            digest.update(raw(init(shape, dtype=dtype)) + raw(init(shape, dtype=dtype)))
        keras.utils.set_random_seed(3)
        init = kind(**arguments)
        digest.update(raw(init(shape)) + raw(init(shape)))
    model = network()
    digest.update(b"".join(raw(w.value) for w in model.weights))
    for recipe in (None, {"*/kernel": "he_normal(layout='IO')", "*": "normal"}):
        adapter.initialize(model, recipe, rng=4)
        digest.update(b"".join(raw(w.value) for w in model.weights))
    return digest.hexdigest()


def network():
    """Return a model whose layers have this package's initialisers."""
    init, layers = adapter.initializers, keras.layers
    keras.utils.set_random_seed(8)
    with keras.saving.custom_object_scope(init.names()):
        return keras.Sequential(
            [
                keras.Input((16,)),
                layers.Dense(64, kernel_initializer=init.HeNormal(1, stream="a"), name="a"),
                layers.Dense(8, kernel_initializer=init.Orthogonal(seed=1), name="b"),
                layers.BatchNormalization(name="bn"),
                layers.Dense(24, name="c"),
            ],
            name="net",
        )


def distribution(kind):
    """Return a distribution over all devices of JAX, or None."""
    if kind == "data":
        return keras.distribution.DataParallel()
    if kind == "model":
        mesh = keras.distribution.DeviceMesh((4, 2), ("batch", "model"))
        layouts = keras.distribution.LayoutMap(mesh)
        layouts["net/a/kernel"] = (None, "model")
        layouts["net/a/bias"] = ("model",)
        layouts["net/b/kernel"] = ("batch", None)
        layouts["net/c/kernel"] = ("batch", "model")
        return keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
    return None


def devices(kind):
    """Return digests of a model over devices: built, initialised, and after a step of training."""
    import contextlib  # noqa: PLC0415

    found = distribution(kind)
    with found.scope() if found else contextlib.nullcontext():
        model = network()
        digests, shardings = [], {}

        def note():
            values = b"".join(raw(w.value) for w in model.weights)
            digests.append(hashlib.sha256(values).hexdigest())
            if found:
                for w in model.weights:
                    wanted = found.get_variable_layout(w).backend_layout
                    assert w.value.sharding.is_equivalent_to(wanted, w.ndim), w.path
                    shardings[w.path] = len({str(s.index) for s in w.value.addressable_shards})

        note()
        for recipe in (None, {"*/kernel": "he_normal(layout='IO')", "*": "normal"}):
            adapter.initialize(model, recipe, rng=4)
            note()
        model.compile("sgd", "mse")
        batch = np.linspace(-1, 1, 16 * 16, dtype="float32").reshape(16, 16)
        loss = model.fit(batch, np.ones((16, 24), "float32"), verbose=0).history["loss"][0]
    return {"digests": digests, "shardings": shardings, "loss": loss}


def large():
    """Return the pieces of a variable that is larger than what Keras makes on one device."""
    found = distribution("model")
    with found.scope():
        init = adapter.initializers.HeNormal(seed=1)
        layout = keras.distribution.TensorLayout(("batch", "model"), found.device_mesh)
        value = init((4096, 2048), dtype="float32", layout=layout)
    same = np.array_equal(np.asarray(value), np.asarray(init((4096, 2048), dtype="float32")))
    return {"same": same, "pieces": len({str(s.index) for s in value.addressable_shards})}


PROGRAMS = {
    "bits": bits,
    "large": large,
    **{f"devices {kind}": lambda kind=kind: devices(kind) for kind in ("one", "data", "model")},
}

if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(json.dumps(PROGRAMS[" ".join(sys.argv[1:])]()))
