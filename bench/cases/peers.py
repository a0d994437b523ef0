"""NumPy, torch and MKL, each used in the way that its documentation calls fastest for a buffer."""

import ctypes
import importlib.metadata
from typing import Any

import numpy as np

from .case import BOUND, DTYPES, KINDS, STD, STDS, Buffer, Case, Run, Team, split

BASELINE = "PCG64"  # the generator of numpy.random.default_rng


def numpy_cases(threads: list[int], quick: bool) -> list[Case]:
    """Return Generator's fills with the default bit generator and with the fastest, SFC64."""
    generators = (BASELINE,) if quick else (BASELINE, "SFC64")
    return [
        _numpy_case(generator, kind, dtype, count)
        for generator in generators
        for kind in KINDS
        for dtype in DTYPES
        for count in threads
    ]


def _numpy_case(bit_generator: str, kind: str, dtype: str, threads: int) -> Case:
    team = Team(threads)

    def bind(buffer: Buffer) -> Run:
        parts = split(buffer.view(dtype), threads)
        seeds = np.random.SeedSequence(0).spawn(threads)
        made = [np.random.Generator(getattr(np.random, bit_generator)(s)) for s in seeds]

        def part(number: int) -> Run:
            draw: Any = made[number].random if kind == "uniform" else made[number].standard_normal
            return lambda: draw(out=parts[number], dtype=dtype)

        return team.bind([part(number) for number in range(threads)])

    std = 12**-0.5 if kind == "uniform" else 1.0  # NumPy takes no scale with out=
    return Case("numpy", bit_generator, kind, dtype, threads, 1 / 8, bind, std=std)


def torch_cases(threads: list[int]) -> list[Case]:
    """Return in-place fills: of one tensor by torch's threads, or of parts by threads of ours."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 -- optional

    plain = [(kind, dtype) for kind in KINDS for dtype in DTYPES]
    return [
        _torch_case(torch, kind, dtype, count, parts)
        for kind, dtype in [*plain, ("truncated", "float32")]
        for count in threads
        for parts in sorted({1, count})
    ]


def _torch_case(torch: Any, kind: str, dtype: str, threads: int, parts: int) -> Case:
    """Return a fill of that many parts; torch gets threads // parts threads for each of them."""
    team, inner = Team(parts), threads // parts

    def bind(buffer: Buffer) -> Run:
        tensors = [torch.from_numpy(part) for part in split(buffer.view(dtype), parts)]
        generators = [torch.Generator().manual_seed(number) for number in range(parts)]

        def part(number: int) -> Run:
            tensor, options = tensors[number], {"generator": generators[number]}

            def run() -> None:
                torch.set_num_threads(inner)  # torch keeps this number for each calling thread
                if kind == "uniform":
                    tensor.uniform_(-BOUND, BOUND, **options)
                elif kind == "normal":
                    tensor.normal_(0.0, STD, **options)
                else:
                    torch.nn.init.trunc_normal_(tensor, 0.0, STD, -2 * STD, 2 * STD, **options)

            return run

        return team.bind([part(number) for number in range(parts)])

    variant = "MT19937 parts" if parts > 1 else "MT19937 one tensor"
    share = 1 / 32 if kind == "truncated" else 1 / 8
    return Case("torch", variant, kind, dtype, threads, share, bind, std=STDS[kind])


# ---- MKL's vector statistics library --------------------------------------------------------

MKL_GENERATORS = {  # mkl_vsl_defines.h: multiples of 1 << 20
    "MCG59": 4,
    "MT19937": 8,
    "SFMT19937": 13,
    "ARS5": 15,
    "PHILOX4X32X10": 16,
}
MKL_METHODS = {"uniform": {"STD": 0}, "normal": {"BOXMULLER": 0, "BOXMULLER2": 1, "ICDF": 2}}
MKL_QUICK = {"SFMT19937": ("STD",), "MCG59": ("STD", "ICDF"), "ARS5": ("STD", "ICDF")}
MKL_SKIP = 1 << 40  # draws from the beginning of one thread's part of the stream to the next
MKL_LONGEST = 1 << 30  # elements of one call, whose count is a 32-bit int


def load_mkl() -> ctypes.CDLL | None:
    """Return the library that the ``mkl`` distribution brings, or None where it is not installed.

    MKL's own threads are turned off: our threads call it, each with a stream of its own.
    """
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name.startswith("libmkl_rt.so"):
            mkl = ctypes.CDLL(str(file.locate()))
            mkl.MKL_Set_Interface_Layer(0)  # LP64
            mkl.MKL_Set_Threading_Layer(1)  # sequential
            break
    else:
        return None
    pointer, count = ctypes.c_void_p, ctypes.c_int
    mkl.vslNewStream.argtypes = [ctypes.POINTER(pointer), count, ctypes.c_uint]
    mkl.vslSkipAheadStream.argtypes = [pointer, ctypes.c_longlong]
    for letter, real in (("s", ctypes.c_float), ("d", ctypes.c_double)):
        for name in ("Uniform", "Gaussian"):
            function = getattr(mkl, f"v{letter}Rng{name}")
            function.argtypes = [count, pointer, count, pointer, real, real]
    return mkl


def mkl_cases(threads: list[int], mkl: ctypes.CDLL, quick: bool) -> list[Case]:
    """Return every generator with every method; in the quick mode only the fastest few."""
    return [
        _mkl_case(mkl, generator, kind, method, dtype, count)
        for generator in (MKL_QUICK if quick else MKL_GENERATORS)
        for kind in KINDS
        for method in MKL_METHODS[kind]
        if not quick or method in MKL_QUICK[generator]
        for dtype in DTYPES
        for count in threads
    ]


def _mkl_case(
    mkl: ctypes.CDLL, generator: str, kind: str, method: str, dtype: str, threads: int
) -> Case:
    team = Team(threads)
    name = "Uniform" if kind == "uniform" else "Gaussian"
    function = getattr(mkl, f"v{'s' if dtype == 'float32' else 'd'}Rng{name}")
    params = (-BOUND, BOUND) if kind == "uniform" else (0.0, STD)

    def bind(buffer: Buffer) -> Run:
        parts = split(buffer.view(dtype), threads)

        def part(number: int) -> Run:
            stream, out = ctypes.c_void_p(), parts[number]
            _check(mkl.vslNewStream(ctypes.byref(stream), MKL_GENERATORS[generator] << 20, 777))
            if number:
                _check(mkl.vslSkipAheadStream(stream, number * MKL_SKIP))

            def run() -> None:
                for first in range(0, out.size, MKL_LONGEST):
                    count = min(MKL_LONGEST, out.size - first)
                    address = out.ctypes.data + first * out.itemsize
                    _check(function(MKL_METHODS[kind][method], stream, count, address, *params))

            return run

        return team.bind([part(number) for number in range(threads)])

    variant, share = f"{generator} {method}", 1.0 if kind == "uniform" else 1 / 4
    return Case("mkl", variant, kind, dtype, threads, share, bind, std=STDS[kind])


def _check(status: int) -> None:
    if status != 0:
        raise RuntimeError(f"MKL VSL returned {status}")
