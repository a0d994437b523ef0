"""Draw with JAX; print the seconds of each draw, or the peak memory of one, as JSON.

jax_worker.py rates DEVICES ELEMENTS REPEATS draws by every way on 1 device, or on several devices
of the CPU, interleaved. jax_worker.py memory CASE ELEMENTS draws once, in this fresh process, and
prints how many KiB the peak was above the memory before it and the output. `python -m bench jax`
runs both.
"""

import json
import os
import random
import sys
import time
from pathlib import Path

OURS, THEIRS = "weightinit_fast", "jax"
EAGER, JIT = "eager", "jit"
WHATS = ("normal", "truncated_normal", "uniform")
DTYPES = ("float32", "bfloat16")


def cases(devices):
    """Return the cases as (library, way, what, dtype)."""
    ways = {OURS: (EAGER, JIT), THEIRS: (EAGER, JIT)}
    if devices > 1:
        suffix = f" on {devices} devices"
        # jax.nn.initializers know no sharding outside of jit, unless the mesh has explicit axes.
        ways = {OURS: (EAGER + suffix, JIT + suffix), THEIRS: (JIT + suffix,)}
    return [
        (library, way, what, dtype)
        for what in WHATS
        for dtype in DTYPES
        for library in ways
        for way in ways[library]
    ]


def drawing(case, devices, elements):
    """Return the function of a key that a case draws with."""
    import jax  # noqa: PLC0415 -- jax_draws.py, which imports the names, needs neither
    import numpy as np  # noqa: PLC0415
    from jax.sharding import Mesh, NamedSharding, PartitionSpec  # noqa: PLC0415

    import weightinit_fast.jax as adapter  # noqa: PLC0415

    library, way, what, dtype = case
    module = adapter.initializers if library == OURS else jax.nn.initializers
    init = getattr(module, what)(1.0)
    # A matrix, as weights are.
    shape = (elements // 1024, 1024)
    dtype = getattr(jax.numpy, dtype)
    sharding = None
    if devices > 1:
        mesh = Mesh(np.array(jax.devices("cpu")[:devices]), ("x",))
        sharding = NamedSharding(mesh, PartitionSpec("x"))
    if way.startswith(JIT):
        return jax.jit(lambda key: init(key, shape, dtype), out_shardings=sharding)
    if sharding is None:
        return lambda key: init(key, shape, dtype)
    return lambda key: init(key, shape, dtype, out_sharding=sharding)


def rates(devices, elements, repeats):
    """Draw with all cases in turn; return the seconds of each, and what the versions are."""
    import jax  # noqa: PLC0415

    functions = {case: drawing(case, devices, elements) for case in cases(devices)}
    seconds = {case: [] for case in functions}
    order, shuffle = list(functions), random.Random(0).shuffle
    key = jax.random.key(0)
    for repetition in range(-1, repeats):  # the first one compiles
        shuffle(order)
        for case in order:
            started = time.perf_counter()
            made = functions[case](key)
            made.block_until_ready()
            if repetition >= 0:
                seconds[case].append(time.perf_counter() - started)
            del made
    return [[*case, samples] for case, samples in seconds.items()]


def status(name):
    """Return a figure of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


def memory(case, elements):
    """Draw; return how many KiB the peak was above the memory before the draw and the output."""
    import jax  # noqa: PLC0415

    way = case[1]
    function, key = drawing(case, 1, elements), jax.random.key(0)
    # What is compiled and loaded at the first draw is no memory of the draw.
    jax.block_until_ready(drawing(case, 1, 1 << 18)(key))
    if way == JIT:
        function = function.lower(key).compile()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    before = status("VmRSS")
    made = function(key).block_until_ready()
    return status("VmHWM") - before - made.nbytes // 1024


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    if sys.argv[1] == "rates":
        count = int(sys.argv[2])
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
        print(json.dumps(rates(count, int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(memory(tuple(sys.argv[2].split(":")), int(sys.argv[3]))))
