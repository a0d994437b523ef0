"""What this installation is and would do."""

from typing import TypedDict

from . import _core
from ._resolve.threads import available_threads

__all__ = ["info"]


class Info(TypedDict):
    """What `info` returns."""

    version: str
    stream_version: int
    compiler: str
    isa: str
    isa_reason: str
    isas: dict[str, str]
    threads: int
    openmp: str | None


def info() -> Info:
    """Describe this installation: version, stream version, instruction sets, threads.

    Returns
    -------
    dict
        ``version``; ``stream_version``, the contract that fixes every bit; ``compiler``; ``isa``,
        the instruction set in use, and ``isa_reason``, why; ``isas``, name → "runnable", "not
        built" or what the machine lacks, slowest first; ``threads``, how many a large fill would
        use now; ``openmp``, the date of its specification or None for a serial build.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.info()["stream_version"]
    1
    """
    from . import __version__  # noqa: PLC0415  the one source of the version

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
        "openmp": str(_core.OPENMP) if _core.OPENMP else None,
    }
