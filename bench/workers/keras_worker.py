"""Draw with Keras's initialisers and with ours, interleaved; print the seconds of each as JSON.

keras_worker.py ELEMENTS REPEATS draws single variables, and builds a model of four dense layers
that holds as many parameters. KERAS_BACKEND chooses the backend. `python -m bench keras` runs this.
"""

import contextlib
import json
import random
import sys
import time

OURS, THEIRS = "weightinit_fast", "keras"
DTYPES = ("float32", "bfloat16")
#: What is drawn: the name of the class.
WHATS = ("RandomNormal", "TruncatedNormal", "RandomUniform", "HeNormal")
MODEL = "model of four Dense"


def variables(elements):
    """Return (library, what, dtype) -> a function that draws a new tensor."""
    import keras  # noqa: PLC0415 -- keras_draws.py, which imports the names, needs neither

    import weightinit_fast.keras as adapter  # noqa: PLC0415

    shape = (elements // 1024, 1024)
    modules = {OURS: adapter.initializers, THEIRS: keras.initializers}

    def drawing(library, what, dtype):
        kind = getattr(modules[library], what)
        return lambda: kind(seed=0)(shape, dtype=dtype)

    def building(library, what, dtype):
        units = int((elements / 4) ** 0.5)

        def build():
            ours = keras.saving.custom_object_scope(adapter.initializers.names())
            with ours if library == OURS else contextlib.nullcontext():
                layers = [keras.layers.Dense(units, dtype=dtype) for _ in range(4)]
                return keras.Sequential([keras.Input((units,)), *layers]).weights[-2].value

        return build

    makers = dict.fromkeys(WHATS, drawing) | {MODEL: building}
    return {
        (library, what, dtype): make(library, what, dtype)
        for what, make in makers.items()
        for dtype in DTYPES
        for library in modules
    }


def wait(tensor):
    """Return when a tensor has its values: JAX returns before."""
    ready = getattr(tensor, "block_until_ready", None)
    if ready is not None:
        ready()


def rates(elements, repeats):
    """Draw with all cases in turn; return the seconds of each."""
    functions = variables(elements)
    seconds = {case: [] for case in functions}
    order, shuffle = list(functions), random.Random(0).shuffle
    for repetition in range(-1, repeats):  # the first one compiles
        shuffle(order)
        for case in order:
            started = time.perf_counter()
            made = functions[case]()
            wait(made)
            if repetition >= 0:
                seconds[case].append(time.perf_counter() - started)
            del made
    return [[*case, samples] for case, samples in seconds.items()]


if __name__ == "__main__":
    print(json.dumps(rates(int(sys.argv[1]), int(sys.argv[2]))))
