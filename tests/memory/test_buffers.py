"""Odd memory: mapped files, shared blocks, ctypes, and classes that resemble arrays.

Each is filled exactly, or is refused with its name in the message and left untouched. No call holds
on to the memory afterwards.
"""

import array
import ctypes
import faulthandler
import mmap
import os
from multiprocessing import shared_memory

import numpy as np
import pytest
from support.interpreter import linux_only
from support.isolated import forks, isolated, note
from support.refusals import backing, refuse

import weightinit_fast as wi

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
@pytest.mark.process
def test_a_file_truncated_under_its_map(tmp_path):
    """The kernel ends the process (SIGBUS); what is left of the file holds right or old values."""
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
@pytest.mark.process
def test_shared_memory():
    """A child fills the block of its parent, and can close it as soon as the fill is done."""
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


def test_calls_do_not_keep_memory_pinned(tmp_path):
    """Memory can be resized or closed after fills, and after refusals."""
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


# ctypes ------------------------------------------------------------------------------------------


def test_ctypes():
    for kind, shape in (((ctypes.c_float * 3) * 4, (4, 3)), (ctypes.c_float, ())):
        out = kind()
        filled(out)
        wanted = EXPECTED[: np.prod(shape, dtype=int)].reshape(shape)
        np.testing.assert_array_equal(np.array(out), wanted)
    refuse(TypeError, "int32", wi.normal, out=(ctypes.c_int * 3)())


# Classes -----------------------------------------------------------------------------------------


class Interface:
    """A class that only NumPy knows as an array."""

    __array_interface__ = None

    def __init__(self, values):
        self.values, self.__array_interface__ = values, values.__array_interface__

    def __array__(self, *_, **__):
        return self.values


class Trap:
    """A class whose attribute of one name raises an exception."""

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


def test_a_map_and_its_released_view():
    """A map cannot be closed while a view of it lives; a released view is refused."""
    memory = mmap.mmap(-1, 4 * N)
    view = memoryview(memory).cast("f")
    filled(view)
    with pytest.raises(BufferError):
        memory.close()
    view.release()
    refuse((ValueError, BufferError), "released", wi.normal, out=view)
    memory.close()
    refuse((ValueError, TypeError), None, wi.normal, out=memory)
