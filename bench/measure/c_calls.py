"""Nanoseconds of a small call from C: through each way in, the bare kernel, and NumPy's C function.

The command compiles bench/cases/c_calls.c with the C compiler that it finds, the static library of
the installed package and that of NumPy. "Cython" calls the function that Cython packages cimport,
"capsule" that of the table, "linked" that of the static library; the kernel is called with a draw
that was prepared before. NumPy's function draws standard normals of float32. Every figure is the
least of 500 short repetitions.
"""

import argparse
import ctypes
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import weightinit_fast as wi
from weightinit_fast import _core

ROOT = Path(__file__).resolve().parents[2]
SIZES = (16, 256, 4096)


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
    generators = {"PCG64": np.random.PCG64(0), "SFC64": np.random.SFC64(0)}
    columns = ("kernel", "linked", "capsule", "Cython", *(f"NumPy {name}" for name in generators))
    print(
        f"{'normals':>8}", *(f"{name:>12}" for name in columns), "  above the kernel, beside NumPy"
    )
    for count in SIZES:
        times = [
            library.by_kernel(count),
            library.by_link(count),
            library.by_pointer(from_table, count),
            library.by_pointer(from_cython, count),
        ]
        times += [
            library.by_numpy(pointer(generator.capsule, b"BitGenerator"), count)
            for generator in generators.values()
        ]
        worst = max(times[1:4])
        print(
            f"{count:>8}",
            *(f"{time:>9.1f} ns" for time in times),
            f"  {worst - times[0]:.0f} ns, {worst / min(times[4:]):.2f}",
        )
    return 0
