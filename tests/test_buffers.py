"""Odd memory: mapped files, shared blocks, foreign pointers, classes with ideas of their own.

Filled exactly, or refused by name and untouched; nobody holds on to it afterwards.
"""

import array
import ctypes
import faulthandler
import mmap
import os
import sys
from multiprocessing import shared_memory

import numpy as np
import pytest
from isolated import forks, isolated, note
from test_errors import backing, refuse

import weightinit_fast as wi

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
N = 6000
EXPECTED = wi.normal(N, rng=0, stream="buffer", threads=1)


def filled(out):
    assert wi.normal(out=out, rng=0, stream="buffer") is out


# Mapped files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["r", "r+", "c", "w+"])
def test_memmap_modes(tmp_path, mode):
    path = tmp_path / "weights"
    backing(N).tofile(path)
    before = path.read_bytes()
    out = np.memmap(path, "f4", mode, shape=(N // 8, 8))
    if mode == "r":
        refuse(ValueError, "read-only", wi.normal, out=out, guard=out)
    else:
        filled(out)
        np.testing.assert_array_equal(out.reshape(-1), EXPECTED)
        out.flush()
    written = EXPECTED.tobytes() if mode in ("r+", "w+") else before
    assert path.read_bytes() == written, "a copy on write must not reach the file"


@linux_only
@forks
def test_a_file_cut_under_its_map(tmp_path):
    """The kernel ends the process (SIGBUS); what is left of the file holds right values or old."""
    path, page = tmp_path / "weights", mmap.PAGESIZE
    path.write_bytes(bytes(1 << 20))

    def fill():
        faulthandler.disable()
        out = np.memmap(path, "f4", "r+")
        os.truncate(path, 2 * page)
        note("the fill")
        wi.normal(out=out, rng=0, stream="buffer", threads=1)

    with pytest.raises(AssertionError, match="SIGBUS; the child was at the fill"):
        isolated(fill)
    left = np.fromfile(path, "f4")
    assert left.nbytes == 2 * page
    assert ((left == EXPECTED[: left.size]) | (left == 0)).all()


# Shared blocks -----------------------------------------------------------------------------------


@forks
def test_shared_memory():
    """Of another process; the block can be closed as soon as the fill is done."""
    block = shared_memory.SharedMemory(create=True, size=4 * N)
    try:

        def child():
            other = shared_memory.SharedMemory(block.name)
            out = np.frombuffer(other.buf, "f4", N)
            filled(out)
            with pytest.raises(BufferError):
                other.close()
            del out
            other.close()

        isolated(child)
        assert bytes(block.buf[: 4 * N]) == EXPECTED.tobytes()
        filled(block.buf.cast("f"))
        filled(np.ndarray(N, "f4", block.buf))
    finally:
        block.close()
        block.unlink()


def test_what_was_pinned_is_free_again(tmp_path):
    """After fills that ended well, and after refusals."""
    rng = np.random.default_rng(0)

    def use(out):
        filled(out)
        for wrong in ({"threads": 0}, {"stream": -1}, {"rng": "x"}, {"shape": (3, 3)}):
            with pytest.raises((TypeError, ValueError)):
                wi.normal(out=out, **wrong)
        for name in ("sparse", "orthogonal", "identity"):
            square = np.asarray(out)[:16].reshape(4, 4)
            getattr(wi, name)(out=square, rng=rng, **{"sparsity": 0.5} if name == "sparse" else {})

    owner = np.zeros(N, "f4")
    for view in (lambda a: a, memoryview, lambda a: a[::2]):
        use(view(owner))
        owner.resize(owner.size - 2, refcheck=False)
    bits = bytearray(4 * N)
    use(memoryview(bits).cast("f"))
    use(np.ndarray(N, "f4", bits))
    bits.clear()
    numbers = array.array("f", bytes(4 * N))
    use(numbers)
    numbers.append(1)
    out = np.memmap(tmp_path / "weights", "f4", "w+", shape=N)
    use(out)
    out._mmap.close()


# Foreign pointers --------------------------------------------------------------------------------


class Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("id", ctypes.c_int))


class DType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class Tensor(ctypes.Structure):
    _fields_ = (
        *(("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int), ("dtype", DType)),
        *((name, ctypes.POINTER(ctypes.c_int64)) for name in ("shape", "strides")),
        ("offset", ctypes.c_uint64),
    )


class Managed(ctypes.Structure):
    """DLManagedTensorVersioned of DLPack 1.0."""

    _fields_ = (
        *(("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p)),
        *(("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor)),
    )


class Exporter:
    """Says by DLPack whatever it is told to say."""

    def __init__(self, data, shape, strides=None, *, kind=1, dtype=(2, 32, 1), **other):
        self.shape = (ctypes.c_int64 * len(shape))(*shape)
        self.strides = strides and (ctypes.c_int64 * len(shape))(*strides)
        dense = np.cumprod([1, *shape[:0:-1]])[::-1] if strides is None else ()
        self.strides = self.strides or (ctypes.c_int64 * len(shape))(*map(int, dense))
        device, ndim = Device(kind, 0), other.get("ndim", len(shape))
        tensor = Tensor(data, device, ndim, DType(*dtype), self.shape, self.strides)
        tensor.offset = other.get("offset", 0)
        self.managed = Managed(1, 0, None, None, other.get("flags", 0), tensor)

    def __dlpack_device__(self):
        return self.managed.tensor.device.kind, 0

    def __dlpack__(self, **_):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.managed), b"dltensor_versioned", None)


def exporter(memory, *args, at=0, **kwargs):
    return Exporter(memory.ctypes.data + at, *args, **kwargs)


versioned_only = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy reads DLPack 1.0 from 2.1 on"
)


@versioned_only
@pytest.mark.parametrize(
    ("arguments", "options", "view"),
    [
        (((8, 6),), {}, lambda m: m.reshape(8, 6)),
        (((10,), (-1,)), {"at": 36}, lambda m: m[9::-1]),
        (((4, 3), (-3, -1)), {"at": 44}, lambda m: m[11::-1].reshape(4, 3)),
        (((5,), (7,)), {"offset": 8}, lambda m: m[2:31:7]),
        (((0, 2**40),), {}, lambda m: m[:0]),
    ],
)
def test_dlpack(arguments, options, view):
    memory = backing()
    wanted = memory.copy()
    shape = arguments[0]
    part = view(wanted)
    part[...] = wi.normal(shape, rng=0, stream="buffer").reshape(part.shape)
    filled(exporter(memory, *arguments, **options))
    assert memory.tobytes() == wanted.tobytes()


@versioned_only
@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        *(((8,), {"kind": kind}, "the CPU's") for kind in (2, 7, 99)),
        *(((8,), {"dtype": d}, None) for d in ((2, 32, 4), (99, 32, 1), (2, 31, 1), (0, 32, 1))),
        *((s, {}, None) for s in ((-3,), (2**62,), (2**40, 2**40), (2, -2), (1,) * 65)),
        *(((8,), {"ndim": n}, "dim") for n in (-1, 65, 2**31 - 1)),
        *(((4,), {"strides": (s,)}, "strides") for s in (0,)),
        ((3, 4), {"strides": (2, 1)}, "overlap"),
        ((8,), {"flags": 1}, "read-only"),
    ],
)
def test_dlpack_lies(shape, options, text):
    memory = backing()
    for function in (wi.normal, wi.he_normal, wi.zeros):
        out = exporter(memory, shape, **options)
        refuse((TypeError, ValueError, BufferError), text, function, out=out, guard=memory)


@versioned_only
def test_dlpack_of_no_memory():
    """NumPy makes memory of its own for a null pointer: the caller would never see the values."""
    for function in (wi.normal, wi.zeros):
        refuse(ValueError, "Exporter has no memory", function, out=Exporter(None, (8,)))
    wi.normal(out=Exporter(None, (0,)), rng=0)


def test_ctypes():
    for kind, shape in (((ctypes.c_float * 3) * 4, (4, 3)), (ctypes.c_float, ())):
        out = kind()
        filled(out)
        wanted = EXPECTED[: np.prod(shape, dtype=int)].reshape(shape)
        np.testing.assert_array_equal(np.array(out), wanted)
    refuse(TypeError, "int32", wi.normal, out=(ctypes.c_int * 3)())


# Classes -----------------------------------------------------------------------------------------


class Interface:
    """An array to NumPy alone."""

    __array_interface__ = None

    def __init__(self, values):
        self.values, self.__array_interface__ = values, values.__array_interface__

    def __array__(self, *_, **__):
        return self.values


class Trap:
    """Raises whatever is asked first."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, name):
        if name == self.name:
            raise ZeroDivisionError(name)
        raise AttributeError(name)

    @property
    def __dlpack__(self):
        return self.__getattr__("__dlpack__")


def test_classes_that_are_refused():
    memory = backing()
    refuse(TypeError, "Interface", wi.normal, out=Interface(memory), guard=memory)
    refuse(ZeroDivisionError, "requires_grad", wi.normal, out=Trap("requires_grad"))
    refuse(ZeroDivisionError, "dlpack", wi.normal, out=Trap("__dlpack__"))
    for out in (np.ndarray, wi.normal, memoryview, float, type, ..., {}, iter([1.0]), HIDDEN):
        refuse((TypeError, ValueError, BufferError), None, wi.normal, out=out)
    records = np.zeros(5, [("value", "f4")]).view(np.recarray)
    refuse(TypeError, "value", wi.normal, out=records, guard=records)


HIDDEN = memoryview(bytearray(8))
HIDDEN.release()


def test_classes_that_are_filled():
    records = np.zeros(N, [("skip", "S3"), ("value", "f4")]).view(np.recarray)
    filled(records.value)
    np.testing.assert_array_equal(records.value, EXPECTED)
    assert (records.skip == b"").all()
    masked = np.ma.array(np.zeros(N, "f4"), mask=np.arange(N) % 3 == 0, hard_mask=True)
    filled(masked)
    np.testing.assert_array_equal(masked.data, EXPECTED)
    np.testing.assert_array_equal(masked.mask, np.arange(N) % 3 == 0)
    for order in "CF":
        out = np.zeros((30, N // 30), "f4", order=order)
        filled(memoryview(out))
        np.testing.assert_array_equal(out.reshape(-1), EXPECTED)


def test_a_map_closed_before():
    """NumPy's own array on it is lost; a view of the map is refused."""
    memory = mmap.mmap(-1, 4 * N)
    view = memoryview(memory).cast("f")
    filled(view)
    with pytest.raises(BufferError):
        memory.close()
    view.release()
    refuse((ValueError, BufferError), "released", wi.normal, out=view)
    memory.close()
    refuse((ValueError, TypeError), None, wi.normal, out=memory)
