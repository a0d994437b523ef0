"""float16, bfloat16 and the float8 types: one rounding of the float32 result, then the clamp.

Types that NumPy lacks are written as bit patterns, so that only the tests of ml_dtypes' own types
need ml_dtypes.
"""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import oracle, oracle_types
from support.draws import (
    ANGLE_WORDS,
    KEY,
    LONG,
    NEAR_WIDTHS,
    RADIUS_WORDS,
    RNG,
    STARTS,
    STREAM,
    assert_bits,
    draw,
    elements,
    narrow_intervals,
    single,
    storage,
)
from support.internals import core
from support.memory import FIXED, LAYOUT_KEY, Memory, indexed, placed, shapes
from support.refusals import refuse

import weightinit_fast as wf

NAMES = tuple(oracle_types.TYPES)
FOREIGN = NAMES[1:]
PINS = RADIUS_WORDS + ANGLE_WORDS


@functools.cache
def uniform(name, n, low, high, first=0, stream=STREAM):
    """Return the contract's uniform: float32 without its clamp, rounded and clamped in the type."""
    centre, half = np.float32(low / 2 + high / 2), np.float32(high / 2 - low / 2)
    words = oracle.words(KEY, stream, elements(first, n))
    s = words.view(np.int32).astype(np.float32) * np.float32(2.0**-31)
    y = oracle_types.round_to(name, oracle.fma32(s, half, centre))
    return np.clip(y, *oracle_types.uniform_limits(name, low, high))


# The rounding ------------------------------------------------------------------------------------


def test_order_of_dtypes():
    assert ("float32", "float64", *NAMES) == core.DTYPES


@functools.cache
def rounded(name):
    """Return float32 numbers and the bits of their rounded values, computed once for all sets."""
    rng = np.random.default_rng(3)
    random = rng.integers(0, 2**32, 2**20, dtype=np.uint32).view(np.float32)
    x = np.concatenate([oracle_types.awkward_float32(name), random])
    number = ~np.isnan(x)  # a draw is never NaN
    return x, number, oracle_types.encode(name, oracle_types.round_to(name, x[number]))


@pytest.mark.parametrize("name", NAMES)
def test_rounding_of_awkward_and_random_patterns(isa, name):
    x, number, expected = rounded(name)
    result = np.full(len(x), 77, dtype=oracle_types.TYPES[name].bits)
    core.narrow(x, result, core.DTYPES.index(name))
    np.testing.assert_array_equal(result[number], expected)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_of_any_length_at_any_address(isa, name):
    f = oracle_types.TYPES[name]
    size = f.width // 8
    x = np.random.default_rng(4).normal(size=700).astype(np.float32)
    expected = oracle_types.encode(name, oracle_types.round_to(name, x))
    for n in range(300):
        shift, start = 64 + n % 61, n % 17
        raw = np.full(n * size + 192, 0xA5, dtype=np.uint8)
        dst = raw[shift : shift + n * size].view(f.bits)
        core.narrow(x[start : start + n], dst, core.DTYPES.index(name))
        assert dst.tobytes() == expected[start : start + n].tobytes(), n
        assert (raw[:shift] == 0xA5).all(), n
        assert (raw[shift + n * size :] == 0xA5).all(), n


# Uniform -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_uniform(isa, name):
    for low, high in narrow_intervals(name):
        got = draw(wf.uniform, 4096, name, 9, low=low, high=high)
        assert_bits(name, got, uniform(name, 4096, low, high, 9))
        y = oracle_types.decode(name, got)
        assert low <= y.min()
        assert y.max() < high


@pytest.mark.parametrize("name", NAMES)
def test_uniform_intervals_need_the_clamp(name):
    """Without the clamp, rounding would reach the upper end."""
    low, high = 0.0, 1.0
    words = oracle.words(KEY, STREAM, elements(0, 2**16)).view(np.int32)
    s = words.astype(np.float32) * np.float32(2.0**-31)
    y = oracle_types.round_to(name, oracle.fma32(s, np.float32(0.5), np.float32(0.5)))
    assert y.max() == high
    assert uniform(name, 2**16, low, high).max() == oracle_types.below(name, high)


@functools.cache
def unit_uniform(name):
    """Return the bits of 2^20 elements of [0, 1), computed once for all sets."""
    return oracle_types.encode(name, uniform(name, 2**20, 0.0, 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_uniform_takes_every_value(isa, name):
    """Every value from 2^-6 to 1 occurs, where 2^20 words hit each of them many times."""
    got = draw(wf.uniform, 2**20, name)
    np.testing.assert_array_equal(got, unit_uniform(name))
    grid = oracle_types.values(name)
    grid = grid[(grid >= 2.0**-6) & (grid < 1)]
    if name != "float16":  # 2^20 words leave gaps between its values
        assert np.isin(oracle_types.encode(name, grid), np.unique(got)).all()


def test_uniform_without_a_value_is_refused():
    for name in NAMES:
        f = oracle_types.TYPES[name]
        low, high = 1 + f.epsilon / 4, 1 + f.epsilon / 2
        out = np.full(8, 77, dtype=storage(name))
        own = {"out": out, "dtype": name, "low": low, "high": high}
        refuse(ValueError, repr(low), wf.uniform, guard=out, **own)


# Normal ------------------------------------------------------------------------------------------


def normals(name):
    """Return parameters whose results include ties, subnormals and overflows of the type."""
    f = oracle_types.TYPES[name]
    return (
        *((0.0, 1.0), (0.25, 1.5), (0.0, 0.02), (1.0, f.epsilon)),
        *((f.largest / 2, f.largest / 4), (0.0, f.tiny), (0.7, 0.0)),
    )


@pytest.mark.parametrize("name", NAMES)
def test_normal_is_the_rounded_float32(isa, name):
    for mean, std in normals(name):
        whole = single(wf.normal, 2**14, 5, mean=mean, std=std)
        expected = oracle_types.round_to(name, whole)
        assert_bits(name, draw(wf.normal, 2**14, name, 5, mean=mean, std=std), expected)


def test_float8_e4m3fn_never_writes_nan(isa):
    """The rounding saturates, since the type has no infinity: an overflow would give NaN."""
    got = draw(wf.normal, 2**16, "float8_e4m3fn", std=448.0)
    y = oracle_types.decode("float8_e4m3fn", got)
    assert (y.min(), y.max()) == (-448, 448)


# Places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_chosen_words_and_starts(isa, name):
    runs = [(stream, i - 1, 37) for stream, i, _ in PINS] + [(STREAM, k, 333) for k in STARTS]
    for stream, first, n in runs:
        got = draw(wf.uniform, n, name, first, stream, low=-1.0, high=1.0)
        assert_bits(name, got, uniform(name, n, -1.0, 1.0, first, stream))
        expected = oracle_types.round_to(name, single(wf.normal, n, first, stream))
        assert_bits(name, draw(wf.normal, n, name, first, stream), expected)


@pytest.mark.parametrize("function", [wf.uniform, wf.normal, wf.truncated_normal])
@pytest.mark.parametrize("name", NAMES)
def test_lengths_and_starts_around_each_width(isa, name, function):
    """A run of any start and length has the bits of one long run; no byte around it changes."""
    f = oracle_types.TYPES[name]
    base, size, dtype = 2**34 - 256, f.width // 8, storage(name)
    whole = draw(function, 1024, name, base)
    for start in NEAR_WIDTHS[::2]:
        for n in NEAR_WIDTHS:
            shift = 64 + (start + n) % 64
            raw = np.full(n * size + 192, 0xA5, dtype=np.uint8)
            out = raw[shift : shift + n * size].view(dtype)
            index = np.s_[base + start : base + start + n]
            options = {"rng": RNG, "stream": STREAM, "threads": 1}
            function((LONG,), index=index, out=out, dtype=name, **options)
            assert out.tobytes() == whole[start : start + n].tobytes(), (start, n)
            assert (raw[:shift] == 0xA5).all()
            assert (raw[shift + n * size :] == 0xA5).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("threads", "first"), [(1, 0), (2, 16), (3, 2**40 + 11)])
def test_large_fill_is_the_sum_of_small_ones(isa, name, threads, first):
    """The fill is so long that threads share it and stores bypass the caches."""
    n, piece = 2**21 + 2**20 + 37 * threads, 2**17 + 3
    for function in (wf.uniform, wf.normal):
        out = draw(function, n, name, first, threads=threads)
        for k in range(0, n, 4 * piece):  # a quarter of the fill, which visits every part of a task
            part = draw(function, min(piece, n - k), name, first + k)
            assert out[k : k + piece].tobytes() == part.tobytes(), k


#: (dtype of the memory, dtype=): float16 in both byte orders, and both kinds of integers.
PLACED = (("<f2", None), (">f2", None), ("u2", "bfloat16"), ("i2", "bfloat16"))
PLACED += (("u1", "float8_e4m3fn"), ("i1", "float8_e5m2"))


def reference(function, shape, memory, name):
    """Return the whole tensor in C order, in the dtype of the memory."""
    name = name or "float16"
    out = np.empty(shape, storage(name))
    function(shape, out=out, dtype=name, rng=LAYOUT_KEY, stream="layout", threads=1)
    return out.astype(memory) if name == "float16" else out.view(memory)


@FIXED
@given(st.data(), shapes, st.sampled_from([wf.uniform, wf.normal]), st.sampled_from(PLACED))
def test_out_in_any_layout(data, shape, function, types):
    memory = data.draw(placed((shape, types[0])))
    options = {} if types[1] is None else {"dtype": types[1]}
    needed = {"shape": shape} if shape == (0,) else {}  # an empty out may be a placeholder
    memory.assert_filled(reference(function, shape, *types), function, **options, **needed)


@FIXED
@given(st.data(), indexed(), st.sampled_from([wf.uniform, wf.normal]), st.sampled_from(PLACED))
def test_indexed_out_in_any_layout(data, case, function, types):
    shape, index = case
    index = index if isinstance(index, tuple) else (index,)
    expected = np.asarray(reference(function, shape, *types)[index])
    memory = data.draw(placed((expected.shape, types[0])))
    options = {} if types[1] is None else {"dtype": types[1]}
    memory.assert_filled(expected, function, shape=shape, index=index, **options)


@pytest.mark.parametrize(("memory", "name"), PLACED)
def test_large_columns(memory, name):
    """Fortran order is filled tile by tile, whatever the width of an element."""
    shape = (991, 1009)
    options = {} if name is None else {"dtype": name}
    for threads in (1, 3):
        place = Memory(shape, memory, order=(1, 0), offset=3)
        expected = reference(wf.normal, shape, memory, name)
        place.assert_filled(expected, wf.normal, threads=threads, **options)


# Constants ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_rounded_once(isa, name):
    f = oracle_types.TYPES[name]
    edge = 1 + f.epsilon / 2
    inside = np.nextafter(f.overflow, 0)
    cases = [0.0, -0.0, 1.0, 0.1, -0.3, f.largest, inside, -inside, edge, edge + 2.0**-40]
    cases += [edge + f.epsilon, f.tiny / 2, f.tiny / 2 * (1 + 2.0**-30), -f.tiny, 5e-324]
    cases += [math.inf, -math.inf] if f.has_infinity else []
    for value in cases:
        got = draw(wf.constant, 131, name, value=value)
        assert_bits(name, got, oracle_types.round_to(name, np.full(131, value)))
    got = draw(wf.constant, 131, name, value=math.nan)
    assert np.isnan(oracle_types.decode(name, got)).all()
    assert_bits(name, draw(wf.ones, 131, name), np.ones(131))
    assert not draw(wf.zeros, 131, name).any()


# dtypes ------------------------------------------------------------------------------------------


def test_float16_arrays():
    for dtype in ("float16", np.float16, ">f2", "e"):
        y = wf.normal((4, 5), dtype=dtype, rng=RNG)
        assert y.dtype == np.dtype(dtype)
        expected = wf.normal((4, 5), rng=RNG).astype(np.float16)
        np.testing.assert_array_equal(y, expected)
    out = np.empty((4, 5), np.float16)
    assert wf.normal(out=out, rng=RNG) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("name", FOREIGN)
def test_ml_dtypes(name):
    kind = getattr(pytest.importorskip("ml_dtypes"), name)
    expected = draw(wf.normal, 200, name)
    for dtype in (name, kind, np.dtype(kind)):
        y = wf.normal(200, dtype=dtype, rng=RNG, stream=STREAM)
        assert type(y) is np.ndarray
        assert y.dtype == np.dtype(kind)
        assert y.view(expected.dtype).tolist() == expected.tolist()
    out = np.zeros(200, kind)
    for options in ({}, {"dtype": kind}, {"dtype": name}):
        out[:] = 0
        assert wf.normal(out=out, rng=RNG, stream=STREAM, **options) is out
        assert out.view(expected.dtype).tolist() == expected.tolist()
    element = wf.normal(200, dtype=name, rng=RNG, stream=STREAM, index=7)
    assert float(element) == float(out[7])


@pytest.mark.parametrize("name", FOREIGN)
def test_buffers_of_bytes(name):
    expected = draw(wf.normal, 40, name).tobytes()
    code = {1: "B", 2: "H"}[oracle_types.TYPES[name].width // 8]
    memory = bytearray(len(expected))
    view = memoryview(memory).cast(code)
    assert wf.normal(out=view, dtype=name, rng=RNG, stream=STREAM) is view
    assert bytes(memory) == expected


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_overflowing_parameters(name):
    f = oracle_types.TYPES[name]
    huge = min(1e39, 2 * f.overflow)
    cases = [(wf.constant, {"value": v}) for v in (huge, -huge)]
    cases += [(wf.uniform, {"low": -huge}), (wf.uniform, {"high": huge})]
    cases += [(wf.normal, {p: huge}) for p in ("mean", "std")]
    # A truncated normal with finite bounds may have a std of any size.
    cases += [(wf.truncated_normal, {"mean": huge})]
    for function, own in cases:
        out = np.full(8, 77, dtype=storage(name))
        refuse(ValueError, repr(*own.values()), function, out=out, dtype=name, guard=out, **own)
    if not f.has_infinity:
        out = np.full(8, 77, dtype=storage(name))
        for value in (math.inf, -math.inf):
            own = {"value": value, "dtype": name}
            refuse(ValueError, "inf", wf.constant, out=out, guard=out, **own)


@pytest.mark.parametrize(
    ("memory", "dtype"),
    [
        *(("u2", d) for d in (None, "float8_e5m2", "float32", "float8_e4m3fn")),
        *(("u1", d) for d in (None, "bfloat16", "float16")),
        *(("f4", d) for d in ("bfloat16", "float16", "float8_e5m2")),
        *((m, "bfloat16") for m in ("f2", "u4", "i8", "S2", "c8")),
    ],
)
def test_memory_that_does_not_fit_its_dtype(memory, dtype):
    out = np.full(64, 0x5A, np.uint8).view(memory)
    for function in (wf.zeros, wf.normal):
        refuse(TypeError, None, function, out=out, dtype=dtype, guard=out)
