"""The caller's floating-point state changes no result of the C functions, and is left as it was."""

import ctypes as c

import numpy as np
import pytest
from support import capi
from support.capi import CONSTANTS, api, fill, request
from support.interpreter import glibc_x86_only

pytestmark = glibc_x86_only
MXCSR = 28  # its offset in glibc's fenv_t for x86-64
FLAGS = 0x3F  # the bits of MXCSR that say which exceptions there have been
#: Rounding up, down and to zero; flush to zero; denormals are zero; three of them at once.
STATES = (0x4000, 0x2000, 0x6000, 0x8000, 0x0040, 0xE040)


def mxcsr(value=None):
    """Return the register; set it if there is a value."""
    libm = c.CDLL("libm.so.6")
    environment = (c.c_uint8 * 64)()
    assert libm.fegetenv(environment) == 0
    found = c.c_uint32.from_buffer(environment, MXCSR)
    before = found.value
    if value is not None:
        found.value = value
        assert libm.fesetenv(environment) == 0
    return before


def results():
    """Return the results of many calls as bytes."""
    found = []
    interval, fan, gain = capi.Interval(), c.c_double(), c.c_double()
    for code in (CONSTANTS["WIF_FLOAT32"], CONSTANTS["WIF_FLOAT64"]):
        for bounds in ((-1.0, 3.0), (0.0, 5e-324), (5.0, 7.0)):
            assert api.prepare_interval(*bounds, code, c.byref(interval)) == 0
            found.append(bytes(interval))
    assert api.fan(CONSTANTS["WIF_FAN_GEO_AVG"], 7, 31, c.byref(fan)) == 0
    assert api.gain(b"leaky_relu", 0.3, c.byref(gain)) == 0
    found += [bytes(fan), bytes(gain)]
    for count in (100, 5000, 200_000):
        out = np.zeros(count, np.float32)
        for name, parameters in (
            ("constant", (1e-40,)),
            ("uniform", (0.0, 2.0**-130)),
            ("uniform", (-0.7, 1.3)),
            ("normal", (0.1, 3e-39)),
            ("truncated_normal", (0.1, 0.3, 3.0, 4.7)),
        ):
            assert fill(request(out, name, parameters)) == 0
            found.append(out.tobytes())
        made = request(out)
        for function, numbers in (
            (api.set_xavier, (4, 1.7, 7, 31)),
            (api.set_he, (3, 0.2, 7.0)),
            (api.set_lecun, (5, 7.0)),
        ):
            assert function(c.byref(made), *numbers) == 0
            assert fill(made) == 0
            found.append(out.tobytes())
    return found


@pytest.mark.parametrize("state", STATES, ids=hex)
def test_results_do_not_depend_on_the_state(state):
    wanted, host = results(), mxcsr()
    mxcsr(host | state)
    try:
        found, after = results(), mxcsr()
    finally:
        mxcsr(host)
    assert after & ~FLAGS == (host | state) & ~FLAGS
    assert found == wanted


@pytest.mark.usefixtures("slow_set")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_fill_raises_no_exception(threads):
    """A program that has unmasked the exception of inexact results would be ended by a signal."""
    calls = []

    def progress(context, done, total):
        calls.append(done)
        return 0

    out = np.zeros(3_000_001)
    made = request(out, dtype="float64", threads=threads, progress=capi.PROGRESS(progress))
    reference, host = c.byref(made), mxcsr()
    mxcsr(host & ~FLAGS)
    status = api.fill(reference)
    assert (status, mxcsr() & FLAGS) == (0, 0)
    assert len(calls) > 1
