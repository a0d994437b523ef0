"""The handler of XLA's FFI, called as XLA calls it, with calls that are right and wrong. No jax."""

import ctypes
import os
import struct
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np
import pytest

import weightinit_fast as wi
from weightinit_fast import _core
from weightinit_fast._installed import xla_library

pytestmark = pytest.mark.skipif(
    not os.path.exists(xla_library()), reason="this build has no handler for XLA"
)

U32, S64, F32, F64, BF16 = 8, 5, 11, 12, 16
TYPES = {
    "float32": F32,
    "float64": F64,
    "float16": 10,
    "bfloat16": BF16,
    "float8_e4m3fn": 20,
    "float8_e5m2": 19,
}
ARRAY, SCALAR = 1, 3
NORMAL = 4
EXECUTE = 3


# The structs of XLA's header, as API 0.1 has them -------------------------------------------------


class Header(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("extension_start", c_void_p)]


class Buffer(ctypes.Structure):
    _fields_ = [
        *Header._fields_,
        ("dtype", c_int),
        ("data", c_void_p),
        ("rank", c_int64),
        ("dims", POINTER(c_int64)),
    ]


class Values(ctypes.Structure):  # XLA_FFI_Args and XLA_FFI_Rets
    _fields_ = [
        *Header._fields_,
        ("size", c_int64),
        ("types", POINTER(c_int)),
        ("values", POINTER(c_void_p)),
    ]


class Attributes(ctypes.Structure):
    _fields_ = [
        *Header._fields_,
        ("size", c_int64),
        ("types", POINTER(c_int)),
        ("names", POINTER(c_void_p)),
        ("values", POINTER(c_void_p)),
    ]


class Text(ctypes.Structure):
    _fields_ = [("ptr", c_char_p), ("len", c_size_t)]


class Scalar(ctypes.Structure):
    _fields_ = [("dtype", c_int), ("value", c_void_p)]


class Array(ctypes.Structure):
    _fields_ = [("dtype", c_int), ("size", c_size_t), ("data", c_void_p)]


class ErrorArguments(ctypes.Structure):
    _fields_ = [*Header._fields_, ("message", c_char_p), ("code", c_int)]


CREATE = ctypes.CFUNCTYPE(c_void_p, POINTER(ErrorArguments))


class Version(ctypes.Structure):
    _fields_ = [*Header._fields_, ("major", c_int), ("minor", c_int)]


class Api(ctypes.Structure):
    _fields_ = [
        *Header._fields_,
        ("version", Version),
        ("internal_api", c_void_p),
        ("create_error", CREATE),
    ]


class Frame(ctypes.Structure):
    _fields_ = [
        *Header._fields_,
        ("api", POINTER(Api)),
        ("context", c_void_p),
        ("stage", c_int),
        ("args", Values),
        ("rets", Values),
        ("attrs", Attributes),
        ("future", c_void_p),
    ]


class Metadata(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("version", Version), ("traits", c_uint32)]


class Extension(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("type", c_int),
        ("next", c_void_p),
        ("metadata", POINTER(Metadata)),
    ]


def load():
    """Return the library as another object than the one that JAX may hold; it is the same code."""
    library = ctypes.CDLL(xla_library())
    library.wif_xla_draw.restype = c_void_p
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c_void_p, [ctypes.py_object, c_char_p]
    table = c_void_p(get(_core.c_api, b"weightinit_fast._core.c_api"))
    assert library.wif_xla_use_engine(table) == 0
    return library


class Call:
    """A call of the handler. `run` makes it, and returns the text of the error, or None."""

    def __init__(self, result, words, start=None, whole=None, **attributes):
        self.kept = []
        self.operands = [self.buffer(np.asarray(words, np.uint32), U32)]
        if start is not None:
            pairs = [[n & 0xFFFFFFFF, n >> 32] for n in start]
            self.operands.append(self.buffer(np.array(pairs, np.uint32).reshape(-1, 2), U32))
        self.results = [self.buffer(result, F32)]
        whole = result.shape if whole is None else whole
        self.attributes = {
            "parameters": self.array(np.array([0.0, 1.0, 0.0, 0.0]), F64),
            "stream": self.scalar(0),
            "transform": self.scalar(NORMAL),
            "whole": self.array(np.array(whole, np.int64), S64),
        }
        self.attributes.update(attributes)
        self.stage = EXECUTE
        self.extension = None
        self.version = (0, 1)

    def keep(self, thing):
        self.kept.append(thing)
        return thing

    def buffer(self, array, dtype, shape=None):
        shape = array.shape if shape is None else shape
        dims = self.keep((c_int64 * max(len(shape), 1))(*shape))
        self.keep(array)
        size = ctypes.sizeof(Buffer)
        return Buffer(size, None, dtype, array.ctypes.data, len(shape), dims)

    def scalar(self, value, dtype=S64):
        memory = self.keep(c_int64(value))
        return SCALAR, Scalar(dtype, ctypes.addressof(memory))

    def array(self, array, dtype, size=None):
        self.keep(array)
        return ARRAY, Array(dtype, array.size if size is None else size, array.ctypes.data)

    def _values(self, things, types):
        pointers = (c_void_p * max(len(things), 1))(*(ctypes.addressof(t) for t in things))
        kinds = (c_int * max(len(things), 1))(*types)
        self.keep((things, pointers, kinds))
        return kinds, pointers

    def run(self, handler):
        texts = []

        def create(arguments):
            texts.append(arguments.contents.message.decode())
            return 1

        version = Version(24, None, *(self.version or (0, 0)))
        api = Api(ctypes.sizeof(Api), None, version, None, CREATE(create))
        kinds = [kind for kind, _ in self.attributes.values()]
        kinds, values = self._values([a for _, a in self.attributes.values()], kinds)
        names = [Text(name.encode(), len(name)) for name in self.attributes]
        _, names = self._values(names, [0] * len(names))
        arguments = self._values(self.operands, [1] * len(self.operands))
        results = self._values(self.results, [1] * len(self.results))
        frame = Frame(
            ctypes.sizeof(Frame),
            ctypes.addressof(self.extension) if self.extension else None,
            ctypes.pointer(api) if self.version else None,
            None,
            self.stage,
            Values(40, None, len(self.operands), *arguments),
            Values(40, None, len(self.results), *results),
            Attributes(48, None, len(self.attributes), kinds, names, values),
        )
        returned = handler(ctypes.byref(frame))
        assert bool(returned) == bool(texts)
        return texts[0].removeprefix("weightinit_fast cannot draw: ") if texts else None


WORDS = [1, 2, 3, 4]
KEY = wi.Key(1 | 2 << 32, 3 | 4 << 32)
EMPTY = -77.0


@pytest.fixture(scope="module")
def handler():
    return load().wif_xla_draw


def test_sizes_are_those_of_the_header():
    """As XLA_FFI_..._STRUCT_SIZE on 64-bit systems."""
    assert ctypes.sizeof(Buffer) == 48
    assert ctypes.sizeof(Values) == 40
    assert ctypes.sizeof(Attributes) == 48
    assert Frame.attrs.offset == 120
    assert ctypes.sizeof(Frame) == 176


# Calls that are right -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0,), (2, 0, 3), (70, 41, 60)])
def test_whole_tensors(handler, shape):
    made = np.full(shape, EMPTY, np.float32)
    assert Call(made, WORDS).run(handler) is None
    assert np.array_equal(made, wi.normal(shape, rng=KEY))


@pytest.mark.parametrize("name", TYPES)
def test_every_type(handler, name):
    wanted = np.asarray(wi.normal((7, 9), rng=KEY, dtype=name))
    made = np.zeros((7, 9), f"V{wanted.itemsize}")
    call = Call(made, WORDS)
    call.results[0].dtype = TYPES[name]
    assert call.run(handler) is None
    assert made.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("transform", "parameters", "wanted"),
    [
        (2, [0.1, 0, 0, 0], lambda n: wi.constant(n, value=0.1)),
        (3, [-1, 2, 0, 0], lambda n: wi.uniform(n, low=-1, high=2, rng=KEY)),
        (4, [0.5, 0.02, 0, 0], lambda n: wi.normal(n, mean=0.5, std=0.02, rng=KEY)),
        (5, [0, 0.1, -2, 2], lambda n: wi.truncated_normal(n, std=0.1, rng=KEY)),
        (5, [0, 0.1, -1, 3], lambda n: wi.truncated_normal(n, std=0.1, lower=-1, upper=3, rng=KEY)),
    ],
)
def test_every_transform(handler, transform, parameters, wanted):
    made = np.zeros(999, np.float32)
    call = Call(made, WORDS)
    call.attributes["transform"] = call.scalar(transform)
    call.attributes["parameters"] = call.array(np.array(parameters, float), F64)
    assert call.run(handler) is None
    assert np.array_equal(made, wanted(999))


def test_a_stream(handler):
    made = np.zeros(99, np.float32)
    call = Call(made, WORDS)
    call.attributes["stream"] = call.scalar(struct.unpack("<q", struct.pack("<Q", 2**63 + 5))[0])
    assert call.run(handler) is None
    assert np.array_equal(made, wi.normal(99, rng=KEY, stream=2**63 + 5))


def test_blocks(handler):
    whole = wi.normal((10, 7, 6), rng=KEY)
    for start, shape in (((0, 0, 0), (5, 7, 6)), ((5, 2, 3), (5, 3, 3)), ((9, 6, 5), (1, 1, 1))):
        made = np.full(shape, EMPTY, np.float32)
        assert Call(made, WORDS, start, whole.shape).run(handler) is None
        index = tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
        assert np.array_equal(made, whole[index])


def test_blocks_are_padded_with_zeros(handler):
    whole = wi.normal((10, 7), rng=KEY)
    made = np.full((4, 5), EMPTY, np.float32)
    assert Call(made, WORDS, (8, 4), (10, 7)).run(handler) is None
    assert np.array_equal(made[:2, :3], whole[8:, 4:])
    made[:2, :3] = 0
    assert not made.any()
    for start in ((12, 0), (0, 7), (2**40, 2**63), (2**64 - 1, 0)):
        made = np.full((4, 5), EMPTY, np.float32)
        assert Call(made, WORDS, start, (10, 7)).run(handler) is None
        assert not made.any()


def test_blocks_far_out(handler):
    shape = (3, 2**40, 5)
    made = np.zeros((2, 3, 5), np.float32)
    assert Call(made, WORDS, (1, 2**40 - 3, 0), shape).run(handler) is None
    assert np.array_equal(made, wi.normal(shape, rng=KEY, index=np.s_[1:3, 2**40 - 3 :]))


def test_batches(handler):
    words = np.arange(24, dtype=np.uint32).reshape(2, 3, 4)
    made = np.zeros((2, 3, 5, 7), np.float32)
    assert Call(made, words, whole=(5, 7)).run(handler) is None
    part = np.zeros((2, 3, 2, 7), np.float32)
    assert Call(part, words, (3, 0), (5, 7)).run(handler) is None
    for i, j in np.ndindex(2, 3):
        low, high = words[i, j].view(np.uint64).tolist()
        assert np.array_equal(made[i, j], wi.normal((5, 7), rng=wi.Key(low, high)))
        assert np.array_equal(part[i, j], made[i, j, 3:])
    none = np.zeros((0, 3, 5), np.float32)
    assert Call(none, words[:0], whole=(5,)).run(handler) is None


def test_nothing_beside_the_result_is_written(handler):
    memory = np.full(4096, EMPTY, np.float32)
    made = memory[1024 : 1024 + 2000].reshape(50, 40)
    assert Call(made, WORDS, (60, 10), (100, 45)).run(handler) is None
    assert (memory[:1024] == EMPTY).all()
    assert (memory[3024:] == EMPTY).all()


# Calls that are wrong -----------------------------------------------------------------------------


def wrong(change):
    """Return a call with a change."""
    made = np.full((3, 4), EMPTY, np.float32)
    call = Call(made, WORDS, (0, 0))
    change(call)
    return call, made


def set_dims(buffer, *dims):
    for k, n in enumerate(dims):
        buffer.dims[k] = n


def another_attribute(name, make):
    def change(call):
        call.attributes[name] = make(call)

    return change


def several(*changes):
    def change(call):
        for one in changes:
            one(call)

    return change


NUMBERS = np.zeros(8)
WRONG = {
    "stage": (lambda c: setattr(c, "stage", 0), "another stage"),
    "no operand": (lambda c: c.operands.clear(), "one or two operands"),
    "third operand": (lambda c: c.operands.append(c.operands[0]), "one or two operands"),
    "no result": (lambda c: c.results.clear(), "one result"),
    "two results": (lambda c: c.results.append(c.results[0]), "one result"),
    "words of another type": (lambda c: setattr(c.operands[0], "dtype", S64), "operand 0"),
    "words without axes": (lambda c: setattr(c.operands[0], "rank", 0), "operand 0"),
    "two words": (lambda c: set_dims(c.operands[0], 2), "operand 0"),
    "words nowhere": (lambda c: setattr(c.operands[0], "data", None), "operand 0"),
    "words in a short struct": (lambda c: setattr(c.operands[0], "struct_size", 40), "operand 0"),
    "negative rank": (lambda c: setattr(c.results[0], "rank", -1), "fewer axes"),
    "no lengths": (lambda c: setattr(c.results[0], "dims", None), "fewer axes"),
    "negative length": (lambda c: set_dims(c.results[0], 3, -4), "fewer axes"),
    "lengths overflow": (lambda c: set_dims(c.results[0], 2**40, 2**40), "fewer axes"),
    "empty but overflows": (lambda c: set_dims(c.results[0], 0, 2**62), "fewer axes"),
    "result nowhere": (lambda c: setattr(c.results[0], "data", None), "fewer axes"),
    "integers": (lambda c: setattr(c.results[0], "dtype", S64), "a type that is not drawn"),
    "complex": (lambda c: setattr(c.results[0], "dtype", 15), "a type that is not drawn"),
    "unknown type": (lambda c: setattr(c.results[0], "dtype", 1000), "a type that is not drawn"),
    "start of another type": (lambda c: setattr(c.operands[1], "dtype", S64), "operand 1"),
    "start of one axis": (lambda c: set_dims(c.operands[1], 1, 2), "operand 1"),
    "start of one word": (lambda c: set_dims(c.operands[1], 2, 1), "operand 1"),
    "no whole": (lambda c: c.attributes.pop("whole"), "attribute whole"),
    "whole of one axis": (
        another_attribute("whole", lambda c: c.array(np.array([3]), S64)),
        "attribute whole",
    ),
    "whole in floats": (
        another_attribute("whole", lambda c: c.array(NUMBERS[:2], F64)),
        "attribute whole",
    ),
    "whole a scalar": (another_attribute("whole", lambda c: c.scalar(3)), "attribute whole"),
    "negative whole": (
        another_attribute("whole", lambda c: c.array(np.array([3, -4]), S64)),
        "a length of the whole tensor is negative",
    ),
    "whole overflows": (
        another_attribute("whole", lambda c: c.array(np.array([2**40, 2**40]), S64)),
        "length",
    ),
    "no parameters": (lambda c: c.attributes.pop("parameters"), "are not all there"),
    "two parameters": (
        another_attribute("parameters", lambda c: c.array(NUMBERS[:2], F64)),
        "are not all there",
    ),
    "narrow parameters": (
        another_attribute("parameters", lambda c: c.array(NUMBERS[:4], F32)),
        "are not all there",
    ),
    "no transform": (lambda c: c.attributes.pop("transform"), "are not all there"),
    "narrow transform": (
        another_attribute("transform", lambda c: c.scalar(4, 4)),
        "are not all there",
    ),
    "no stream": (lambda c: c.attributes.pop("stream"), "are not all there"),
    "words are no draw": (another_attribute("transform", lambda c: c.scalar(1)), "no such trans"),
    "huge transform": (another_attribute("transform", lambda c: c.scalar(2**32 + 4)), "no such"),
    "later transform": (another_attribute("transform", lambda c: c.scalar(99)), "transform"),
    "negative std": (
        another_attribute("parameters", lambda c: c.array(np.array([0.0, -1, 0, 0]), F64)),
        "parameter",
    ),
    "std is nan": (
        another_attribute("parameters", lambda c: c.array(np.array([0.0, np.nan, 0, 0]), F64)),
        "parameter",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_refused_and_writes_nothing(handler, name):
    change, text = WRONG[name]
    call, made = wrong(change)
    refusal = call.run(handler)
    assert refusal is not None
    assert text in refusal
    assert (made == EMPTY).all()


def test_more_than_64_axes_are_refused(handler):
    made = np.full(1, EMPTY, np.float32)
    for axes, refused in ((64, False), (65, True), (66, True)):
        call = Call(made, WORDS, whole=(1,) * axes)
        call.results = [call.buffer(made, F32, (1,) * axes)]
        refusal = call.run(handler)
        assert (refusal is not None) == refused
        assert not refused or "more than 64" in refusal
        assert (made[0] == EMPTY) == refused
        made[0] = EMPTY


def test_a_part_without_a_start_is_refused(handler):
    made = np.full((3, 4), EMPTY, np.float32)
    assert "no operand says which part" in Call(made, WORDS, whole=(6, 4)).run(handler)
    assert (made == EMPTY).all()


def test_a_batch_of_another_length_is_refused(handler):
    made = np.full((3, 4), EMPTY, np.float32)
    words = np.zeros((2, 4), np.uint32)
    assert "number of tensors" in Call(made, words, whole=(4,)).run(handler)
    assert "fewer axes" in Call(made[0], words[None, None], whole=()).run(handler)


# Versions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_xla", [None, 1, 2, 3, 99])
def test_it_tells_the_older_of_two_versions(of_xla):
    library = load()
    metadata = Metadata(36, Version(24, None, 7, 7), 7)
    call = Call(np.zeros(3, np.float32), WORDS)
    call.extension = Extension(32, 1, None, ctypes.pointer(metadata))
    call.version = of_xla and (0, of_xla)
    assert call.run(library.wif_xla_draw) is None
    header = library.wif_xla_header_version()
    assert 1 <= header < 1000
    wanted = 1 if of_xla is None else min(of_xla, header)
    assert (metadata.version.major, metadata.version.minor, metadata.traits) == (0, wanted, 0)


def test_a_foreign_table_is_refused():
    library = ctypes.CDLL(xla_library())
    assert library.wif_xla_use_engine(None) == -1
    table = (c_int64 * 8)(8)  # too short
    assert library.wif_xla_use_engine(table) == -1
    table = (c_int64 * 8)(64, 1 | 2 << 32)  # another version of the stream
    assert library.wif_xla_use_engine(table) == -1
    table = (c_int64 * 8)(64, 0 | 1 << 32)  # no version of the API
    assert library.wif_xla_use_engine(table) == -1
