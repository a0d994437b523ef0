"""The integers in which the engine computes probabilities (api/integers.h), beside Python's."""

import ctypes as c
import subprocess
from fractions import Fraction

import pytest
from abi import COMPILER
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import ROOT

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
]
NUMBERS = st.integers(-(2**2000), 2**2000) | st.builds(
    lambda sign, power, more: sign * (2**power + more),
    st.sampled_from([1, -1]),
    st.integers(0, 2000),
    st.integers(-2, 2),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("integers") / "integers.so"
    command = [COMPILER, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-I{ROOT / 'src' / 'engine'}", ROOT / "tests" / "capi" / "integers.c"]
    subprocess.run([*command, "-o", built], check=True)
    loaded = c.CDLL(str(built))
    loaded.as_double.restype = c.c_double
    return loaded


def limbs(x, room=0):
    """Return the magnitude of x as an array of limbs, their number, and whether x is negative."""
    count = -(-abs(x).bit_length() // 32)
    array = (c.c_uint32 * max(room, count, 1))()
    for k in range(count):
        array[k] = abs(x) >> 32 * k & 0xFFFFFFFF
    return array, count, int(x < 0)


def apply(library, operation, x, y, number):
    array, *of_x = limbs(x, library.limbs_most())
    code = library.apply(c.c_char(operation.encode()), array, *of_x, *limbs(y), number)
    count = -1 - code if code < 0 else code
    assert count == 0 or array[count - 1] != 0
    magnitude = sum(array[k] << 32 * k for k in range(count))
    assert magnitude or code == 0
    return -magnitude if code < 0 else magnitude


@given(NUMBERS, NUMBERS, st.integers(1, 2**32 - 1), st.integers(-2200, 2200))
@example(2**64 - 1, 1, 1, 0)
@example(-1, 1, 7, -1)
@settings(max_examples=300, deadline=None)
def test_operations(library, x, y, divisor, shift):
    assert apply(library, "+", x, y, 0) == x + y
    assert apply(library, "+", x, -x, 0) == 0
    assert apply(library, "*", x, y, 0) == x * y
    assert apply(library, "/", x, y, divisor) == x // divisor
    assert apply(library, "<", x, y, shift) == (x << shift if shift >= 0 else x >> -shift)


@given(NUMBERS, st.integers(0, 2200))
@example(2**53 + 1, 0)  # halfway between two doubles
@example(2**53 + 3, 0)
@example(2**54 - 1, 0)
@example(3, 1075)
@example(1, 1075)
@example(2**60 + 1, 1135)
@example((2**53 - 1) << 1 | 1, 1075)
@settings(max_examples=300, deadline=None)
def test_conversion(library, x, exponent):
    if abs(x).bit_length() - exponent < 1024:
        assert library.as_double(*limbs(x), exponent) == float(Fraction(x, 2**exponent))
