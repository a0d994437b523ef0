"""Show that one build of the handler for XLA works with the jax that is installed.

``python tests/jax_adapter/ffi_versions.py LIBRARY`` draws under jax.jit with the handler of
LIBRARY, a file weightinit_fast_xla.so that may have been built beside another jax, and on eight
devices that share the results. It prints the versions and one SHA-256 of all values, and exits with
1 if a value is not that of NumPy's array, or if a draw did not go through the handler. With no
LIBRARY it takes that of the installed package. Run it in environments with different versions of
jax and CPython: the SHA-256 has to be the same.
"""

import hashlib
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np

import weightinit_fast as wi
from weightinit_fast import _installed

if len(sys.argv) > 1:
    path = os.path.abspath(sys.argv[1])
    _installed.xla_library = lambda: path

from weightinit_fast.jax.draw import draw
from weightinit_fast.jax.traced import library

TEXTS = (
    "normal(mean=0.5, std=0.02)",
    "uniform(low=-1, high=2)",
    "truncated_normal(std=0.1)",
    "truncated_normal(lower=-1.0, upper=3.0)",
    "he_uniform(layout='IO')",
)
DTYPES = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
SHAPES = ((), (7,), (16, 24), (3, 0), (400, 8, 120))


def main():
    missing = library.why_missing()
    if missing:
        print(f"jax {jax.__version__}: {missing}")
        return 1
    key = jax.random.key(7)
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("x", "y"))
    spec = jax.sharding.PartitionSpec("x", "y")
    sharding = jax.sharding.NamedSharding(mesh, spec)
    digest, wrong, count = hashlib.sha256(), 0, 0
    for text in TEXTS:
        init = wi.initializer(text)
        for dtype in DTYPES:
            for shape in SHAPES if "layout" not in text else SHAPES[2:3]:

                def function(key, init=init, shape=shape, dtype=dtype):
                    return draw(init, key, shape, np.dtype(getattr(jax.numpy, dtype)))

                wanted = np.asarray(init(shape, dtype=dtype, rng=wi.jax.key(key))).tobytes()
                ways = [jax.jit(function)]
                if len(shape) == 2 and 0 not in shape:
                    ways.append(jax.jit(function, out_shardings=sharding))
                for way in ways:
                    program = way.lower(key).compile()
                    made = np.asarray(program(key)).tobytes()
                    by_handler = library.TARGET in program.as_text() or 0 in shape
                    wrong += made != wanted or not by_handler
                    count += 1
                digest.update(wanted)
    print(
        f"CPython {sys.version.split()[0]}, jax {jax.__version__} with XLA's FFI "
        f"0.{library._api_of_xla()}, handler built for 0.{library.header_version()}: "
        f"{count - wrong} of {count} draws are NumPy's, SHA-256 {digest.hexdigest()}"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
