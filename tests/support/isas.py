"""The instruction sets that the engine knows, and those that this CPU has by /proc/cpuinfo."""

import os
import platform
from pathlib import Path

#: Flags of /proc/cpuinfo that each set needs: "flags" on x86, "Features" on AArch64. This list is
#: independent of the engine's own list, so that tests can judge the engine by it.
_AVX2 = {"avx2", "fma", "f16c", "aes"}
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
CPU_FLAGS = {
    "scalar": set(),
    "avx2": _AVX2,
    "avx2_vaes": _AVX2 | {"vaes"},
    "avx512": _AVX512,
    "avx512_vaes": _AVX512 | {"vaes"},
    "avx512_bf16": _AVX512 | {"vaes", "avx512_bf16"},
    "neon": {"asimd", "aes"},
}
ARCHITECTURES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}
ARCHITECTURE = ARCHITECTURES.get(platform.machine().lower())


def architecture_of(name):
    """Return the architecture that a set belongs to; None means all of them."""
    if name == "scalar":
        return None
    return "arm" if name == "neon" else "x86"


#: The sets of this architecture, whether this CPU has them or not. Tests run over these, so that a
#: set of the other architecture is not counted as skipped.
ISAS_HERE = tuple(name for name in CPU_FLAGS if architecture_of(name) in (None, ARCHITECTURE))


def cpu_flags():
    """Return the flags of /proc/cpuinfo; None where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def judge_cpu():
    """Return the sets that this CPU has by /proc/cpuinfo, or None where there is no such file."""
    flags = cpu_flags()
    if flags is None:
        return None
    return tuple(name for name in ISAS_HERE if flags >= CPU_FLAGS[name])


#: The sets between the scalar one and the widest that this CPU has, which the engine uses.
INNER_ISAS = tuple(name for name in (judge_cpu() or ISAS_HERE)[1:-1])


def required():
    """Return whether a set that this CPU has must be built and run, as continuous integration asks.

    A set that is not built is otherwise a reason to skip its tests.
    """
    return os.environ.get("WEIGHTINIT_FAST_REQUIRE_ISAS") == "1"
