"""The arithmetic of recipes: Python's own results, a few kinds of nodes, and bounded work."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.internals import arithmetic

evaluate, named_numbers = arithmetic.evaluate, arithmetic.named_numbers

NAMES = {"layers": 12, "width": 768, "std": 0.02}

VALUES = {
    "0.02": 0.02,
    " 12 ": 12,
    "0.02 / sqrt(2 * layers)": 0.02 / math.sqrt(24),
    "sqrt(2 / (5 * width))": math.sqrt(2 / (5 * 768)),
    "2 / (layers * sqrt(width))": 2 / (12 * math.sqrt(768)),
    "width ** -0.5": 768**-0.5,
    "-std * -(1 - 3)": -0.02 * 2,
    "2 ** 3 ** 2": 512,
    "-2 ** 2": -4,
    "1 - 2 - 3": -4,
    "4 * width": 3072,
    "width / 64": 12.0,
    "2**62": 2**62,
    "2**63": 2.0**63,
    "2**64 - 1": 2.0**64,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2.0**63,
    "4000000000 * 4000000000": 1.6e19,
    "(-1) ** 9223372036854775807": -1,
    "1e308 / 10": 1e308 / 10,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    value = evaluate(text, NAMES)
    assert (type(value), value) == (type(VALUES[text]), VALUES[text])


numbers = st.one_of(
    st.integers(0, 100).map(str),
    st.floats(0, 100).map(repr),
    st.sampled_from(sorted(NAMES)),
)
expressions = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", "-", "*", " / ", "**"]), inner).map("".join),
        inner.map("-{}".format),
        inner.map("({})".format),
        inner.map("sqrt({})".format),
    ),
    max_leaves=8,
)


@given(expressions)
def test_python_agrees(text):
    """Python computes the same value from the same text."""
    assume(text.count("**") <= 1)  # Python would take long to compute towers of ints
    try:
        value = evaluate(text, NAMES)
    except ValueError as error:
        if "has no finite value" in str(error):
            return  # Python has an int here that no float can hold, or an infinite float
        value = None
    try:
        wanted = eval(text, {"__builtins__": {}, "sqrt": math.sqrt}, NAMES)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        wanted = None
    if value is None:
        assert wanted is None or isinstance(wanted, complex)
    else:
        assert value == pytest.approx(wanted, rel=1e-13)


REFUSED = {
    "": "is no arithmetic",
    "1 +": "is no arithmetic",
    "depth": "unknown name 'depth'; the named numbers are layers, width, std",
    "1 / (layers - 12)": "divides by zero",
    "0 ** -1": "divides by zero",
    "sqrt(3 - layers)": "root of a negative number",
    "(0 - 8) ** (1 / 3)": "is not a real number",
    "1e308 * 10": "has no finite value",
    "1e999": "has no finite value",
    "9 ** 9 ** 9 ** 9": "has no finite value",
    "10 ** 10 ** 10": "has no finite value",
    "1e999 - 1e999": "has no finite value",
    "True": "is no arithmetic",
    "1j": "is no arithmetic",
    "'a'": "is no arithmetic",
    "+1": "is no arithmetic",
    "~1": "is no arithmetic",
    "7 // 2": "is no arithmetic",
    "7 % 2": "is no arithmetic",
    "1 << 9": "is no arithmetic",
    "[1][0]": "is no arithmetic",
    "std.real": "is no arithmetic",
    "sqrt": "unknown name 'sqrt'",
    "sqrt(1, 2)": "is no arithmetic",
    "sqrt(x=1)": "is no arithmetic",
    "exp(1)": "is no arithmetic",
    "__import__('os').abort()": "is no arithmetic",
    "(lambda: 1)()": "is no arithmetic",
    "1 if std else 2": "is no arithmetic",
    "1 < 2": "is no arithmetic",
    "(n := 1)": "is no arithmetic",
    "1\0": "is no arithmetic",
    "9" * 5000: "5000 characters",
    "9" * 900: "has no finite value",
    "(" * 400 + "1" + ")" * 400: "is no arithmetic",
    "-" * 900 + "1": "write numbers",
    "+".join(["1"] * 300): "more than 100 levels",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:30])
def test_refused(text):
    with pytest.raises(ValueError, match="expression") as caught:
        evaluate(text, NAMES)
    assert REFUSED[text] in str(caught.value)
    assert len(str(caught.value)) < 400


def test_only_texts():
    with pytest.raises(TypeError, match="must be a str"):
        evaluate(12, NAMES)


def test_named_numbers_may_use_the_names_before_them():
    let = {
        "layers": np.int64(12),
        "two": "2 * layers",
        "std": "0.02 / sqrt(two)",
        "g": np.float32(2),
    }
    found = named_numbers(let)
    assert found == {"layers": 12, "two": 24, "std": 0.02 / math.sqrt(24), "g": 2.0}
    assert [type(value) for value in found.values()] == [int, int, float, float]
    with pytest.raises(ValueError, match="let: a: the expression 'b' has the unknown name 'b'; no"):
        named_numbers({"a": "b", "b": 1})
    with pytest.raises(ValueError, match="unknown name 'a'"):
        named_numbers({"a": "a + 1"})


@pytest.mark.parametrize("name", ["", "1a", "a b", "a-b", "é", "lambda", "sqrt", "inf", "nan", 3])
def test_names_that_are_refused(name):
    with pytest.raises(ValueError, match="let: "):
        named_numbers({name: 1})


@pytest.mark.parametrize("value", [True, None, [1], 1j, np.complex64(1), np.bool_(True)])
def test_values_that_are_no_numbers(value):
    with pytest.raises(TypeError, match="let: n must be a"):
        named_numbers({"n": value})


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400, np.float32("inf")])
def test_values_that_are_not_finite(value):
    with pytest.raises(ValueError, match="let: n must be finite"):
        named_numbers({"n": value})
