"""Behaviour that is the same on every NumPy that the package admits, though NumPy's own differs.

`numpy.from_dlpack` has no copy= in 2.0, and gives a read-only view in 2.1 and 2.2. Where it refuses
a device or a dtype, it raises RuntimeError up to 2.4, and BufferError from 2.5 on. SeedSequence
takes nested sequences up to 2.4, and refuses them from 2.5 on. A caller of the package must see
none of these differences.
"""

import gc

import numpy as np
import pytest
from support.dlpack import Exporter, OldExporter
from support.refusals import backing, refuse

import weightinit_fast as wi

# DLPack ------------------------------------------------------------------------------------------


class OfNumpy:
    """An array that shows nothing but DLPack, and exports as the installed NumPy does."""

    def __init__(self, values):
        self.__dlpack__, self.__dlpack_device__ = values.__dlpack__, values.__dlpack_device__


EXPORTERS = {
    "versioned": lambda m: Exporter(m.ctypes.data, m.shape),
    "NumPy's": OfNumpy,
}


@pytest.mark.parametrize("function", [wi.normal, wi.he_normal, wi.zeros, wi.orthogonal])
@pytest.mark.parametrize("name", EXPORTERS)
def test_exporters_are_filled(name, function):
    memory = backing().reshape(8, 6)
    out = EXPORTERS[name](memory)
    assert function(out=out, rng=3, stream="a") is out
    np.testing.assert_array_equal(memory, function((8, 6), rng=3, stream="a"))


def test_memory_is_released_once():
    memory = backing()
    out = Exporter(memory.ctypes.data, memory.shape)
    wi.normal(out=out, rng=3)
    gc.collect()
    assert out.released == 1


@pytest.mark.parametrize("kind", [Exporter, OldExporter])
def test_exporters_from_before_dlpack_1_0(kind):
    """They cannot say whether their memory may be written, so that a refusal is right as well."""
    memory = backing()
    out = kind(memory.ctypes.data, memory.shape, versioned=False)
    refusal = None
    try:
        wi.normal(out=out, rng=3)
    except ValueError as error:
        refusal = str(error)
    gc.collect()
    assert refusal is None or "read-only" in refusal
    wanted = backing() if refusal else wi.normal(memory.shape, rng=3)
    assert memory.tobytes() == wanted.tobytes()
    assert out.released <= 1


@pytest.mark.parametrize("kind", [Exporter, OldExporter])
@pytest.mark.parametrize("device", [2, 7, 99])
def test_a_foreign_device_is_refused(device, kind):
    memory = backing()
    out = kind(memory.ctypes.data, (8,), kind=device)
    refuse((TypeError, ValueError), "CPU", wi.normal, out=out, guard=memory)
    gc.collect()
    assert out.released <= 1


@pytest.mark.parametrize("kind", [Exporter, OldExporter])
@pytest.mark.parametrize(
    "dtype", [(2, 32, 4), (99, 32, 1), (2, 31, 1), (0, 32, 1), (4, 32, 1), (10, 16, 1), (11, 8, 1)]
)
def test_a_foreign_dtype_is_refused(dtype, kind):
    """Refuse vectors, an unknown code, 31 bits, integers, widths that no type has, e4m3fnuz."""
    memory = backing()
    out = kind(memory.ctypes.data, (8,), dtype=dtype)
    refuse((TypeError, ValueError), None, wi.normal, out=out, guard=memory)


@pytest.mark.parametrize("kind", [Exporter, OldExporter])
@pytest.mark.parametrize(
    ("dtype", "name"),
    [((4, 16, 1), "bfloat16"), ((10, 8, 1), "float8_e4m3fn"), ((12, 8, 1), "float8_e5m2")],
)
def test_types_that_numpy_lacks(dtype, name, kind):
    """DLPack names the type, so that no dtype= is needed, and a different dtype= is refused."""
    expected, memory = np.zeros(8, f"u{dtype[1] // 8}"), np.zeros(8, f"u{dtype[1] // 8}")
    wi.normal(out=expected, dtype=name, rng=3)
    for options in ({}, {"dtype": name}):
        memory[:] = 0
        out = kind(memory.ctypes.data, (8,), dtype=dtype)
        assert wi.normal(out=out, rng=3, **options) is out
        assert memory.tobytes() == expected.tobytes()
    out = kind(memory.ctypes.data, (8,), dtype=dtype)
    refuse(TypeError, name, wi.normal, out=out, guard=memory, dtype="float32")


def test_read_only_memory_is_refused():
    memory = backing()
    out = Exporter(memory.ctypes.data, (8,), flags=1)
    refuse(ValueError, "read-only", wi.normal, out=out, guard=memory)


# Seeds -------------------------------------------------------------------------------------------

NESTED = (
    *([[1, 2], [3, 4]], [(1, 2), 3], ([1], 2), [1, [2]], [[]], [[[5]]], [range(2), 3]),
    *(np.array([[1, 2], [3, 4]]), np.array([[5]]), [np.array([1, 2]), 3]),
)


@pytest.mark.parametrize("seed", NESTED, ids=str)
def test_nested_seeds_are_flattened(seed):
    """SeedSequence flattened them up to NumPy 2.4; from 2.5 on it refuses them."""
    words = np.random.SeedSequence(list(flattened(seed))).generate_state(4).astype(object)
    expected = wi.Key(words[0] | words[1] << 32, words[2] | words[3] << 32)
    assert wi.key(seed) == expected
    np.testing.assert_array_equal(wi.normal(9, rng=seed), wi.normal(9, rng=expected))


def flattened(seed):
    for item in seed:
        if np.ndim(item):
            yield from flattened(item)
        elif not isinstance(item, (list, tuple, range, np.ndarray)):
            yield int(item)


@pytest.mark.parametrize(
    "seed",
    [[], [1], [1, 2, 3], (2**40, 0), range(3), np.array([5, 6]), 2**200, [2**200, 3]],
    ids=str,
)
def test_flat_seeds_are_numpys(seed):
    words = np.random.SeedSequence(seed).generate_state(4).astype(object)
    assert wi.key(seed) == wi.Key(words[0] | words[1] << 32, words[2] | words[3] << 32)
