"""What the benchmarks take from inside: private names of the package, and paths of its source.

All that a change of the package's or of src/'s structure can break is in this file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from weightinit_fast import _core
from weightinit_fast._truncation import interval as _truncation

from . import ROOT

# ---- private names --------------------------------------------------------------------------

#: The instruction sets that this processor can run.
RUNNABLE: tuple[str, ...] = tuple(_core.ISAS_RUNNABLE)


def isa() -> str:
    """Return the instruction set in use."""
    return str(_core.isa())


def select_isa(name: str) -> None:
    """Use an instruction set from now on."""
    _core.select_isa(name)


@contextmanager
def selected(name: str) -> Iterator[None]:
    """Use an instruction set for a while."""
    former = isa()
    select_isa(name)
    try:
        yield
    finally:
        select_isa(former)


def draw_words(out: Any, key: Any, threads: int) -> None:
    """Fill an array of uint32 with bare words, which no public function gives."""
    _core.fill(out, _core.WORDS, 0, (), key, 0, 0, None, threads)


def fill(transform: str, out: Any, dtype: str, params: tuple[float, ...], key: Any) -> None:
    """Run a transform of the engine on one thread, without the checks of the public functions."""
    code = _core.DTYPES.index(dtype)
    _core.fill(out, getattr(_core, transform), code, params, key, 0, 0, None, 1)


def truncated_params(params: tuple[float, ...], dtype: str) -> tuple[float, ...]:
    """Return what the engine takes for a truncated normal of mean, std, lower and upper."""
    _, _, lower, upper = params
    return (*params, *_truncation(lower, upper, 64 if dtype == "float64" else 32))


#: Kernel, as the C source names it: the function fill_<kernel>, or functions that begin with
#: <kernel>_; then the transform that runs it, as _core names it; type; parameters of the transform.
#: Large uniforms run the kernels "trimmed", truncated normals within ±2.25 the kernels "near".
KERNELS: tuple[tuple[str, str, str, tuple[float, ...]], ...] = (
    ("words", "WORDS", "float32", ()),
    ("trimmed_f32", "UNIFORM", "float32", (-0.05, 0.05)),
    ("trimmed_f16", "UNIFORM", "float16", (-0.05, 0.05)),
    ("trimmed_bf16", "UNIFORM", "bfloat16", (-0.05, 0.05)),
    ("uniform_f64", "UNIFORM", "float64", (-0.05, 0.05)),
    ("normal_f32", "NORMAL", "float32", (0.0, 0.02)),
    ("normal_f16", "NORMAL", "float16", (0.0, 0.02)),
    ("normal_bf16", "NORMAL", "bfloat16", (0.0, 0.02)),
    ("normal_f64", "NORMAL", "float64", (0.0, 0.02)),
    ("near_f32", "TRUNCATED", "float32", (0.0, 0.02, -2.0, 2.0)),
    ("near_f64", "TRUNCATED", "float64", (0.0, 0.02, -2.0, 2.0)),
)

# ---- paths and flags ------------------------------------------------------------------------

ENGINE = ROOT / "src"  # what the kernels' #include lines are relative to

_BASE = ["-O3", "-std=c11", "-fPIC", "-ffp-contract=off", "-fno-math-errno"]
_AVX2 = ["-mavx2", "-mfma", "-mf16c", "-maes"]
_AVX512 = [*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
#: The x86 sets -> their flags, as the engine's own build has them.
KERNEL_FLAGS = {
    "avx2": _AVX2,
    "avx2_vaes": [*_AVX2, "-mvaes"],
    "avx512": _AVX512,
    "avx512_vaes": [*_AVX512, "-mvaes"],
    "avx512_bf16": [*_AVX512, "-mvaes", "-mavx512bf16"],
}


def kernel_compilation(name: str) -> list[str]:
    """Return the compiler's arguments that make the kernels of an instruction set."""
    return [*_BASE, *KERNEL_FLAGS[name], f"-I{ENGINE}", "-c", str(ENGINE / f"isa_{name}.c")]
