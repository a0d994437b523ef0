"""Facts about this installation: versions, instruction sets and threads."""

import os
from typing import TypedDict

from . import _core
from ._installed import xla_library
from ._resolve.threads import available_threads

__all__ = ["info"]


class Info(TypedDict):
    """The dict that `info` returns."""

    version: str
    stream_version: int
    compiler: str
    isa: str
    isa_reason: str
    isas: dict[str, str]
    threads: int
    threads_wait_by: str | None
    xla_ffi: bool


def info() -> Info:
    """Describe this installation: version, stream version, instruction sets, threads.

    Returns
    -------
    dict
        A dict with these keys:

        - ``version`` (str): the version of the package.
        - ``stream_version`` (int): the version of the contract that fixes every bit.
        - ``compiler`` (str): the compiler that built the engine.
        - ``isa`` (str): the instruction set in use.
        - ``isa_reason`` (str): why this one is in use.
        - ``isas`` (dict of str to str): for each instruction set, slowest first, "runnable", "not
          built" or "lacks" followed by what this machine lacks.
        - ``threads`` (int): the number of threads that a large fill would use now.
        - ``threads_wait_by`` (str or None): how idle threads wait in this build, "futex" on Linux;
          None for a build without threads.
        - ``xla_ffi`` (bool): whether this build has the library by which functions that ``jax.jit``
          compiles call the engine (``weightinit_fast.jax``).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.info()["stream_version"]
    1
    """
    from . import __version__  # noqa: PLC0415  set after this module is imported

    states = {
        name: "not built" if not built else f"lacks {lacks}" if lacks else "runnable"
        for name, (built, lacks) in _core.isa_table().items()
    }
    forced = _core.ISA_FORCED
    return {
        "version": __version__,
        "stream_version": _core.STREAM_VERSION,
        "compiler": _core.COMPILER,
        "isa": _core.isa(),
        "isa_reason": f"WEIGHTINIT_FAST_ISA={forced}" if forced else "the fastest runnable set",
        "isas": states,
        "threads": available_threads(),
        "threads_wait_by": _core.THREADS_WAIT_BY,
        "xla_ffi": os.path.exists(xla_library()),
    }
