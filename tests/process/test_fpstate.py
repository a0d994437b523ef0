"""The host's floating-point state changes no bit of a fill, and is left as it was."""

import ctypes
import itertools
import mmap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.interpreter import LARGE, glibc_x86_only, run
from support.isas import cpu_flags

import weightinit_fast as wi

pytestmark = pytest.mark.usefixtures("eager")
MXCSR = 28  # its offset in glibc's fenv_t for x86-64
#: Rounding up, down and to zero; flush to zero; denormals are zero; three of them at once.
STATES = (0x4000, 0x2000, 0x6000, 0x8000, 0x0040, 0xE040)
STATED = {"fans": (300, 7)}
FILLS = [
    *((wi.normal, {"mean": 0.1, "std": std}) for std in (0.3, 3e-39)),
    *((wi.uniform, {"low": low, "high": high}) for low, high in ((-0.7, 1.3), (0, 2.0**-130))),
    *((wi.constant, {"value": value}) for value in (0.1, 1e-40)),
    (wi.he_normal, STATED),
    (wi.he_uniform, {"a": 0.2, "mode": "fan_avg"} | STATED),
    (wi.xavier_normal, {"gain": 5 / 3} | STATED),
    (wi.xavier_normal, {"gain": "leaky_relu"} | STATED),
    (
        wi.variance_scaling,
        {"scale": 0.7, "mode": "fan_geo_avg", "distribution": "uniform"} | STATED,
    ),
    (wi.variance_scaling, {"scale": 0.7, "distribution": "truncated_normal"} | STATED),
    (wi.truncated_normal, {"mean": 0.1, "std": 0.3, "lower": 3, "upper": 4.7}),
    (wi.xavier_uniform, {"gain": 1.7} | STATED),
]


#: Fills of other shapes, and of narrow types, in which some intervals above hold no value.
SMALL = [
    *((wi.sparse, (rows, 4), {"sparsity": s}) for rows, s in ((10, 0.1), (100, 0.07), (50, 0.3))),
    *((wi.orthogonal, (150, 130), {"gain": 0.1, "dtype": dtype}) for dtype in ("f4", "f8", "f2")),
    *(
        (function, 999, {"dtype": dtype} | own)
        for dtype in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
        for function, own in (
            (wi.normal, {"mean": 1e-3, "std": 1e-4}),
            (wi.uniform, {"low": -0.7, "high": 1.3}),
            (wi.truncated_normal, {"std": 0.1}),
            (wi.constant, {"value": 0.1}),
        )
    ),
]


def all_fills(dtype, threads):
    same = {"rng": wi.Key(1, 2), "threads": threads}
    large = [f(LARGE, dtype=dtype, **same, **own) for f, own in FILLS]
    return large + [f(shape, **same, **own) for f, shape, own in SMALL]


def in_new_thread(function, *args):
    """Call a function in a new thread, whose workers are new too and inherit its state."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


@glibc_x86_only
@pytest.mark.parametrize("state", STATES, ids=hex)
@pytest.mark.parametrize("threads", [1, 3])
def test_floating_point_state_of_the_host(state, threads):
    libm = ctypes.CDLL("libm.so.6")

    def mxcsr(value=None):
        environment = (ctypes.c_uint8 * 64)()
        assert libm.fegetenv(environment) == 0
        found = ctypes.c_uint32.from_buffer(environment, MXCSR)
        if value is not None:
            found.value = value
            assert libm.fesetenv(environment) == 0
        return found.value & ~0x3F  # without the sticky flags

    def under(dtype):
        host = mxcsr()
        mxcsr(host | state)
        try:
            return all_fills(dtype, threads), mxcsr() == host | state
        finally:
            mxcsr(host)

    assert mxcsr() & 0xFFC0 == 0x1F80, "the tests began in another state"
    for dtype, place in itertools.product(("f4", "f8"), (lambda f, *a: f(*a), in_new_thread)):
        expected = all_fills(dtype, 1)
        outs, untouched = place(under, dtype)
        assert untouched
        for k, (out, wanted) in enumerate(zip(outs, expected, strict=True)):
            assert out.tobytes() == wanted.tobytes(), f"fill {k} in {dtype}"


@glibc_x86_only
@pytest.mark.process
def test_floating_point_traps_of_the_host():
    """Four exceptions trap: invalid, division by zero, overflow, underflow. No fill raises one."""
    script = """
    import ctypes
    libm = ctypes.CDLL("libm.so.6")
    before = libm.feenableexcept(1 | 4 | 8 | 16)
    same = right(3) and right(1)
    wi.normal(LARGE, std=1e-39, rng=0)
    wi.normal(LARGE, std=3e38, rng=0)
    enabled = libm.fegetexcept()
    libm.fedisableexcept(31)
    print(same, before, enabled)
    """
    assert run(script) == "True 0 29"


def machine_code(code, result):
    """Return a function made of bytes of machine code, and the memory that holds them."""
    try:
        memory = mmap.mmap(
            -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        )
    except OSError:
        pytest.skip("this system has no memory for code")
    memory[: len(code)] = code
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return ctypes.CFUNCTYPE(result)(address), memory


@glibc_x86_only
@pytest.mark.skipif(
    "xgetbv1" not in (cpu_flags() or ()), reason="this CPU does not tell which state is used"
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
def test_no_upper_half_of_a_register_stays_in_use(isa, dtype):
    """Code that was compiled for SSE may be slow as long as an upper half is in use.

    GCC 12 puts no vzeroupper into functions with VAES. After fills by such functions, libm's
    fused multiply-adds took 30 to 60 times as long on a Sapphire Rapids. XGETBV says which parts of
    the state differ from zero: 4 is the upper halves of the AVX registers, 64 is those of the
    AVX-512 registers 0 to 15.
    """
    zero_upper, kept = machine_code(bytes.fromhex("c5f877c3"), None)
    in_use, kept_too = machine_code(bytes.fromhex("b9010000000f01d0c3"), ctypes.c_uint32)
    for function in (wi.normal, wi.uniform, wi.truncated_normal):
        for shape, index in (
            ((5000,), None),
            ((50, 100), np.s_[::-1, 3::7]),
            ((100, 40), np.s_[7]),
        ):
            out = np.empty(np.empty(shape)[index or ...].shape, dtype, "F")
            zero_upper()
            function(shape, out=out, index=index, rng=1, threads=1)
            assert not in_use() & (4 | 64), (function.__name__, shape, index)
    del kept, kept_too
