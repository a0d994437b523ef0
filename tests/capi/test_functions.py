"""The C functions draw, count and refuse as the Python functions do."""

import ctypes as c
import hashlib
import itertools
import math
import os
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import ROOT, capi
from support.capi import CONSTANTS, api, fill, request
from support.internals import core, truncation_interval
from support.interpreter import run

import weightinit_fast as wi

KEY = wi.Key(1, 2)
TESTS = str(ROOT / "tests")
STORAGE = dict(zip(capi.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
PARAMETERS = {
    "constant": {"value": 0.3},
    "uniform": {"low": -0.25, "high": 1.5},
    "normal": {"mean": 0.1, "std": 0.7},
    "truncated_normal": {"mean": 0.1, "std": 0.7, "lower": -1.0, "upper": 3.0},
}


def drawn(name, shape, dtype, own=None, **common):
    """Return what a Python function draws, as the storage type."""
    own = PARAMETERS[name] if own is None else own
    out = np.zeros(np.empty(shape)[common.pop("part", ...)].shape, STORAGE[dtype])
    if "rows" in common:
        out = np.zeros((len(common["rows"]), *shape[1:]), STORAGE[dtype])
    getattr(wi, name)(shape, dtype=dtype, rng=KEY, out=out, **own, **common)
    return out


@pytest.mark.parametrize("dtype", capi.DTYPES)
@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("count", [0, 1, 31, 5000, 140_000])
def test_a_run_of_elements(name, dtype, count):
    out = np.zeros(count, STORAGE[dtype])
    made = request(out, name, tuple(PARAMETERS[name].values()), dtype, stream=5)
    assert fill(made) == 0
    assert out.tobytes() == drawn(name, (count,), dtype, stream=5).tobytes()


@pytest.mark.parametrize("dtype", capi.DTYPES)
def test_a_run_from_any_element_on(dtype):
    whole = drawn("normal", (7000,), dtype)
    for first, count in ((1, 50), (17, 4096), (100, 6000)):
        out = np.zeros(count, STORAGE[dtype])
        made = request(out, "normal", (0.1, 0.7), dtype, first=first)
        assert fill(made) == 0
        assert (out == whole[first : first + count]).all()


def test_words():
    out = np.zeros(100, np.uint32)
    made = request(out, first=7)
    made.dtype, made.transform = CONSTANTS["WIF_UINT32"], CONSTANTS["WIF_WORDS"]
    assert fill(made) == 0
    assert tuple(map(int, out[1:5])) == core.generate_block(KEY.low, KEY.high, 2, 0)


@st.composite
def regions(draw):
    """Draw a whole shape, a basic index of slices, and a memory order with signs and gaps."""
    whole = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    slices = []
    for n in whole:
        start = draw(st.integers(0, n - 1))
        step = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        room = start // -step if step < 0 else (n - 1 - start) // step
        slices.append((start, step, draw(st.integers(1, room + 1))))
    order = draw(st.permutations(range(len(whole))))
    signs = draw(st.lists(st.sampled_from([1, 1, -1]), min_size=4, max_size=4))
    gaps = draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
    return whole, slices, order, signs, gaps


@given(
    regions(),
    st.sampled_from(sorted(PARAMETERS)),
    st.sampled_from(sorted(capi.DTYPES)),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_region_in_any_memory_order(region, name, dtype, by_rows):
    whole, slices, order, signs, gaps = region
    shape = [n for _, _, n in slices]
    lengths = [n + gaps[k] for k, n in enumerate(shape)]
    memory = np.zeros([lengths[k] for k in order], STORAGE[dtype])
    view = memory.transpose([order.index(k) for k in range(len(order))])
    view = view[tuple(slice(None, None, signs[k]) for k in range(len(shape)))]
    view = view[tuple(slice(0, n) for n in shape)]
    fields = {
        "shape": shape,
        "strides": view.strides,
        "whole": whole,
        "start": [start for start, _, _ in slices],
        "step": [step for _, step, _ in slices],
    }
    if by_rows:
        ids = [(7 * k + 3) % 11 for k in range(shape[0])]
        fields["rows"] = ids
        slices = [(0, 1, shape[0]), *slices[1:]]
    made = request(view, name, tuple(PARAMETERS[name].values()), dtype, **fields)
    made.buffer, made.buffer_bytes = memory.ctypes.data, memory.nbytes
    assert api.check(c.byref(made)) == 0
    assert not memory.any()
    assert fill(made) == 0
    full = drawn(name, (11 if by_rows else whole[0], *whole[1:]), dtype)
    picked = full[ids] if by_rows else full
    chosen = picked[
        tuple(
            np.s_[start : start + step * n : step] if start + step * n >= 0 else np.s_[start::step]
            for start, step, n in slices
        )
    ]
    assert (view == chosen).all()
    outside = np.ones(memory.shape, bool)
    mask = outside.transpose([order.index(k) for k in range(len(order))])
    mask = mask[tuple(slice(None, None, signs[k]) for k in range(len(shape)))]
    mask[tuple(slice(0, n) for n in shape)] = False
    assert not memory[outside].any()


def test_rows_far_beyond_a_table():
    ids = [3, 10**12, 0, 3]
    out = np.zeros((4, 16), np.float32)
    assert fill(request(out, shape=[4, 16], rows=ids)) == 0
    assert (out == wi.normal((10, 16), rng=KEY, rows=ids)).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 0, -1, 1024])
def test_threads(threads):
    out = np.zeros(700_000, np.float32)
    assert fill(request(out, threads=threads, flags=1)) == 0
    assert out.tobytes() == wi.normal(700_000, rng=KEY).tobytes()


def test_threads_of_the_caller():
    heard = []

    def backwards(context, chunks, threads, run, state):
        heard.append((context, threads))
        for k in reversed(range(chunks)):
            run(state, k)
        return 0

    out = np.zeros(700_000, np.float32)
    made = request(out, threads=3, parallel_for=capi.PARALLEL_FOR(backwards))
    made.parallel_context = 77
    assert fill(made) == 0
    assert heard == [(77, 3)]
    assert out.tobytes() == wi.normal(700_000, rng=KEY).tobytes()
    made.threads = 1  # the calling thread: the caller's threads are not asked for
    assert fill(made) == 0
    assert len(heard) == 1


@pytest.mark.parametrize("left_out", [0, 1])
def test_threads_of_the_caller_that_fail(left_out):
    def failing(context, chunks, threads, run, state):
        for k in range(chunks - left_out):
            run(state, k)
        return 1 - left_out

    out = np.zeros(700_000, np.float32)
    made = request(out, threads=3, parallel_for=capi.PARALLEL_FOR(failing))
    assert fill(made) == CONSTANTS["WIF_ERROR_PARALLEL_FOR"]


@pytest.mark.usefixtures("slow_set")
@pytest.mark.parametrize("threads", [1, 2])
def test_progress_and_cancelling(threads):
    calls = []

    def progress(context, done, total):
        calls.append((done, total))
        return context is not None

    out = np.zeros(8_000_000)
    made = request(out, dtype="float64", threads=threads, progress=capi.PROGRESS(progress))
    assert fill(made) == 0
    assert calls[-1] == (out.size, out.size)
    assert calls == sorted(calls)
    assert len(calls) > 1
    assert all(0 <= done < out.size for done, _ in calls[:-1])
    calls.clear()
    out[:] = 0
    made.progress_context = 1
    assert fill(made) == CONSTANTS["WIF_CANCELLED"]
    assert len(calls) == 1
    assert (out[-1000:] == 0).all()


@pytest.mark.usefixtures("slow_set")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_callback_that_fills(threads):
    inner = []

    def progress(context, done, total):
        out = np.zeros(200_000, np.float32)
        assert fill(request(out, threads=threads)) == 0
        inner.append(out.tobytes())
        return 0

    out = np.zeros(3_000_000)
    made = request(out, dtype="float64", threads=threads, progress=capi.PROGRESS(progress))
    assert fill(made) == 0
    assert len(inner) > 1
    assert set(inner) == {drawn("normal", (200_000,), "float32", {}).tobytes()}
    assert out.tobytes() == drawn("normal", (3_000_000,), "float64", {}).tobytes()


def test_progress_of_a_small_and_of_an_empty_fill():
    calls = []

    def progress(context, done, total):
        calls.append((done, total))
        return 1

    for count in (0, 1, 5000):
        out = np.zeros(count, np.float32)
        assert fill(request(out, progress=capi.PROGRESS(progress))) == 0
    assert calls == [(1, 1), (5000, 5000)]


# Keys, streams, intervals, scales -----------------------------------------------------------------


@given(st.integers(0, 2**64 - 1))
@example(0)
def test_key_from_a_seed(seed):
    found = api.key_from_seed(seed)
    assert wi.Key(found.low, found.high) == wi.key(seed)


@given(st.binary(max_size=400))
@example(b"a" * 128)
@example(b"a" * 129)
@example(b"a" * 256)
def test_stream_from_a_name(name):
    wanted = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
    assert api.stream_from_name(name, len(name)) == wanted


def test_a_name_with_zeros_and_beyond_ascii():
    for name in ("", "a\0b", "слой.вес", "層" * 100):
        wanted = hashlib.blake2b(name.encode(), digest_size=8).digest()
        found = core.stream_number(name)
        assert found == int.from_bytes(wanted, "little")
    assert api.stream_from_name(None, 5) == core.stream_number("")


def interval(lower, upper, word_bits):
    """Return the six numbers as the C function computes them."""
    made = capi.Interval()
    dtype = CONSTANTS["WIF_FLOAT64" if word_bits == 64 else "WIF_FLOAT32"]
    status = api.prepare_interval(lower, upper, dtype, c.byref(made))
    assert status == 0, capi.text(status)
    assert (made.lower, made.upper, made.word_bits) == (lower, upper, word_bits)
    return tuple(made.numbers)


BOUNDS = st.floats(-8, 8) | st.sampled_from([-math.inf, math.inf, 0.0, 5e-324, -5e-324, 1e-300])


@given(BOUNDS, BOUNDS, st.sampled_from([32, 64]))
@example(-2.0, 2.0, 32)
@example(-2.0, 2.0, 64)
@example(-math.inf, math.inf, 64)
@example(0.0, 5e-324, 64)
@example(-5e-324, 5e-324, 32)
@example(-math.inf, -36.5, 64)
@example(37.0, math.nextafter(37, 38), 64)
@example(-39.9, 12.0, 64)
@settings(max_examples=200, deadline=None)
def test_the_probabilities_of_an_interval_are_those_of_the_python_integers(a, b, word_bits):
    lower, upper = sorted((a, b))
    if lower == upper or (word_bits == 32 and (lower > 8 or upper < -8)):
        return
    wanted = truncation_interval(lower, upper, word_bits)
    found = interval(lower, upper, word_bits)
    assert struct.pack("6d", *found) == struct.pack("6d", *wanted)


SHAPES = [(3, 4), (64, 3, 7, 7), (5, 0), (2, 3, 1, 1, 2), (8, 4, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("layout", [None, "IO", "OIHW", "HWIO", "OOI", "BOI", "oi", "OX", ""])
def test_fans(shape, groups, transposed, layout):
    fan_in, fan_out = c.c_int64(), c.c_int64()
    status = api.fans(
        len(shape),
        capi.numbers(shape),
        None if layout is None else layout.encode(),
        groups,
        transposed,
        c.byref(fan_in),
        c.byref(fan_out),
    )
    try:
        wanted = wi.fans(shape, layout=layout, groups=groups, transposed=transposed)
    except ValueError as error:
        layouts = "layout" in str(error)
        assert status == CONSTANTS["WIF_ERROR_LAYOUT" if layouts else "WIF_ERROR_GROUPS"]
    else:
        assert status == 0
        assert (fan_in.value, fan_out.value) == wanted


@pytest.mark.parametrize("name", ["relu", "tanh", "selu", "gelu", "swish", "conv_transpose3d"])
def test_gains(name):
    found = c.c_double()
    assert api.gain(name.encode(), 0, c.byref(found)) == 0
    assert found.value == wi.gain(name)


def test_every_gain_of_python():
    from typing import get_args  # noqa: PLC0415

    from weightinit_fast.initialisers.gains import Nonlinearity  # noqa: PLC0415

    for name in get_args(Nonlinearity):
        found = c.c_double()
        slope = 0.2 if name == "leaky_relu" else 0
        assert api.gain(name.encode(), slope, c.byref(found)) == 0
        assert found.value == (wi.gain(name, slope) if slope else wi.gain(name))
        if not slope:
            assert api.gain(name.encode(), 0.1, c.byref(found)) == CONSTANTS["WIF_ERROR_PARAMETER"]
    assert api.gain(b"rectifier", 0, c.byref(found)) == CONSTANTS["WIF_ERROR_NAME"]


DISTRIBUTIONS = ("normal", "uniform", "truncated_normal")
MODES = {"fan_in": 1, "fan_out": 2, "fan_avg": 3, "fan_geo_avg": 4}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [0.0, 1 / 3, 2.0])
def test_variance_scaling(distribution, mode, scale):
    out, fan = np.zeros((31, 7), np.float32), c.c_double()
    assert api.fan(MODES[mode], 7, 31, c.byref(fan)) == 0
    made = request(out)
    status = api.set_variance_scaling(
        c.byref(made), capi.TRANSFORMS[distribution], scale, 1.0, 0.0, fan
    )
    assert status == 0
    assert fill(made) == 0
    wanted = wi.variance_scaling(
        (31, 7), scale=scale, mode=mode, distribution=distribution, rng=KEY
    )
    assert (out == wanted).all()


def test_named_rules():
    out = np.zeros((31, 7), np.float32)
    for kind, function in (("uniform", "UNIFORM"), ("normal", "NORMAL")):
        made, code = request(out), CONSTANTS[f"WIF_{function}"]
        assert api.set_xavier(c.byref(made), code, 5 / 3, 7, 31) == 0
        assert fill(made) == 0
        assert (out == getattr(wi, f"xavier_{kind}")((31, 7), gain="tanh", rng=KEY)).all()
        assert api.set_he(c.byref(made), code, 0.2, 7) == 0
        assert fill(made) == 0
        assert (out == getattr(wi, f"he_{kind}")((31, 7), a=0.2, rng=KEY)).all()
        assert api.set_lecun(c.byref(made), code, 7) == 0
        assert fill(made) == 0
        assert (out == getattr(wi, f"lecun_{kind}")((31, 7), rng=KEY)).all()


def test_facts():
    assert api.version().decode() == wi.__version__
    assert api.instruction_set().decode() == wi.info()["isa"]
    assert (api.api_version, api.stream_version) == (1, wi.STREAM_VERSION)
    assert 1 <= api.default_threads() <= 1024


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity of threads")
def test_default_threads_by_affinity():
    def count():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # of this thread alone
        return api.default_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(count).result() == 1


@pytest.mark.process
@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        ({"WEIGHTINIT_FAST_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "1,4"}, 1),
        ({"OMP_NUM_THREADS": "1", "WEIGHTINIT_FAST_NUM_THREADS": "1024"}, None),
        ({"OMP_NUM_THREADS": "99999999999999999999999"}, None),
    ],
)
def test_default_threads_by_the_environment(environment, limit):
    script = """
    from support.capi import api
    print(api.default_threads())
    """
    none = {"OMP_NUM_THREADS": "", "WEIGHTINIT_FAST_NUM_THREADS": ""}
    found = int(run(script, prelude="", PYTHONPATH=TESTS, **none | environment))
    assert found == (limit or int(run(script, prelude="", PYTHONPATH=TESTS, **none)))


# Refusals -----------------------------------------------------------------------------------------

NAN = math.nan
#: Code -> fields of requests that it refuses; each begins with a request of 5x4 elements.
REFUSED = {
    "NULL": [{"data": None}, {"shape": None}],
    "SIZE": [{"size": 0}, {"size": 95}, {"size": 108}, {"size": 1 << 40}],
    "UNKNOWN": [{"reserved": 1}],
    "DTYPE": [{"dtype": 0}, {"dtype": 8}, {"dtype": -1}, {"dtype": 7}],
    "TRANSFORM": [{"transform": 0}, {"transform": 6}, {"transform": -5}],
    "PARAMETER": [
        *({"parameters": p} for p in ((NAN, 1), (0, NAN), (0, -1), (math.inf, 1), (0, math.inf))),
        *({"transform": 3, "parameters": p} for p in ((2, 1), (NAN, 1), (-math.inf, 0))),
        *({"transform": 5, "parameters": (0, 1, *b)} for b in ((2, 2), (3, 1), (NAN, 1), (0, NAN))),
        {"transform": 5, "parameters": (0, -1, -2, 2)},
    ],
    "OVERFLOW": [{"parameters": (1e39, 1)}, {"transform": 2, "parameters": (-1e300,)}],
    "NO_VALUE": [{"transform": 3, "parameters": (1.0000000001, 1.0000000002)}],
    "FAR_INTERVAL": [{"transform": 5, "parameters": (0, 1, 8.1, 9)}],
    "INTERVAL": [
        {"transform": 5, "parameters": (0, 1, -2, 2), "interval": c.pointer(capi.Interval())}
    ],
    "SHAPE": [
        {"ndim": -1},
        {"ndim": 65},
        {"count": 3},
        {"shape": (5, -4)},
        {"shape": (2**62, 2)},
        {"shape": (0, 2**62, 4)},
        {"whole": (2**62, 4)},
        {"whole": (-1, 4)},
        {"ndim": 0, "count": -1},
        {"ndim": 0, "count": 4, "rows": (1,)},
    ],
    "REGION": [
        {"start": (1, 0)},
        {"start": (-1, 0)},
        {"start": (2**63 - 1, 0)},
        {"step": (0, 1)},
        {"step": (2, 1)},
        {"step": (-1, 1)},
        {"step": (-(2**63), 1)},
        {"step": (2**63 - 1, 1)},
        {"whole": (4, 4)},
        {"whole": (0, 4)},
    ],
    "STRIDE": [{"strides": s} for s in ((0, 4), (16, 0), (4, 4), (12, 4), (-3, 16), (16, 2))],
    "STREAM_END": [
        {"first": 2**64 - 19},
        {"ndim": 0, "count": 20, "first": 2**64 - 19},
        {"dtype": 2, "first": 2**63 - 19},
        {"dtype": 2, "ndim": 0, "count": 2, "first": 2**63 - 1},
    ],
    "ROW": [
        {"rows": (0, 1, -1, 2, 3)},
        {"rows": (0, 2**62, 1, 2, 3)},
        {"dtype": 2, "rows": (0, 2**61, 1, 2, 3)},
        {"first": 2**64 - 20, "rows": (0, 5, 1, 2, 3)},
    ],
    "MEMORY": [
        {"strides": (2**62, 4)},
        {"strides": (-(2**63), 4)},
        {"data": 2**64 - 8},
        {"data": 8, "strides": (-16, 4)},
        {"ndim": 0, "count": 2**62},
        {"buffer_bytes": 79},
    ],
    "THREADS": [{"threads": 1025}],
    "FLAGS": [{"flags": 2}, {"flags": 1 << 31}],
}


@pytest.mark.parametrize(
    ("code", "fields"), [(code, fields) for code, cases in REFUSED.items() for fields in cases]
)
def test_a_refused_request(code, fields):
    out = np.full(200, 7, np.uint8)
    made = request(out, shape=[5, 4])
    made.buffer, made.buffer_bytes = made.data, 160
    if fields.get("data", 1) is None or fields.get("data", 0) or "strides" in fields:
        made.buffer = None
    for name, value in fields.items():
        if name == "parameters":
            made.parameters[: len(value)] = value
        elif isinstance(value, tuple):
            setattr(made, name, capi.numbers(value))
            if name == "shape":
                made.ndim = len(value)
        else:
            setattr(made, name, value)
    wanted = CONSTANTS[f"WIF_ERROR_{code}"]
    assert (api.check(c.byref(made)), fill(made)) == (wanted, wanted), capi.text(fill(made))
    assert (out == 7).all()


@pytest.mark.parametrize("axes", [{}, {"shape": [5, 4]}, {"shape": [5, 4], "strides": [-16, 4]}])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 5), (-1, 0), (0, -1), (-1, 5), (3, -1)])
def test_elements_lie_within_the_buffer(axes, before, after):
    """So many bytes of the buffer lie before the elements and after them."""
    memory = np.full(200, 7, np.uint8)
    elements = memory[50:130].view(np.float32)
    made = request(elements, **axes)
    if "strides" in axes:
        made.data += 64
    made.buffer, made.buffer_bytes = elements.ctypes.data - before, before + 80 + after
    inside = before >= 0 and after >= 0
    assert fill(made) == (0 if inside else CONSTANTS["WIF_ERROR_MEMORY"])
    assert (memory[50:130] != 7).any() == inside
    assert (memory[:50] == 7).all()
    assert (memory[130:] == 7).all()


def test_no_request():
    assert api.fill(None) == api.check(None) == CONSTANTS["WIF_ERROR_NULL"]


def test_refused_scales():
    made, number, count = request(np.zeros(1, np.float32)), c.c_double(), c.c_int64()
    codes = {
        name: CONSTANTS[f"WIF_ERROR_{name}"]
        for name in ("NULL", "TRANSFORM", "PARAMETER", "FAN", "SHAPE", "DTYPE", "OVERFLOW")
    }
    scaling = api.set_variance_scaling
    assert scaling(None, 4, 1, 1, 0, 1) == codes["NULL"]
    assert scaling(c.byref(made), 2, 1, 1, 0, 1) == codes["TRANSFORM"]
    for numbers in itertools.permutations((-1, 1, 0)):
        if numbers[0] < 0 or numbers[1] < 0:
            assert scaling(c.byref(made), 4, *numbers, 1) == codes["PARAMETER"]
    assert scaling(c.byref(made), 4, 1, 1, NAN, 1) == codes["PARAMETER"]
    assert scaling(c.byref(made), 4, 1e308, 1e308, 0, 1) == codes["OVERFLOW"]
    for fan in (-1, math.inf, NAN):
        assert scaling(c.byref(made), 4, 1, 1, 0, fan) == codes["FAN"]
    assert api.fan(0, 1, 1, c.byref(number)) == api.fan(5, 1, 1, c.byref(number)) == codes["FAN"]
    assert api.fan(1, -1, 1, c.byref(number)) == codes["FAN"]
    assert api.fan(1, 1, 1, None) == api.gain(None, 0, c.byref(number)) == codes["NULL"]
    two = c.byref(count), c.byref(count)
    assert api.fans(1, capi.numbers([3]), None, 1, 0, *two) == codes["SHAPE"]
    assert api.fans(2, capi.numbers([3, -1]), None, 1, 0, *two) == codes["SHAPE"]
    assert api.fans(3, capi.numbers([3, 2**40, 2**40]), None, 1, 0, *two) == codes["SHAPE"]
    assert api.prepare_interval(-1, 1, 7, c.byref(capi.Interval())) == codes["DTYPE"]
    assert api.prepare_interval(-1, 1, 1, None) == codes["NULL"]
    assert api.prepare_interval(1, 1, 1, c.byref(capi.Interval())) == codes["PARAMETER"]


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"size": 0}, "wif_request_new() sets it"),
        ({"transform": 0}, "no transform is set"),
        ({"count": 20}, "count is for ndim == 0"),
        ({"ndim": 0, "count": 20, "rows": (1, 2, 3, 4, 5)}, "rows are for ndim > 0"),
        ({"step": (0, 1)}, "a step is 0"),
        ({"strides": (1, 7)}, "not nested"),
    ],
)
def test_the_text_says_what_is_often_forgotten(fields, advice):
    made = request(np.zeros((5, 4), np.float32), shape=[5, 4])
    for name, value in fields.items():
        setattr(made, name, capi.numbers(value) if isinstance(value, tuple) else value)
    assert advice in capi.text(api.check(c.byref(made)))


def test_every_code_has_a_text_of_its_own():
    codes = [value for name, value in CONSTANTS.items() if name.startswith("WIF_ERROR_")]
    texts = {capi.text(code) for code in (0, 1, *codes)}
    assert len(texts) == len(codes) + 2
    later = capi.text(max(codes) + 1)
    assert later == capi.text(-1) == capi.text(2**31 - 1) == "an error of a later version"
    assert sorted(codes) == list(range(2, len(codes) + 2))
