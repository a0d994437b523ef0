"""The C functions refuse what is wrong by a code that has a text, and write nothing then."""

import ctypes as c
import itertools
import math

import numpy as np
import pytest
from support import capi
from support.capi import CONSTANTS, api, fill, request

import weightinit_fast as wi

KEY = wi.Key(1, 2)

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
