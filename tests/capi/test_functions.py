"""The C functions of keys, streams, intervals, fans, gains and scales give Python's values."""

import ctypes as c
import hashlib
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
