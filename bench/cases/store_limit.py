"""The store limit: the rate at which store_limit.c, compiled on the fly, stores a constant."""

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from .case import Buffer, Case, Run

SOURCE = Path(__file__).with_name("store_limit.c")
NON_TEMPORAL, MEMSET = "non-temporal", "memset"


def load() -> tuple[ctypes.CDLL | None, str]:
    """Return the compiled library and the compiler; or None, and why the limit is left out."""
    named = shlex.split(os.environ.get("CC", ""))
    found = [[path] for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    problem = "no C compiler found"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "store_limit.so")
        for compiler in ([named] if named else []) + found:
            command = [*compiler, "-O2", "-std=gnu11", "-shared", "-fPIC", "-pthread"]
            command += [str(SOURCE), "-o", str(target)]
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
                library = ctypes.CDLL(str(target))  # stays mapped after the file is gone
            except (OSError, subprocess.SubprocessError) as error:
                problem = f"{compiler[0]}: {getattr(error, 'stderr', '') or error}".strip()
                continue
            library.nt_name.restype = ctypes.c_char_p
            for function in (library.nt_store, library.memset_threads):
                function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
                function.restype = ctypes.c_int
            library.memset_fresh.argtypes = [ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
            library.memset_fresh.restype = ctypes.c_int
            return library, _version(compiler)
    return None, f"left out, {problem}"


def _version(compiler: list[str]) -> str:
    command = [*compiler, "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return (shown.stdout.splitlines() or ["unknown"])[0]


def cases(threads: list[int], library: ctypes.CDLL, nbytes: int | None = None) -> list[Case]:
    """Return both stores on each thread count.

    They are sampled three times in each repetition, since many ratios divide by them. Where nbytes
    is given, the cases store that many bytes, and their names tell the size.
    """
    names = {NON_TEMPORAL: library.nt_name().decode(), MEMSET: "libc"}
    functions = {NON_TEMPORAL: library.nt_store, MEMSET: library.memset_threads}

    def case(name: str, count: int) -> Case:
        def bind(buffer: Buffer) -> Run:
            def run() -> None:
                if functions[name](buffer.ctypes.data, buffer.nbytes, count) != 0:
                    raise RuntimeError(f"cannot make {count} threads")

            return run

        what = f"store {nbytes >> 20} MiB" if nbytes else "store"
        return Case(
            f"store {name}", names[name], what, "", count, 1.0, bind, samples=3, nbytes=nbytes
        )

    return [case(name, count) for name in functions for count in threads]
