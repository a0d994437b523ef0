"""Every refusal of an out= or a dtype: the right class, the reason in the text, nothing changed."""

import array
import mmap

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from support.refusals import FILLS, backing, refuse

import weightinit_fast as wi


class Tensor:
    """A foreign tensor that must not be asked for its memory."""

    shape = (4,)

    def __init__(self, error=None, **attributes):
        self.error = error
        self.__dict__.update(attributes)

    def __dlpack__(self, **_):
        raise self.error or AssertionError("asked for memory")

    def __dlpack_device__(self):
        return (1, 0)


def readonly(values):
    values.flags.writeable = False
    return values


def cast(memory):
    return memoryview(memory).cast("f")


REFUSED_BUFFERS = {
    "readonly": (lambda m: readonly(m[:]), ValueError, "read-only"),
    "readonly strided": (lambda m: readonly(m[::-2]), ValueError, "read-only"),
    "broadcast": (lambda m: np.broadcast_to(m[:1], 9), ValueError, "read-only"),
    "stride 0": (lambda m: as_strided(m, (3, 4), (0, 4)), ValueError, "(0, 4)"),
    "stride 0 inner": (lambda m: as_strided(m, (3, 4), (16, 0)), ValueError, "(16, 0)"),
    "overlap": (lambda m: as_strided(m, (3, 4), (8, 4)), ValueError, "(8, 4)"),
    "negative overlap": (lambda m: as_strided(m[9:], (3, 4), (-8, 4)), ValueError, "(-8, 4)"),
    "partial overlap": (lambda m: as_strided(m, (5,), (2,)), ValueError, "(2,)"),
    "equal strides": (lambda m: as_strided(m, (3, 3), (4, 4)), ValueError, "(4, 4)"),
    "window": (lambda m: sliding_window_view(m, 5, writeable=True), ValueError, "overlap"),
    **{
        dtype: (lambda m, d=dtype: m.view(d), TypeError, str(np.dtype(dtype)))
        for dtype in ("i4", "u8", "c8", "S4", "M8[s]", "bool", "u1", "f4,f4")
    },
    "object": (lambda _: np.array([1.5, None], object), TypeError, "object"),
    "longdouble": (lambda _: np.zeros(3, np.longdouble), TypeError, str(np.dtype("g"))),
    "bytes": (lambda _: b"12345678", TypeError, "uint8"),
    "cast bytes": (lambda _: cast(b"12345678"), ValueError, "read-only"),
    "bytearray": (lambda _: bytearray(8), TypeError, "uint8"),
    "cast readonly": (lambda m: memoryview(m).toreadonly(), ValueError, "read-only"),
    "mmap": (lambda _: cast(mmap.mmap(-1, 64, prot=mmap.PROT_READ)), ValueError, "read-only"),
    "array of ints": (lambda _: array.array("i", [1, 2]), TypeError, "int32"),
    "list": (lambda _: [1.0, 2.0], TypeError, "list"),
    "float": (lambda _: 1.0, TypeError, "float"),
    "str": (lambda _: "buffer", TypeError, "str"),
    "scalar": (lambda _: np.float32(3), (TypeError, ValueError), None),
    "grad": (lambda _: Tensor(requires_grad=True), ValueError, ".detach()"),
    "device": (
        lambda _: Tensor(BufferError("lives on cuda:0")),
        (TypeError, ValueError, BufferError),
        "cuda:0",
    ),
}


@pytest.mark.parametrize("name", REFUSED_BUFFERS)
def test_out(name):
    make, error, text = REFUSED_BUFFERS[name]
    memory = backing()
    for function in FILLS:
        out = make(memory)
        content = None if isinstance(out, (Tensor, float)) else np.array(out)
        refuse(error, text, function, out=out, guard=memory)
        if content is not None:
            assert np.array(out).tobytes() == content.tobytes()


def test_out_memmap_opened_for_reading(tmp_path):
    path = tmp_path / "weights"
    backing().tofile(path)
    out = np.memmap(path, "f4", "r")
    refuse(ValueError, "read-only", wi.normal, out=out, guard=out)
    assert path.read_bytes() == backing().tobytes()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        *(({"shape": s}, ValueError, str(s)) for s in ((8, 6), (48,), (6, 8, 1), (0, 8))),
        ({"shape": (6, 8), "index": np.s_[1:]}, ValueError, "(5, 8)"),
        ({"shape": (6, 8), "index": np.s_[..., None]}, ValueError, "(6, 8, 1)"),
        ({"shape": (6, 8), "index": 0}, ValueError, "(8,)"),
        *(({"dtype": d}, TypeError, str(np.dtype(d))) for d in ("f8", ">f4", "f2")),
    ],
)
def test_out_that_does_not_fit(options, error, text):
    out = backing().reshape(6, 8)
    for function in FILLS:
        refuse(error, text, function, out=out, guard=out, **options)


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        *((int, "int64"), (bool, "bool"), (complex, "complex128")),
        *(("O", "object"), ("S4", "S4"), ("f4,f4", "f4"), ("bogus", "bogus"), (7, "7")),
        ("g", str(np.dtype("g"))),
    ],
)
def test_dtype(dtype, text):
    for function in FILLS:
        refuse(TypeError, text, function, (6, 8), dtype=dtype)
