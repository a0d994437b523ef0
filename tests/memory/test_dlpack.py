"""DLPack exporters of our own making: what they describe is filled, and lies are refused."""

import gc

import numpy as np
import pytest
from support.dlpack import Exporter
from support.internals import core
from support.refusals import backing, refuse

import weightinit_fast as wi


def filled(out):
    assert wi.normal(out=out, rng=0, stream="buffer") is out


def exporter(memory, *args, at=0, **kwargs):
    return Exporter(memory.ctypes.data + at, *args, **kwargs)


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


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        *(((8,), {"kind": kind}, "the CPU's") for kind in (2, 7, 99)),
        *(((8,), {"dtype": d}, None) for d in ((2, 32, 4), (99, 32, 1), (2, 31, 1), (0, 32, 1))),
        ((4,), {"dtype": (5, 64, 1)}, "its elements are complex numbers of 64 bits"),
        ((8,), {"dtype": (6, 8, 1)}, "its elements are bools of 8 bits"),
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


def test_dlpack_of_no_memory():
    """A null pointer is refused: NumPy would fill memory of its own, which no caller sees."""
    for function in (wi.normal, wi.zeros):
        refuse(
            ValueError, "Exporter is refused: it has no memory", function, out=Exporter(None, (8,))
        )
    wi.normal(out=Exporter(None, (0, 3)), rng=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"major": 2}, "version 2"),
        ({"flags": 2}, "a copy"),
        ({"dtype": (99, 32, 1)}, "of DLPack's type"),
        ({"ndim": 65}, "ndim 65"),
        ({"no_lengths": True}, "axes without lengths"),
        ({"no_lengths": True, "versioned": False}, "axes without lengths"),
    ],
)
def test_refused_memory_is_released_once(options, text):
    memory = backing()
    out = exporter(memory, (8,), **options)
    refuse((TypeError, ValueError, BufferError), text, wi.normal, out=out, guard=memory)
    gc.collect()
    assert out.released == 1


def test_a_capsule_is_used_once():
    """The second call of __dlpack__ returns the capsule of the first."""
    memory = backing()
    out = exporter(memory, (8,))
    capsule = out.__dlpack__()
    out.__dlpack__ = lambda **_: capsule
    filled(out)
    wanted = memory.copy()
    refuse(BufferError, "a used one", wi.normal, out=out, guard=memory)
    assert memory.tobytes() == wanted.tobytes()
    gc.collect()
    assert out.released == 1


def test_memory_lives_as_long_as_a_view_of_it():
    memory = backing()
    out = exporter(memory, (8,), (3,))
    lent, name = core.dlpack_memory(out)
    view = np.asarray(lent)[1:]
    assert name is None
    del lent
    gc.collect()
    assert out.released == 0
    np.testing.assert_array_equal(view.view("u4"), memory[3:24:3].view("u4"))
    del view
    gc.collect()
    assert out.released == 1


@pytest.mark.parametrize(("shape", "strides"), [((6,), (3,)), ((2, 3), (1, 2))])
def test_strided_memory_is_not_lent_as_contiguous(shape, strides):
    """A consumer that asks for contiguous memory would write between the elements and past them."""
    memory = backing()
    before = memory.tobytes()
    lent, _ = core.dlpack_memory(exporter(memory, shape, strides, dtype=(2, 16, 1)))
    assert memoryview(lent).shape == shape
    with pytest.raises(BufferError):
        core.narrow(np.ones(6, "f4"), lent, core.DTYPES.index("float16"))
    assert memory.tobytes() == before
