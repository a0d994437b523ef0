"""A hundred mistaken calls: the exception names the value, is short, and says what to do.

``python tests/refusals/test_mistakes.py`` prints the table: length, error and message of each.
"""

import array
import random
import re
import sys

import numpy as np
import pytest

import weightinit_fast as wi

A = np.zeros((6, 8), "f4")
BIG = np.zeros((1000, 1000), "f4")


def named(module, name="Thing", **attributes):
    """Return an object whose class says that it comes from another library."""
    return type(name, (), {"__module__": module, **attributes})()


class Series:
    """A class like pandas' Series."""

    def __array__(self, *_, **__):
        return np.zeros(3, "f4")

    def to_numpy(self):
        return np.zeros(3, "f4")


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


class Long:
    def __repr__(self):
        return "x" * 10**6


def read_only():
    values = np.zeros((6, 8), "f4")
    values.flags.writeable = False
    return values


HUGE = 10**5000
KEY = named("jaxlib._jax", "ArrayImpl", shape=(2,))
#: (call, error, what the message has to say)
MISTAKES = [
    # out= forgotten
    (lambda: wi.normal(A), TypeError, "out="),
    (lambda: wi.normal(BIG), TypeError, "out="),
    (lambda: wi.he_normal(BIG, rng=0), TypeError, "out="),
    (lambda: wi.zeros(array.array("f", [1, 2])), TypeError, "out="),
    (lambda: wi.normal(memoryview(bytearray(10**6))), TypeError, "out="),
    (lambda: wi.normal(named("torch", "Tensor", __dlpack__=None)), TypeError, "out="),
    (wi.normal, TypeError, "shape or out="),
    # shapes
    (lambda: wi.normal(3.0), TypeError, "3.0"),
    (lambda: wi.normal("34"), TypeError, "'34'"),
    (lambda: wi.normal((3, "4")), TypeError, "'4'"),
    (lambda: wi.normal((3, -4)), ValueError, "negative"),
    (lambda: wi.normal((3, True)), TypeError, "bool"),
    (lambda: wi.normal([[3, 4]]), TypeError, "[3, 4]"),
    (lambda: wi.normal((2**40, 2**40)), ValueError, "2**63"),
    (lambda: wi.normal((1,) * 100_000), ValueError, "100000 axes"),
    (lambda: wi.normal([-1] * 100_000), ValueError, "axes"),
    (lambda: wi.normal(HUGE), ValueError, "2**63"),
    (lambda: wi.normal(-HUGE), ValueError, "negative"),
    (lambda: wi.normal((3, Long())), TypeError, "xxx"),
    (lambda: wi.normal((3, Unprintable())), TypeError, "Unprintable"),
    (lambda: wi.normal(b"x" * 10**6), TypeError, "1000000"),
    # dtypes
    (lambda: wi.normal(3, dtype="fp8"), TypeError, "float8_e4m3fn"),
    (lambda: wi.normal(3, dtype="float8"), TypeError, "float8_e5m2"),
    (lambda: wi.normal(3, dtype="int8"), TypeError, "float32"),
    (lambda: wi.normal(3, dtype=int), TypeError, "int64"),
    (lambda: wi.normal(3, dtype="complex64"), TypeError, "complex64"),
    (lambda: wi.normal(3, dtype="bogus"), TypeError, "'bogus'"),
    (lambda: wi.normal(3, dtype="bfloat"), TypeError, "bfloat16"),
    (lambda: wi.normal(3, dtype="u2"), TypeError, "dtype='bfloat16'"),
    (lambda: wi.normal(3, dtype=[(f"field{k}", "f4") for k in range(999)]), TypeError, "field0"),
    (lambda: wi.normal(3, dtype=named("torch", "dtype")), TypeError, "float32"),
    (lambda: wi.normal(3, dtype=7), TypeError, "7"),
    # streams
    (lambda: wi.normal(3, stream=None), TypeError, "an int or a name"),
    (lambda: wi.normal(3, stream=b"layer"), TypeError, "decode"),
    (lambda: wi.normal(3, stream=("layer", 3)), TypeError, "join"),
    (lambda: wi.normal(3, stream=1.5), TypeError, "1.5"),
    (lambda: wi.normal(3, stream=-1), ValueError, "2**64"),
    (lambda: wi.normal(3, stream=2**64), ValueError, "2**64"),
    (lambda: wi.normal(3, stream=True), TypeError, "True"),
    (lambda: wi.normal(3, stream=HUGE), ValueError, "2**64"),
    # what is drawn from
    (lambda: wi.normal(3, rng=random.Random(0)), TypeError, "getrandbits"),
    (lambda: wi.normal(3, rng=np.random), TypeError, "default_rng"),
    (lambda: wi.normal(3, rng=random), TypeError, "default_rng"),
    (lambda: wi.normal(3, rng=KEY), TypeError, "jax.random.key_data"),
    (lambda: wi.normal(3, rng="seed"), TypeError, "stream="),
    (lambda: wi.normal(3, rng=True), TypeError, "bool"),
    (lambda: wi.normal(3, rng=1.5), TypeError, "1.5"),
    (lambda: wi.normal(3, rng=-1), ValueError, "negative"),
    (lambda: wi.normal(3, rng=[1, -1]), ValueError, "negative"),
    (lambda: wi.normal(3, rng=["1"]), ValueError, "text"),
    (lambda: wi.normal(3, rng=[0.5] * 10**6), TypeError, "[0.5"),
    (lambda: wi.normal(3, rng=np.random.default_rng), TypeError, "default_rng"),
    (lambda: wi.normal(3, rng=named("torch", "Tensor")), TypeError, "torch.Generator"),
    (lambda: wi.normal(3, rng=object()), TypeError, "object"),
    (lambda: wi.key("x"), TypeError, "'x'"),
    (lambda: wi.Key(1, 2**64), ValueError, "high"),
    # layouts and fans
    (lambda: wi.he_normal((3, 3, 4, 8), layout="hwio"), ValueError, "'HWIO'"),
    (lambda: wi.he_normal((3, 3, 4, 8), layout="channels_last"), ValueError, "'HWIO'"),
    (lambda: wi.he_normal((8, 4, 3, 3), layout="channels_first"), ValueError, "'OIHW'"),
    (lambda: wi.he_normal((8, 4, 3, 3), layout="OI"), ValueError, "2 letters"),
    (lambda: wi.he_normal((8, 4, 3, 3), layout="OHWK"), ValueError, "an I (inputs)"),
    (lambda: wi.he_normal((8, 4), layout="O I"), ValueError, "capital letter"),
    (lambda: wi.he_normal((8, 4), layout=("O", "I")), TypeError, "'HWIO'"),
    (lambda: wi.he_normal((8, 4), layout="O" * 10**6), ValueError, "an I (inputs)"),
    (lambda: wi.he_normal(64), ValueError, "fans=(fan_in, fan_out)"),
    (lambda: wi.xavier_uniform(()), ValueError, "fans=(fan_in, fan_out)"),
    (lambda: wi.he_normal(3, fans=3), TypeError, "(fan_in, fan_out)"),
    (lambda: wi.he_normal(3, fans=(3, 4, 5)), TypeError, "(fan_in, fan_out)"),
    (lambda: wi.he_normal(3, fans=(3, -4)), ValueError, "fan_out"),
    (lambda: wi.he_normal(3, fans=(3.0, 4)), TypeError, "fan_in"),
    (lambda: wi.he_normal((3, 4), fans=(3, 4), layout="OI"), ValueError, "alone"),
    (lambda: wi.he_normal((6, 4), groups=4), ValueError, "groups=4"),
    (lambda: wi.he_normal((6, 4), groups=0), ValueError, "0"),
    (lambda: wi.he_normal((6, 4), transposed="no"), TypeError, "True or False"),
    (lambda: wi.he_normal((6, 4), transposed=1), TypeError, "True or False"),
    (lambda: wi.he_normal((6, 4), mode="fan_inn"), ValueError, "fan_avg"),
    # own parameters
    (lambda: wi.normal(3, std=True), TypeError, "True"),
    (lambda: wi.xavier_normal((3, 4), gain=True), TypeError, "True"),
    (lambda: wi.normal(3, std=-1), ValueError, "negative"),
    (lambda: wi.normal(3, std="0.02"), TypeError, "'0.02'"),
    (lambda: wi.normal(3, std=np.full(10**6, 0.02)), TypeError, "(1000000,)"),
    (lambda: wi.normal(3, mean=HUGE), ValueError, "too large"),
    (lambda: wi.uniform(3, low=2), ValueError, "low=2.0"),
    (lambda: wi.xavier_normal((3, 4), gain="rellu"), ValueError, "leaky_relu"),
    (lambda: wi.gain("relu", 0.1), ValueError, "leaky_relu"),
    (lambda: wi.variance_scaling((3, 4), distribution="gauss"), ValueError, "truncated_normal"),
    (lambda: wi.sparse((3, 4), sparsity=2), ValueError, "[0, 1]"),
    (lambda: wi.sparse((3, 4), sparsity=0.5, layout="HWIO"), ValueError, "'OI'"),
    (lambda: wi.constant(3), TypeError, "value"),
    # arguments of other libraries, and by position
    (lambda: wi.normal((3, 4), 0.0, 0.02), TypeError, "mean=0.0"),
    (lambda: wi.he_normal((3, 4), 0.25), TypeError, "a=0.25"),
    (lambda: wi.normal(3, 4), TypeError, "positional"),
    (lambda: wi.zeros((3, 4), "f4"), TypeError, "dtype='f4'"),
    (lambda: wi.normal(3, seed=0), TypeError, "rng="),
    (lambda: wi.normal(3, random_state=0), TypeError, "rng="),
    (lambda: wi.he_normal((3, 4), nonlinearity="relu"), TypeError, "gain="),
    (lambda: wi.xavier_normal((3, 4), nonlinearity="relu"), TypeError, "gain="),
    (lambda: wi.normal(3, stddev=0.02), TypeError, "std="),
    (lambda: wi.normal(3, scale=0.02), TypeError, "std="),
    (lambda: wi.normal(3, **{"x" * 10**6: 1}), TypeError, "xxx"),
    # memory
    (lambda: wi.normal(out=read_only()), ValueError, "read-only"),
    (lambda: wi.normal(out=b"12345678"), TypeError, "uint8"),
    (lambda: wi.normal(out=bytearray(8)), TypeError, "uint8"),
    (lambda: wi.normal(out=Series()), TypeError, "fill an array"),
    (lambda: wi.normal(out=[0.0] * 10**6), TypeError, "numpy.empty"),
    (lambda: wi.normal(out=np.empty(0, "f4")), ValueError, "ZeRO-3"),
    (lambda: wi.he_normal(out=np.empty(0, "f4")), ValueError, "ZeRO-3"),
    (lambda: wi.normal(out=np.zeros(3, "i4")), TypeError, "int32"),
    (lambda: wi.normal((3, 4), out=A), ValueError, "(6, 8)"),
    (lambda: wi.normal(out=np.broadcast_to(A, (9, 6, 8))), ValueError, "read-only"),
    (lambda: wi.normal(out=A, dtype="f8"), TypeError, "float64"),
    (lambda: wi.normal(out=KEY), TypeError, "ArrayImpl"),
    (
        lambda: wi.normal(out=named("jaxlib._jax", "Array", __dlpack__=0)),
        ValueError,
        "never change",
    ),
    # index and threads
    (lambda: wi.normal((3, 4), index=[1, 2]), TypeError, "basic"),
    (lambda: wi.normal((3, 4), index=np.arange(10**6)), TypeError, "basic"),
    (lambda: wi.normal((3, 4), index=7), IndexError, "out of bounds"),
    (lambda: wi.normal((3, 4), index=HUGE), IndexError, "out of bounds"),
    (lambda: wi.normal(out=A, index=3), TypeError, "shape="),
    (lambda: wi.orthogonal((3, 4), index=0), ValueError, "cut it"),
    (lambda: wi.normal(3, threads=0), ValueError, "[1, 1024]"),
    (lambda: wi.normal(3, threads=HUGE), ValueError, "[1, 1024]"),
    (lambda: wi.normal(3, threads="all"), TypeError, "'all'"),
]


def raised(call):
    """Return the exception of a call, which must have changed nothing."""
    try:
        call()
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("case", MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(case):
    call, error, text = case
    found = raised(call)
    assert type(found) is error, found
    message = str(found)
    assert re.search(re.escape(text), message), message
    assert len(message) <= 400, len(message)
    assert "\n" not in message
    assert not A.any()


def test_there_are_a_hundred():
    assert len(MISTAKES) >= 100


if __name__ == "__main__":
    lengths = []
    for case in MISTAKES:
        found = raised(case[0])
        lengths.append(len(str(found)))
        print(f"{lengths[-1]:4} {type(found).__name__:10} {found}")
    print(f"{len(lengths)} mistakes, the longest message has {max(lengths)} characters")
    sys.exit(max(lengths) > 400)
