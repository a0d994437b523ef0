"""wif_fill draws what the Python functions draw: any region, on any threads, with a callback."""

import ctypes as c

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import capi
from support.capi import CONSTANTS, api, fill, request
from support.internals import core

import weightinit_fast as wi

KEY = wi.Key(1, 2)
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
