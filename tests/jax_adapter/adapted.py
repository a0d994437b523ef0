"""What the tests of this folder share: the frameworks, and the values to expect."""

import numpy as np
import pytest
from support.frameworks import Framework

import weightinit_fast as wi

jax = Framework("jax")
adapter = Framework("weightinit_fast.jax", after=jax)

#: The types that the engine fills and that JAX has without jax_enable_x64.
DTYPES = ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]

#: Name of a function of jax.nn.initializers, its arguments, and what draws the same with NumPy.
SAME = {
    "uniform": [((), {}, "uniform(high=0.01)"), ((0.5,), {}, "uniform(high=0.5)")],
    "normal": [((), {}, "normal(std=0.01)"), ((5,), {}, "normal(std=5.0)")],
    "truncated_normal": [
        ((), {}, "truncated_normal(std=0.01)"),
        (
            (2.0,),
            {"lower": -1, "upper": 3.5},
            "truncated_normal(std=2.0, lower=-1.0, upper=3.5)",
        ),
    ],
    "variance_scaling": [
        (
            (0.5, "fan_out", "normal"),
            {},
            "variance_scaling(scale=0.5, mode='fan_out', layout='HWIO')",
        ),
        (
            (3.0, "fan_geo_avg", "uniform"),
            {"in_axis": 0, "out_axis": (1, -1), "batch_axis": [2]},
            "variance_scaling(scale=3.0, mode='fan_geo_avg', distribution='uniform', "
            "layout='IOBO')",
        ),
    ],
    "glorot_uniform": [((), {}, "xavier_uniform(layout='HWIO')")],
    "glorot_normal": [
        (
            (),
            {},
            "variance_scaling(mode='fan_avg', distribution='truncated_normal', layout='HWIO')",
        )
    ],
    "lecun_uniform": [((), {}, "lecun_uniform(layout='HWIO')")],
    "lecun_normal": [((), {}, "variance_scaling(distribution='truncated_normal', layout='HWIO')")],
    "he_uniform": [((), {"in_axis": -1, "out_axis": -2}, "he_uniform(layout='HWOI')")],
    "he_normal": [
        ((), {}, "variance_scaling(scale=2, distribution='truncated_normal', layout='HWIO')"),
        (
            (0, (1, 2, 3)),
            {},
            "variance_scaling(scale=2, distribution='truncated_normal', layout='IOOO')",
        ),
    ],
    "orthogonal": [
        ((), {}, "orthogonal(column_axis=-1)"),
        ((2.0, 0), {}, "orthogonal(gain=2.0)"),
    ],
    "delta_orthogonal": [((0.5,), {}, "delta_orthogonal(gain=0.5, layout='HWIO')")],
}
SAME["xavier_uniform"], SAME["xavier_normal"] = SAME["glorot_uniform"], SAME["glorot_normal"]
SAME["kaiming_uniform"], SAME["kaiming_normal"] = SAME["he_uniform"], SAME["he_normal"]
CASES = [
    (name, arguments, keywords, text)
    for name, cases in SAME.items()
    for arguments, keywords, text in cases
]
SHAPE = (3, 5, 16, 24)


def needs_jax(*version):
    """Skip a test of what JAX itself does otherwise in versions before this one."""
    if jax.version.__version_info__ < version:
        pytest.skip(f"jax {jax.version.__version__} differs")


def expected(text, shape, dtype, key):
    """Return what NumPy's functions draw with the key of JAX."""
    return wi.initializer(text)(shape, dtype=dtype, rng=adapter.key(key))


def bits(array):
    """Return the bytes of an array."""
    return np.asarray(array).tobytes()
