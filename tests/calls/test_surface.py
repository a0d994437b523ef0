"""The Python surface: signatures, defaults, shapes and dtypes, info, keys and streams."""

import copy
import hashlib
import importlib.metadata
import inspect
import math
import pickle

import numpy as np
import pytest
from numpy.random import PCG64, RandomState, SeedSequence, default_rng
from support.isas import CPU_FLAGS
from support.surface import ALIASES, COMMON, FANS, REQUIRED, joined, same_bits

import weightinit_fast as wi

HE = {"a": 0, "mode": "fan_in"} | FANS
XAVIER = {"gain": 1} | FANS
OWN = {
    "zeros": {},
    "ones": {},
    "constant": {"value": REQUIRED},
    "uniform": {"low": 0, "high": 1},
    "normal": {"mean": 0, "std": 1},
    "xavier_uniform": XAVIER,
    "xavier_normal": XAVIER,
    "he_uniform": HE,
    "he_normal": HE,
}
RANDOM = sorted(set(OWN) - {"zeros", "ones", "constant"})


def call(name, *args, **kwargs):
    """Call an initialiser; `constant` needs its value."""
    own = {"value": 0.5} if name == "constant" else {}
    return getattr(wi, name)(*args, **own, **kwargs)


# Signatures and defaults --------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_signature(name):
    parameters = inspect.signature(getattr(wi, name)).parameters
    shape, *rest = parameters.values()
    assert (shape.name, shape.default) == ("shape", None)
    assert shape.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {p.kind for p in rest} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in rest} == OWN[name] | COMMON
    assert [p.name for p in rest][-len(COMMON) :] == list(COMMON)


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_alias_is_the_same_object(alias, name):
    assert getattr(wi, alias) is getattr(wi, name)


def test_helper_signatures():
    assert list(inspect.signature(wi.fans).parameters) == [
        "shape",
        "layout",
        "groups",
        "transposed",
    ]
    gain = inspect.signature(wi.gain).parameters
    assert {p.name: p.default for p in gain.values()} == {"nonlinearity": REQUIRED, "param": None}
    assert inspect.signature(wi.key).parameters["rng"].default is None


def test_all_names_exist_and_are_complete():
    assert set(wi.__all__) >= {*OWN, *ALIASES, "Key", "key", "fans", "gain", "info"}
    assert all(hasattr(wi, name) for name in wi.__all__)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        *((shape, shape) for shape in ((), (2, 3), (0, 3), (2, 3, 1, 2))),
        *((5, (5,)), (np.int64(3), (3,)), ([4, 1], (4, 1)), (range(1, 4), (1, 2, 3))),
        (np.array([2, 2]), (2, 2)),
    ],
)
def test_shape_and_default_dtype(name, shape, expected):
    stated = {"fans": (3, 4)} if "fans" in OWN[name] else {}  # for shapes that have no fans
    result = call(name, shape, rng=0, **stated)
    assert type(result) is np.ndarray
    assert (result.shape, result.dtype) == (expected, np.dtype(np.float32))
    assert result.flags.c_contiguous
    assert result.flags.writeable


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("dtype", ["float32", np.float64, "<f4", ">f4", ">f8", float, "d"])
def test_dtype_is_honoured(name, dtype):
    result = call(name, (3, 5), rng=3, dtype=dtype)
    assert result.dtype == np.dtype(dtype)
    native = call(name, (3, 5), rng=3, dtype=np.dtype(dtype).newbyteorder("="))
    np.testing.assert_array_equal(result, native)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_shape_and_dtype_come_from_out(name, dtype):
    out = np.full((4, 6), 9, dtype)
    assert call(name, out=out, rng=1) is out
    assert same_bits(out, call(name, (4, 6), dtype=dtype, rng=1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_constants(dtype):
    scalar = np.dtype(dtype).type
    for values, wanted in (
        (wi.zeros(40, dtype=dtype), 0.0),
        (wi.ones(40, dtype=dtype), 1.0),
        (wi.constant(40, value=0.1, dtype=dtype), 0.1),
        (wi.constant(40, value=-0.0, dtype=dtype), -0.0),
        (wi.constant(40, value=-math.inf, dtype=dtype), -math.inf),
        (wi.constant(40, value=1e-42, dtype=dtype), 1e-42),
    ):
        assert values.tobytes() == np.full(40, scalar(wanted)).tobytes()
    assert np.isnan(wi.constant(3, value=math.nan, dtype=dtype)).all()


def test_defaults_are_the_documented_values():
    assert same_bits(wi.normal(99, rng=4), wi.normal(99, mean=0, std=1, rng=4, stream=0))
    assert same_bits(wi.uniform(99, rng=4), wi.uniform(99, low=0, high=1, rng=4, stream=0))
    assert same_bits(wi.normal(99, std=0, mean=1.5, rng=4), wi.constant(99, value=1.5))
    assert not same_bits(wi.normal(99), wi.normal(99)), "rng=None must be fresh each time"


# Info ---------------------------------------------------------------------------------------------


def test_info():
    info = wi.info()
    kinds = {"version": str, "stream_version": int, "compiler": str, "isa": str}
    kinds |= {"isa_reason": str, "isas": dict, "threads": int, "xla_ffi": bool}
    assert {name: type(info[name]) for name in kinds} == kinds
    assert info["threads_wait_by"] is None or isinstance(info["threads_wait_by"], str)
    assert info["version"] == wi.__version__ == importlib.metadata.version("weightinit_fast")
    assert info["stream_version"] == wi.STREAM_VERSION == 1
    assert info["threads"] >= 1
    assert info["isas"][info["isa"]] == info["isas"]["scalar"] == "runnable"
    assert set(info["isas"]) == set(CPU_FLAGS)


# Keys and streams ---------------------------------------------------------------------------------

SEEDS = [0, 1, 2**32, 2**200 + 3, np.int64(7), [1, 2, 3], (2**40, 0), np.array([5, 6]), []]


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_key_of_seeds(seed):
    expected = joined(SeedSequence(seed).generate_state(4))
    assert wi.key(seed) == expected
    assert same_bits(wi.normal(50, rng=seed), wi.normal(50, rng=expected))


def test_key_of_seed_sequences():
    for sequence in (SeedSequence(), SeedSequence(3).spawn(2)[1], SeedSequence(1, pool_size=8)):
        assert wi.key(sequence) == joined(sequence.generate_state(4)) == wi.key(sequence)


KINDS = [getattr(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [lambda bits: bits, np.random.Generator, RandomState])
def test_key_of_generators_advances_by_four_raw_draws(kind, wrap):
    ours, twin = wrap(kind(11)), kind(11)
    for _ in range(3):
        assert wi.key(ours) == joined(twin.random_raw(4))
    with_uniform = wi.uniform(50, rng=ours, stream=8)
    assert same_bits(with_uniform, wi.uniform(50, rng=joined(twin.random_raw(4)), stream=8))
    assert wi.key(ours) == joined(twin.random_raw(4))


@pytest.mark.parametrize("name", RANDOM)
def test_every_random_initialiser_draws_one_key(name):
    ours, twin = default_rng(3), PCG64(3)
    first = getattr(wi, name)((4, 5), rng=ours)
    assert same_bits(first, getattr(wi, name)((4, 5), rng=joined(twin.random_raw(4))))
    assert ours.bit_generator.state == twin.state
    assert not same_bits(first, getattr(wi, name)((4, 5), rng=ours))


@pytest.mark.parametrize("name", ["zeros", "ones", "constant"])
def test_constants_leave_a_generator_alone(name):
    rng = default_rng(3)
    call(name, (4, 5), rng=rng)
    call(name, out=np.empty(9), rng=rng)
    call(name, 2**20, rng=rng, index=np.s_[5:90])
    assert rng.bit_generator.state == PCG64(3).state


def test_key_is_a_value():
    key = wi.Key(np.uint64(2**64 - 1), 7)
    assert (key.low, key.high) == (2**64 - 1, 7)
    assert type(key.low) is int
    assert wi.key(key) is key
    assert wi.key() != wi.key(None)
    assert key == wi.Key(2**64 - 1, 7) != wi.Key(7, 2**64 - 1)
    assert hash(key) == hash(wi.Key(2**64 - 1, 7))
    assert len({key, wi.Key(2**64 - 1, 7), wi.Key(0, 7)}) == 2
    assert eval(repr(key), {"Key": wi.Key}) == key
    for name in ("low", "high", "other"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(key, name, 5)
    assert (key.low, key.high) == (2**64 - 1, 7)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_key_pickles_and_copies(protocol):
    key = wi.Key(3, 4)
    assert pickle.loads(pickle.dumps(key, protocol)) == key
    assert copy.copy(key) == copy.deepcopy(key) == key


@pytest.mark.parametrize("name", ["", "layer.0.weight", "naïve/重み", "x" * 1000, np.str_("w")])
def test_stream_names_are_blake2b(name):
    digest = hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest()
    number = int.from_bytes(digest, "little")
    assert same_bits(wi.normal(70, rng=1, stream=name), wi.normal(70, rng=1, stream=number))
    other = wi.normal(70, rng=1, stream=number ^ 1)
    assert not same_bits(wi.normal(70, rng=1, stream=name), other)


@pytest.mark.parametrize("number", [0, 1, 2**32, 2**63, 2**64 - 1])
def test_stream_numbers_take_any_integer_type(number):
    expected = wi.uniform(70, rng=1, stream=number)
    assert same_bits(wi.uniform(70, rng=1, stream=np.uint64(number)), expected)
    others = [wi.uniform(70, rng=1, stream=s) for s in {0, 1, 2**32, 2**63, 2**64 - 1} - {number}]
    assert not any(same_bits(expected, other) for other in others)
