"""What the benchmarks take from inside: private names of the package, and paths of its source.

A change of the structure of the package or of src/ can break this file of bench/ alone.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from weightinit_fast import _core
from weightinit_fast._resolve.truncation import interval as _truncation
from weightinit_fast.models.builtin import Model
from weightinit_fast.models.builtin import model as _model

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
    """Use an instruction set within a with statement."""
    former = isa()
    select_isa(name)
    try:
        yield
    finally:
        select_isa(former)


def model(name: str) -> Model:
    """Return a built-in model."""
    return _model(name)


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


#: Each entry holds the kernel's name in the C source, the transform that runs the kernel, as _core
#: names it, the type, and the parameters of the transform. The kernel's loops are in the function
#: draw_rows_<kernel> or in functions whose names begin with <kernel>_. Large uniforms run the
#: kernels uniform_clamped_words, and truncated normals within ±2.25 run the kernels
#: truncated_near_median.
KERNELS: tuple[tuple[str, str, str, tuple[float, ...]], ...] = (
    ("words", "WORDS", "float32", ()),
    ("uniform_clamped_words_f32", "UNIFORM", "float32", (-0.05, 0.05)),
    ("uniform_clamped_words_f16", "UNIFORM", "float16", (-0.05, 0.05)),
    ("uniform_clamped_words_bf16", "UNIFORM", "bfloat16", (-0.05, 0.05)),
    ("uniform_f64", "UNIFORM", "float64", (-0.05, 0.05)),
    ("normal_f32", "NORMAL", "float32", (0.0, 0.02)),
    ("normal_f16", "NORMAL", "float16", (0.0, 0.02)),
    ("normal_bf16", "NORMAL", "bfloat16", (0.0, 0.02)),
    ("normal_f64", "NORMAL", "float64", (0.0, 0.02)),
    ("truncated_near_median_f32", "TRUNCATED", "float32", (0.0, 0.02, -2.0, 2.0)),
    ("truncated_near_median_f64", "TRUNCATED", "float64", (0.0, 0.02, -2.0, 2.0)),
)

# ---- paths and flags ------------------------------------------------------------------------

ENGINE = ROOT / "src" / "engine"  # what the kernels' #include lines are relative to

_BASE = ["-O3", "-std=c11", "-fPIC", "-ffp-contract=off", "-fno-math-errno"]
#: An entry of the engine's list of instruction sets, up to the compiler flags.
_ENTRY = r"""^WIF_ISA\((\w+), (\w+), (\w+), x86, [^,]*,\s*(\w+),\s*"([^"]*)\""""


def _kernel_flags() -> dict[str, list[str]]:
    """Return the compiler's flags and definitions of every x86 set that isas.def lists."""
    sets = {}
    text = (ENGINE / "isa" / "isas.def").read_text(encoding="utf-8")
    for name, vocabulary, words, fallback, flags in re.findall(_ENTRY, text, re.MULTILINE):
        sets[name] = [*flags.split(), f"-DWIF_ISA_NAME={name}"]
        sets[name] += [f'-DWIF_VOCABULARY="simd/{vocabulary}.h"', f'-DWIF_WORDS="words/{words}.h"']
        if fallback != "none":
            sets[name].append(f"-DWIF_FALLBACK={fallback}")
    return sets


#: The x86 sets -> their flags, as the engine's own build has them.
KERNEL_FLAGS = _kernel_flags()


def kernel_compilation(name: str) -> list[str]:
    """Return the compiler's arguments that make the kernels of an instruction set."""
    source = str(ENGINE / "isa" / "isa.c")
    return [*_BASE, *KERNEL_FLAGS[name], f"-I{ENGINE}", "-c", source]
