"""Which dtypes are taken, by name and by type, with ml_dtypes and without."""

import subprocess
import sys

import numpy as np
import pytest
from support import HANG_SECONDS

import weightinit_fast as wi

EXTENDED = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


@pytest.mark.process
def test_without_ml_dtypes():
    """A new array needs ml_dtypes; an integer buffer does not, and other buffers are refused."""
    script = """
import sys
sys.modules["ml_dtypes"] = None
import numpy as np
import weightinit_fast as wi
out = np.zeros(9, np.uint16)
wi.normal(out=out, dtype="bfloat16", rng=0)
assert out.any()
def refused(text, **options):
    try:
        wi.normal(rng=0, **options)
    except TypeError as error:
        assert text in str(error), error
    else:
        raise AssertionError(options)
for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
    refused("ml_dtypes", shape=9, dtype=name)
    refused(name, shape=9, dtype=name)
    for memory in "f8", "f4", "f2", "u4", "c8", "bool":
        out = np.zeros(9, memory)
        refused(name, out=out, dtype=name)
        assert not out.any()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=HANG_SECONDS)


@pytest.mark.parametrize("name", EXTENDED)
def test_types_of_ml_dtypes(name):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    expected = wi.normal(99, dtype=name, rng=0)
    assert expected.dtype == getattr(ml_dtypes, name)
    for dtype in (getattr(ml_dtypes, name), np.dtype(getattr(ml_dtypes, name))):
        got = wi.normal(99, dtype=dtype, rng=0)
        assert (got.dtype, got.tobytes()) == (expected.dtype, expected.tobytes())
    out = np.zeros(99, expected.dtype)
    assert wi.normal(out=out, rng=0) is out
    assert out.tobytes() == expected.tobytes()


def test_no_other_byte_order_of_ml_dtypes():
    """NumPy makes a void type of it, which is refused even after a call with the native type."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    wi.normal(3, dtype=ml_dtypes.bfloat16, rng=0)
    other = np.dtype(ml_dtypes.bfloat16).newbyteorder(">")
    if not other.isnative:
        with pytest.raises(TypeError, match="dtype must be"):
            wi.normal(3, dtype=other, rng=0)


@pytest.mark.parametrize("memory", ["u2", "i2", "u1", "i1"])
def test_an_integer_buffer_without_dtype_is_refused_with_advice(memory):
    with pytest.raises(TypeError, match="dtype='bfloat16'"):
        wi.normal(out=np.zeros(3, memory), rng=0)


@pytest.mark.parametrize("name", EXTENDED)
def test_a_file_of_a_type_that_numpy_lacks(name, tmp_path):
    """NumPy loads it as a void type of the same width, which out= takes for the bits."""
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    expected = wi.normal((5, 7), dtype=name, rng=0)
    outs = [np.zeros((5, 7), f"V{expected.itemsize}")]
    if name == "bfloat16":  # NumPy writes float8_e5m2 with a type that it cannot load
        path = tmp_path / "weights.npy"
        np.save(path, np.zeros_like(expected))
        outs += [np.load(path), np.load(path, mmap_mode="r+")]
    for out in outs:
        assert out.dtype == np.dtype(f"V{expected.itemsize}")
        assert wi.normal(out=out, dtype=name, rng=0) is out
        assert out.tobytes() == expected.tobytes()
        with pytest.raises(TypeError, match="dtype='bfloat16'"):
            wi.normal(out=out, rng=0)
    for void in ("V3", "V4", [("x", "u1"), ("y", "u1")], ("u1", 2)):
        with pytest.raises(TypeError):
            wi.normal(out=np.zeros(3, void), dtype="bfloat16", rng=0)


@pytest.mark.parametrize(
    ("short", "name"),
    [("fp16", "float16"), ("fp32", "float32"), ("fp64", "float64"), ("half", "float16")],
)
def test_short_names(short, name):
    got, expected = wi.normal(9, dtype=short, rng=0), wi.normal(9, dtype=name, rng=0)
    assert (got.dtype, got.tobytes()) == (expected.dtype, expected.tobytes())


def test_the_short_name_of_bfloat16():
    out, expected = np.zeros(9, "u2"), np.zeros(9, "u2")
    wi.normal(out=out, dtype="bf16", rng=0)
    wi.normal(out=expected, dtype="bfloat16", rng=0)
    assert out.tobytes() == expected.tobytes()
