"""Arguments are read once, in few Python calls; new arrays are aligned; names are public."""

import copy
import importlib.util
import pickle
import re
import sys
import typing

import numpy as np
import pytest
from support import internals

import weightinit_fast as wi


class Changing:
    """A length that is another number each time it is read."""

    def __init__(self):
        self.reads = 0

    def __index__(self):
        self.reads += 1
        return 3 + self.reads


SHAPED = [wi.normal, wi.zeros, wi.he_normal, wi.xavier_uniform, wi.orthogonal, wi.identity]
SHAPED += [lambda shape, **kw: wi.sparse(shape, sparsity=0.5, **kw), wi.initializer("he_normal")]


@pytest.mark.parametrize("function", SHAPED)
def test_a_shape_is_read_once(function):
    length = Changing()
    values = function((length, 5), rng=0)
    assert length.reads == 1
    assert values.shape == (4, 5)
    np.testing.assert_array_equal(values, function((4, 5), rng=0))


@pytest.mark.parametrize("function", [wi.he_normal, wi.normal, wi.dirac])
def test_an_index_is_read_once(function):
    length = Changing()
    shape = (9, 9, 3)
    values = function(shape, index=np.s_[length:], rng=0)
    assert length.reads <= 2  # slice.indices reads a bound once
    np.testing.assert_array_equal(values, function(shape, rng=0)[-values.shape[0] :])


class Exporter:
    """A tensor of another library, which counts how often its memory is asked for."""

    def __init__(self, values):
        self.values, self.asked = values, 0

    def __dlpack__(self, **kwargs):
        self.asked += 1
        return self.values.__dlpack__()

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


@pytest.mark.parametrize("function", [wi.he_normal, wi.normal, wi.orthogonal, wi.identity])
def test_out_is_asked_for_its_memory_once(function):
    out = Exporter(np.zeros((6, 4), "f4"))
    assert function(out=out, rng=0) is out
    assert out.asked == 1
    np.testing.assert_array_equal(out.values, function((6, 4), rng=0))


def python_calls(call):
    """Return the names of the Python functions that a call enters."""
    names = []

    def profile(frame, event, _):
        if event == "call":
            names.append(frame.f_code.co_name)

    call()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names[1:]  # without call itself


def test_a_call_enters_few_python_functions():
    part, out = np.s_[3:7], np.empty((4, 4), "f4")
    for call, most in (
        (lambda: wi.he_normal((64, 32), rng=0, stream="x", index=part), 10),
        (lambda: wi.normal(out=out, rng=0), 4),
        (lambda: wi.normal((4, 4), out=out, rng=0), 4),
    ):
        names = python_calls(call)
        assert len(names) <= most, names


# New arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4"])
@pytest.mark.parametrize("function", [wi.zeros, wi.normal, wi.ones, wi.identity])
def test_large_new_arrays_begin_on_a_cache_line(function, dtype):
    kept = [function((n, 300), dtype=dtype, rng=0) for n in (256, 300, 1000) for _ in range(3)]
    for values in kept:
        assert values.ctypes.data % 64 == 0
        assert values.flags.carray or values.dtype.byteorder == ">"
        assert type(values) is np.ndarray
        assert values.flags.writeable
    part = wi.normal((1000, 300), index=np.s_[::2, 10:], rng=0)
    assert part.ctypes.data % 64 == 0


def test_values_of_aligned_arrays():
    whole = wi.normal((300, 300), rng=0)
    np.testing.assert_array_equal(
        whole, wi.normal((300, 300), rng=0, out=np.empty((300, 300), "f4"))
    )
    assert not wi.zeros((300, 300)).any()
    assert not wi.zeros((300, 300), dtype="f8").any()
    assert pickle.loads(pickle.dumps(whole)).tobytes() == whole.tobytes()


# Names -------------------------------------------------------------------------------------------


def test_dir_shows_what_is_public():
    adapters = {
        name for name in ("dask", "jax", "keras", "torch") if importlib.util.find_spec(name)
    }
    assert dir(wi) == sorted({*wi.__all__, *adapters})


def test_public_objects_are_pickled_under_their_public_names():
    for name in wi.__all__:
        member = getattr(wi, name)
        if callable(member):
            # What is imported when it is first asked for is in a public module of its own.
            assert re.fullmatch(r"weightinit_fast(\.models(\.[a-z]\w+)+)?", member.__module__), name
            assert pickle.loads(pickle.dumps(member)) is member
    for value in (wi.key(3), wi.initializer("he_normal(a=0.5)"), wi.initializer("ones").law(3)):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
        assert b"weightinit_fast\n" in pickle.dumps(value, protocol=0)
        assert b"_resolve" not in pickle.dumps(value)
        assert b"initialisers" not in pickle.dumps(value)


def test_type_hints_can_be_resolved():
    for name in wi.__all__:
        member = getattr(wi, name)
        if callable(member):
            hints = typing.get_type_hints(member)
            assert hints or isinstance(member, type), name
            assert not {"misplaced", "unknown"} & hints.keys()
    assert np.random.Generator in typing.get_args(typing.get_type_hints(wi.he_normal)["rng"])


def test_the_list_of_initialisers_is_complete():
    listed = {f.__name__ for f in internals.initialisers().values()}
    others = {"fans", "gain", "key", "info", "initializer", "Key", "Initializer", "Law"}
    others |= {"get_cmake_dir", "get_include"}
    members = {getattr(wi, name) for name in wi.__all__ if callable(getattr(wi, name))}
    public = {m.__name__ for m in members if not m.__module__.startswith("weightinit_fast.models")}
    assert public - others == listed
