"""Which dtypes are taken, by name and by type, with ml_dtypes and without."""

import subprocess
import sys

import numpy as np
import pytest

import weightinit_fast as wi

EXTENDED = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


@pytest.mark.process
def test_without_ml_dtypes():
    """A new array needs its types, an integer buffer does not; no other buffer takes their bits."""
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
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


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
    """NumPy makes a void type of it; refused whether or not the native one was met before."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    wi.normal(3, dtype=ml_dtypes.bfloat16, rng=0)
    other = np.dtype(ml_dtypes.bfloat16).newbyteorder(">")
    if not other.isnative:
        with pytest.raises(TypeError, match="dtype must be"):
            wi.normal(3, dtype=other, rng=0)


@pytest.mark.parametrize("memory", ["u2", "i2", "u1", "i1"])
def test_integers_without_a_name_are_told_of_it(memory):
    with pytest.raises(TypeError, match="dtype='bfloat16'"):
        wi.normal(out=np.zeros(3, memory), rng=0)
