"""DLPack exporters of our own making: what they describe is filled, and lies are refused."""

import pytest
from support.dlpack import Exporter
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
    """NumPy makes memory of its own for a null pointer: the caller would never see the values."""
    for function in (wi.normal, wi.zeros):
        refuse(
            ValueError, "Exporter is refused: it has no memory", function, out=Exporter(None, (8,))
        )
    wi.normal(out=Exporter(None, (0, 3)), rng=0)
