"""The fused multiply-add by integers, which replaces that of a C library that rounds wrongly."""

import ctypes
import math
import random
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from engine import ENGINE

COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
pytestmark = [
    pytest.mark.meta,
    pytest.mark.process,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
]
SOURCE = """
#define WIF_EXACT_FMA 1
#include "fma.h"
double of_doubles(double a, double b, double c) { return wif_fma(a, b, c); }
float of_floats(float a, float b, float c) { return wif_fmaf(a, b, c); }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fma")
    (folder / "fma.c").write_text(SOURCE, encoding="utf-8")
    options = ["-O1", "-std=c11", "-shared", "-fPIC", "-ffp-contract=off", f"-I{ENGINE}"]
    shared = folder / "fma.so"
    subprocess.run([COMPILER, *options, folder / "fma.c", "-o", shared, "-lm"], check=True)
    library = ctypes.CDLL(shared)
    for function, kind in (
        (library.of_doubles, ctypes.c_double),
        (library.of_floats, ctypes.c_float),
    ):
        function.restype, function.argtypes = kind, [kind] * 3
    return library


def rounded(exact, kind):
    """Return an exact number, which is not 0, rounded once to a type."""
    if kind is float:
        try:
            return float(exact)
        except OverflowError:
            return math.copysign(math.inf, exact)
    # A float16 or float32 is a double; round to odd there, so that the second rounding is right.
    near = float(exact)
    if Fraction(near) != exact and np.float64(near).view(np.uint64) & 1 == 0:
        near = math.nextafter(near, math.inf if exact > Fraction(near) else -math.inf)
    with np.errstate(over="ignore"):
        return float(np.float32(near))


def numbers(random_numbers, kind):
    """Return three numbers, which at times cancel, round at a half, or leave the range."""
    bits, least = (53, -1074) if kind is float else (24, -149)
    reach = -least - 60

    def one(exponent):
        significand = random_numbers.getrandbits(random_numbers.choice([1, 3, bits // 2, bits])) | 1
        return math.ldexp(random_numbers.choice([-1, 1]) * significand, exponent)

    a = one(random_numbers.randint(-reach // 2, reach // 2 - 60))
    b = one(random_numbers.randint(-reach // 2, reach // 2 - 60))
    if random_numbers.random() < 0.2:
        a, b = one(least // 2), one(least // 2 - random_numbers.randint(-60, 60))
    if kind is not float:
        a, b = float(np.float32(a)), float(np.float32(b))
    product = a * b
    if product and random_numbers.random() < 0.8:
        c = product * random_numbers.choice([-1, 1, -1.0000001, 2.0**-60, -(2.0**-52), 2.0**53])
    else:
        c = one(max(least, random_numbers.randint(least, reach - 60)))
    return a, b, c if kind is float else float(np.float32(c))


@pytest.mark.parametrize("kind", [float, np.float32])
def test_every_sum_is_rounded_once(library, kind):
    function = library.of_doubles if kind is float else library.of_floats
    random_numbers, tried = random.Random(5), 0
    while tried < 30_000:
        a, b, c = numbers(random_numbers, kind)
        if not all(map(math.isfinite, (a, b, c))):
            continue
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        if exact == 0:
            assert function(a, b, c) == 0
            continue
        tried += 1
        wanted = rounded(exact, kind)
        assert function(a, b, c).hex() == wanted.hex(), (a.hex(), b.hex(), c.hex())


def test_numbers_without_a_value(library):
    inf, largest = math.inf, 1.7976931348623157e308
    for a, b, c in (
        (1.0, inf, 2.0), (-1.0, inf, 2.0), (largest, largest, -inf), (2.0, 3.0, inf),
        (0.0, 5.0, -0.0), (-0.0, 5.0, -0.0), (0.0, -5.0, 0.0), (5e-324, -5e-324, 0.0),
        (largest, 2.0, -largest), (largest, largest, 1.0),
    ):  # fmt: skip
        wanted = {
            (largest, largest, -inf): -inf,
            (largest, 2.0, -largest): largest,
            (5e-324, -5e-324, 0.0): -0.0,
        }.get((a, b, c), a * b + c)
        assert library.of_doubles(a, b, c).hex() == wanted.hex(), (a, b, c)
    for a, b, c in ((inf, 0.0, 1.0), (inf, 1.0, -inf), (math.nan, 1.0, 1.0), (1.0, 1.0, math.nan)):
        assert math.isnan(library.of_doubles(a, b, c))
