"""Nanoseconds of a small call from C: through each way in, the bare kernel, and NumPy's C function.

The command compiles bench/cases/c_calls.c with the C compiler that it finds, the static library of
the installed package and that of NumPy. "Cython" calls the function that Cython packages cimport,
"capsule" that of the table, "linked" that of the static library; the kernel is called with a draw
that was prepared before. NumPy's function draws standard normals of float32. The ways take turns,
for 20 rounds; in a round each has the least of 25 short repetitions. The figures are the best and
the median of the rounds.
"""

import argparse
import ctypes
import shutil
import statistics
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import weightinit_fast as wi
from weightinit_fast import _core

ROOT = Path(__file__).resolve().parents[2]
SIZES = (16, 256, 4096)
ROUNDS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no option."""


def compiled() -> ctypes.CDLL:
    """Return the compiled loops."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise SystemExit("no C compiler found")
    static = Path(wi.get_cmake_dir()).parents[1] / "libweightinit_fast.a"
    numpy_library = Path(np.random.__file__).parent / "lib" / "libnpyrandom.a"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "c_calls.so")
        command = [compiler, "-O2", "-std=c11", "-shared", "-fPIC", "-pthread"]
        command += [f"-I{ROOT / 'src/engine'}", f"-I{np.get_include()}"]
        command += [f"-I{sysconfig.get_paths()['include']}"]
        command += [str(ROOT / "bench/cases/c_calls.c"), str(static), str(numpy_library)]
        command += ["-lm", "-o", str(target)]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(str(target))
    for name in ("by_pointer", "by_link", "by_kernel", "by_numpy"):
        getattr(library, name).restype = ctypes.c_double
    return library


def pointer(capsule: object, name: bytes | None) -> ctypes.c_void_p:
    """Return what a capsule holds."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    return ctypes.c_void_p(get(capsule, name))


def main(arguments: argparse.Namespace) -> int:
    """Print the table."""
    library = compiled()
    cython = _core.__pyx_capi__["wif_fill"]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, (ctypes.py_object,)
    from_cython = pointer(cython, get_name(cython))
    table = pointer(_core.c_api, get_name(_core.c_api))
    # The size and two versions stand before the first function, which is wif_fill.
    from_table = ctypes.c_void_p.from_address(table.value + ctypes.sizeof(ctypes.c_size_t) + 8)
    ways: dict[str, Callable[[int], float]] = {
        "kernel": library.by_kernel,
        "linked": library.by_link,
        "capsule": partial(library.by_pointer, from_table),
        "Cython": partial(library.by_pointer, from_cython),
    }
    for generator in (np.random.PCG64(0), np.random.SFC64(0)):
        bits = pointer(generator.capsule, b"BitGenerator")
        ways[f"NumPy {type(generator).__name__}"] = partial(library.by_numpy, bits)
    print("Nanoseconds of a call, best/median of", ROUNDS, "rounds")
    print(f"{'normals':>8}", *(f"{name:>13}" for name in ways), "  above the kernel, beside NumPy")
    for count in SIZES:
        rounds = [{name: way(count) for name, way in ways.items()} for _ in range(ROUNDS)]
        best = {name: min(times[name] for times in rounds) for name in ways}
        median = {name: statistics.median(times[name] for times in rounds) for name in ways}
        numpy = min(best["NumPy PCG64"], best["NumPy SFC64"])
        worst = max(best[name] for name in ("linked", "capsule", "Cython"))
        print(
            f"{count:>8}",
            *(f"{f'{best[name]:.1f}/{median[name]:.1f}':>13}" for name in ways),
            f"  {worst - best['kernel']:.0f} ns, {worst / numpy:.2f}",
        )
    return 0
