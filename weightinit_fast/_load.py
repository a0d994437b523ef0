"""Load the engine, and tell its OpenMP runtime not to spin for long.

A thread of libgomp that waits for work spins 300,000 times before it sleeps, and one spin takes
about 140 cycles on recent processors. That costs 15 ms of a core after each fill. Where other
programs want the cores, a worker also waits 15 ms longer for one: fills of 2 to 64 MiB were
measured to take up to ten times as long on two threads as on one. libgomp reads its environment
once, when it is loaded. So the variable is set for that moment alone, and only if the user has not
chosen a policy. If another module has loaded the same libgomp before, the variable has no effect.
"""

import os
from importlib.util import find_spec

__all__: list[str] = []

# About 50 us, which is about as long as waking a thread takes.
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
            f"weightinit_fast in {os.path.dirname(__file__)} has no compiled engine, since this is "
            "the source folder: install it (python -m pip install -e .), or start Python in "
            "another folder"
        ) from error
    finally:
        if not chosen:
            del os.environ["GOMP_SPINCOUNT"]


_load()
