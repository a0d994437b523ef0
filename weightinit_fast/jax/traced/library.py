"""The library that compiled programs of XLA call to draw (src/binding/xla_ffi.c), loaded."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import threading
from pathlib import Path
from typing import Any

import jax

from ... import _core
from ..._installed import xla_library

__all__ = ["NEWEST_API", "TARGET", "header_version", "register_early", "why_missing"]

#: The name by which XLA knows the handler. It is in exported programs, and cannot change.
TARGET = "weightinit_fast_draw"

#: The newest version 0.N of XLA's FFI with which the handler has been tried (jaxlib 0.12).
NEWEST_API = 5


@functools.cache
def why_missing() -> str | None:
    """Return why programs cannot call the engine here; None if they can.

    The handler is registered at the first call. XLA refuses one that was made for a version of its
    API that it does not support any more. It then raises here if there is a CPU client. If there is
    none yet, the client is made, since XLA would refuse to make it later.
    """
    try:
        jax.local_devices(backend="cpu")
    except RuntimeError:
        return "JAX has no CPU backend here (JAX_PLATFORMS)"
    return _register()


def register_early() -> None:
    """Register the handler before JAX has a CPU client, if XLA is known to take it.

    Programs that `jax.export` has saved need it when they are loaded, before anything is traced.
    """
    if _api_of_xla() in range(1, NEWEST_API + 1):
        _register()


def _register() -> str | None:
    """Load the library and register its handler; return why this cannot be done, or None."""
    # functools.cache lets two threads that come first both run the function. The second would hand
    # the engine to a library that may be drawing already.
    with _registering:
        return _registered()


_registering = threading.Lock()


@functools.cache
def _registered() -> str | None:
    path = xla_library()
    if not os.path.exists(path):
        return f"the package was built without XLA's header, so that there is no {path}"
    try:
        library = ctypes.CDLL(path)
        table = ctypes.c_void_p(_capsule_pointer(_core.c_api, b"weightinit_fast._core.c_api"))
        if library.wif_xla_use_engine(table):
            return f"{path} belongs to another version of the package"
        handler = _function_capsule(library.wif_xla_draw)
        jax.ffi.register_ffi_target(TARGET, handler, platform="cpu")
    except (OSError, AttributeError, RuntimeError) as error:
        return f"{path} cannot be used: {error}"
    return None


def header_version() -> int:
    """Return N of the version 0.N of XLA's header with which the library was built."""
    version: int = ctypes.CDLL(xla_library()).wif_xla_header_version()
    return version % 1000


_function_capsule: Any = jax.ffi.pycapsule
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _api_of_xla() -> int:
    """Return N of the version 0.N of XLA's FFI, from its header; -1 if it does not tell."""
    try:
        header = Path(jax.ffi.include_dir(), "xla", "ffi", "api", "c_api.h").read_text()
    except (OSError, RuntimeError):
        return -1
    major = re.search(r"#define XLA_FFI_API_MAJOR (\d+)", header)
    minor = re.search(r"#define XLA_FFI_API_MINOR (\d+)", header)
    return int(minor[1]) if major and minor and major[1] == "0" else -1
