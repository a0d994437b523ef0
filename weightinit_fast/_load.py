"""Load the engine, and tell its OpenMP runtime not to spin for long.

A waiting libgomp thread spins 300,000 times before it sleeps, and a spin is some 140 cycles on
recent processors: 15 ms of a core after each fill, and, where other programs want the cores, 15 ms
more before a worker gets one (measured: fills of 2 to 64 MiB took up to ten times as long on two
threads as on one). libgomp reads its environment once, when it is loaded; so the variable is there
for that moment alone, and only if nobody has chosen a policy. A libgomp that some other module
loaded before keeps what it read.
"""

import os
from importlib.util import find_spec

__all__: list[str] = []

# About 50 us: as long as waking a thread takes.
_SPINS = "1000"


def _load() -> None:
    chosen = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if not chosen:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
    try:
        from . import _core  # noqa: F401, PLC0415
    except ImportError as error:
        if find_spec("weightinit_fast._core") is not None:
            raise
        raise ImportError(
            f"weightinit_fast has no compiled engine in {os.path.dirname(__file__)}: this is the "
            "source folder; install it (python -m pip install -e .) or start Python elsewhere"
        ) from error
    finally:
        if not chosen:
            del os.environ["GOMP_SPINCOUNT"]


_load()
