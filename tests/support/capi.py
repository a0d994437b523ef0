"""The C functions of the package (weightinit_fast.h), called by ctypes through the capsule."""

import ctypes as c
import re
from pathlib import Path

import weightinit_fast as wi

from .internals import core

HEADER = Path(wi.get_include()) / "weightinit_fast.h"
TEXT = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
#: Every enumerator of the header.
CONSTANTS = {name: int(value) for name, value in re.findall(r"\b(WIF_\w+) = (\d+)", TEXT)}
globals().update(CONSTANTS)

CHUNK = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
PARALLEL_FOR = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64, c.c_int, CHUNK, c.c_void_p)
PROGRESS = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64, c.c_int64)
INT64S = c.POINTER(c.c_int64)


class Key(c.Structure):
    """wif_key."""

    _fields_ = (("low", c.c_uint64), ("high", c.c_uint64))


class Interval(c.Structure):
    """wif_interval."""

    _fields_ = (
        ("lower", c.c_double),
        ("upper", c.c_double),
        ("numbers", c.c_double * 6),
        ("word_bits", c.c_int32),
        ("reserved", c.c_int32),
    )


class Request(c.Structure):
    """wif_request."""

    _fields_ = (
        ("size", c.c_size_t),
        ("data", c.c_void_p),
        ("dtype", c.c_int32),
        ("transform", c.c_int32),
        ("key", Key),
        ("stream", c.c_uint64),
        ("parameters", c.c_double * 4),
        ("first", c.c_uint64),
        ("count", c.c_int64),
        ("interval", c.POINTER(Interval)),
        ("ndim", c.c_int32),
        ("threads", c.c_int32),
        ("shape", INT64S),
        ("strides", INT64S),
        ("whole", INT64S),
        ("start", INT64S),
        ("step", INT64S),
        ("rows", INT64S),
        ("buffer", c.c_void_p),
        ("buffer_bytes", c.c_size_t),
        ("flags", c.c_uint32),
        ("reserved", c.c_uint32),
        ("parallel_for", PARALLEL_FOR),
        ("parallel_context", c.c_void_p),
        ("progress", PROGRESS),
        ("progress_context", c.c_void_p),
    )


_REQUEST = c.POINTER(Request)
#: The functions of the table, in its order: name, type of the result, types of the arguments.
FUNCTIONS = (
    ("fill", c.c_int, (_REQUEST,)),
    ("check", c.c_int, (_REQUEST,)),
    ("status_text", c.c_char_p, (c.c_int,)),
    ("key_from_seed", Key, (c.c_uint64,)),
    ("stream_from_name", c.c_uint64, (c.c_char_p, c.c_size_t)),
    ("prepare_interval", c.c_int, (c.c_double, c.c_double, c.c_int32, c.POINTER(Interval))),
    (
        "fans",
        c.c_int,
        (c.c_int32, INT64S, c.c_char_p, c.c_int64, c.c_int, INT64S, INT64S),
    ),
    ("fan", c.c_int, (c.c_int32, c.c_int64, c.c_int64, c.POINTER(c.c_double))),
    ("gain", c.c_int, (c.c_char_p, c.c_double, c.POINTER(c.c_double))),
    (
        "set_variance_scaling",
        c.c_int,
        (_REQUEST, c.c_int32, c.c_double, c.c_double, c.c_double, c.c_double),
    ),
    ("set_xavier", c.c_int, (_REQUEST, c.c_int32, c.c_double, c.c_int64, c.c_int64)),
    ("set_he", c.c_int, (_REQUEST, c.c_int32, c.c_double, c.c_double)),
    ("set_lecun", c.c_int, (_REQUEST, c.c_int32, c.c_double)),
    ("default_threads", c.c_int32, ()),
    ("version", c.c_char_p, ()),
    ("instruction_set", c.c_char_p, ()),
)


class Api(c.Structure):
    """wif_api."""

    _fields_ = (
        ("size", c.c_size_t),
        ("api_version", c.c_int32),
        ("stream_version", c.c_int32),
        *((name, c.CFUNCTYPE(result, *arguments)) for name, result, arguments in FUNCTIONS),
    )


def _table():
    get = c.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c.c_void_p, (c.py_object, c.c_char_p)
    return Api.from_address(get(core.c_api, b"weightinit_fast._core.c_api"))


api = _table()

#: Name of a dtype in Python -> its constant.
DTYPES = {
    name: CONSTANTS[f"WIF_{name.upper()}"]
    for name in ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
}
TRANSFORMS = {
    "constant": CONSTANTS["WIF_CONSTANT"],
    "uniform": CONSTANTS["WIF_UNIFORM"],
    "normal": CONSTANTS["WIF_NORMAL"],
    "truncated_normal": CONSTANTS["WIF_TRUNCATED_NORMAL"],
}


def numbers(values):
    """Return a C array of int64; None stays None."""
    return None if values is None else (c.c_int64 * len(values))(*values)


def request(array, transform="normal", parameters=(0.0, 1.0), dtype="float32", **fields):
    """Return a request for a NumPy array; ``fields`` are set as they are, lists as C arrays.

    Without ``shape`` the request is for array.size successive elements.
    """
    made = Request(size=c.sizeof(Request), dtype=DTYPES[dtype], transform=TRANSFORMS[transform])
    made.data = array.ctypes.data
    made.parameters[: len(parameters)] = parameters
    made.count = 0 if "shape" in fields else array.size
    made.key = Key(1, 2)
    for name, value in fields.items():
        if isinstance(value, (list, tuple)):
            setattr(made, name, numbers(value))
            if name == "shape":
                made.ndim = len(value)
        else:
            setattr(made, name, value)
    return made


def fill(made):
    """Fill; return the status."""
    return api.fill(c.byref(made))


def text(status):
    """Return the text of a status."""
    return api.status_text(status).decode()
