"""Keras and its adapter, and each class of initialisers beside the functions of the package."""

from importlib.util import find_spec

import numpy as np
import pytest
from support.frameworks import Framework

import weightinit_fast as wi


def is_installed(name):
    """Whether there is such a package. A folder of tests that has its name is none."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


BACKENDS = [name for name in ("jax", "torch", "tensorflow") if is_installed(name)]

keras = Framework("keras")
adapter = Framework("weightinit_fast.keras", after=keras)

#: Class, its arguments, a shape, and the Initializer of the package whose values it has.
CASES = [
    ("RandomNormal", {}, (40, 50), "normal(std=0.05)"),
    ("RandomNormal", {"mean": 1, "stddev": 2}, (40, 50), "normal(mean=1, std=2)"),
    ("TruncatedNormal", {"stddev": 0.1}, (40, 50), "truncated_normal(std=0.1)"),
    ("RandomUniform", {}, (40, 50), "uniform(low=-0.05, high=0.05)"),
    ("RandomUniform", {"minval": 0, "maxval": 3}, (2000,), "uniform(low=0, high=3)"),
    ("GlorotUniform", {}, (40, 60), "xavier_uniform(layout='IO')"),
    ("GlorotUniform", {}, (3, 3, 8, 30), "xavier_uniform(layout='HWIO')"),
    ("LecunUniform", {}, (40, 60), "lecun_uniform(layout='IO')"),
    ("HeUniform", {}, (3, 3, 8, 30), "he_uniform(layout='HWIO')"),
    ("HeUniform", {}, (2000,), "variance_scaling(scale=2, distribution='uniform', fans=(2000, 1))"),
]
CASES += [
    (
        name,
        {},
        (40, 60),
        f"variance_scaling(scale={scale}, mode='{mode}', distribution='truncated_normal', "
        "layout='IO')",
    )
    for name, scale, mode in (
        ("GlorotNormal", 1, "fan_avg"),
        ("LecunNormal", 1, "fan_in"),
        ("HeNormal", 2, "fan_in"),
    )
]
CASES += [
    (
        "VarianceScaling",
        {"scale": 3, "mode": mode, "distribution": theirs},
        (40, 60),
        f"variance_scaling(scale=3, mode='{mode}', distribution='{ours}', layout='IO')",
    )
    for mode in ("fan_in", "fan_out", "fan_avg")
    for theirs, ours in (
        ("normal", "truncated_normal"),
        ("truncated_normal", "truncated_normal"),
        ("untruncated_normal", "normal"),
        ("Uniform", "uniform"),
    )
]
CASES += [
    ("Orthogonal", {}, (40, 30), "orthogonal(column_axis=-1)"),
    ("Orthogonal", {"gain": 3}, (3, 3, 4, 50), "orthogonal(gain=3, column_axis=-1)"),
]
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]


def array(tensor):
    """Return a tensor as an array, of float32 where NumPy lacks its type."""
    found = np.asarray(keras.ops.convert_to_numpy(tensor))
    return found.astype("float32") if found.dtype.type.__module__ == "ml_dtypes" else found


def bits(values):
    """Return what tells values apart that are equal as numbers, such as 0 and -0."""
    return np.ascontiguousarray(values).tobytes()


def ours(text, shape, dtype="float32", **arguments):
    """Return the values of an Initializer, as `array` returns those of a tensor."""
    made = wi.initializer(text)(shape, dtype=dtype, **arguments)
    return made.astype("float32") if made.dtype.type.__module__ == "ml_dtypes" else made


def backend_is(name):
    """Skip the test on other backends."""
    if keras.backend.backend() != name:
        pytest.skip(f"it is about Keras's backend {name}")
