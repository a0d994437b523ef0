"""Fixtures shared by the tests: the instruction set under test, and what this CPU can run."""

import contextlib
import os
import platform
import sys
from pathlib import Path

import pytest

# Limits of OpenMP's own would change what the tests count; it reads them when it is loaded.
for name in [name for name in os.environ if name.startswith(("OMP_", "GOMP_"))]:
    del os.environ[name]

from weightinit_fast import _core, _threads  # noqa: E402

# Interpreters that tests start import the installed package, not the folder that they start in.
os.environ["PYTHONSAFEPATH"] = "1"

ISAS = _core.ISAS

#: Flags of /proc/cpuinfo that each set needs (x86 "flags", aarch64 "Features").  This list is not
#: made from the engine's own, so that it can judge it.
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
MACHINES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}


def judge_cpu():
    """Names of the sets this CPU can run by /proc/cpuinfo, or None where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    flags = set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags = set(value.split())
            break
    machine = MACHINES.get(platform.machine().lower())
    family = {name: "arm" if name == "neon" else "x86" for name in ISAS if name != "scalar"}
    return tuple(
        name
        for name in ISAS
        if name == "scalar" or (family[name] == machine and flags >= CPU_FLAGS[name])
    )


@pytest.fixture(scope="session")
def cpu_isas():
    """Sets this CPU can run, judged without the package; skips where nothing tells."""
    names = judge_cpu()
    if names is None:
        pytest.skip("no /proc/cpuinfo: this CPU cannot be judged independently of the package")
    return names


@pytest.fixture(scope="session")
def isas_required():
    """True in CI: a set that this CPU can run has to be built and run."""
    return os.environ.get("WEIGHTINIT_FAST_REQUIRE_ISAS") == "1"


@pytest.fixture(params=ISAS)
def isa(request, isas_required):
    """Select each instruction set in turn, and put the former one back."""
    name = request.param
    required = isas_required and name in (judge_cpu() or ())
    if name not in _core.ISAS_BUILT:
        if required:
            pytest.fail(f"{name}: not built in this extension, but this CPU can run it")
        pytest.skip(f"{name}: not built in this extension")
    if name not in _core.ISAS_RUNNABLE:
        if required:
            pytest.fail(f"{name}: the package does not run it, but this CPU can")
        pytest.skip(f"{name}: not runnable on this CPU")
    former = _core.isa()
    _core.select_isa(name)
    yield name
    _core.select_isa(former)


@pytest.fixture(scope="module")
def eager():
    """Threads get work of nearly any size: what pays is not the question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_threads, "PARALLEL_ITEMS", 2**12)
        yield


@pytest.fixture
def streamed_from():
    """Whatever the caches of this machine, stores of 4 MiB pass them; returns that size."""
    former = _core.nontemporal_from(4 << 20)
    yield 4 << 20
    _core.nontemporal_from(former)


@contextlib.contextmanager
def modules_of(folder, names):
    """Modules of a folder that is no package, by path, under their own names."""
    sys.path.insert(0, str(folder))
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
