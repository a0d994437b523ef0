# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: autotestdict=False
"""The engine behind weightinit_fast: one call fills a buffer, or a part of one, in parallel.

Everything here is private to the package.  Shapes, fans, keys and messages about them are the
business of the Python modules; this one proves that a fill stays inside its buffer, cuts it into
tasks and runs them without the GIL.
"""

import os

from numpy import ndarray

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_IsContiguous,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.weakref cimport PyWeakref_NewRef
from libc.string cimport memset
from libc.stdint cimport (
    INT64_MAX, UINT64_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from engine cimport *


WORDS, CONSTANT, UNIFORM, NORMAL, TRUNCATED = range(WIF_ASKED)
cdef int PARAMS[WIF_ASKED]  # how many each takes
PARAMS[:] = [0, 1, 2, 2, WIF_GIVEN]
cdef tuple NAMES = (
    (), ("value",), ("low", "high"), ("mean", "std"), ("mean", "std", "lower", "upper")
)
DTYPES = tuple(wif_type_name(k).decode() for k in range(WIF_TYPES))

cdef Py_ssize_t nontemporal_bytes = <Py_ssize_t>wif_nontemporal_bytes()


def nontemporal_from(Py_ssize_t nbytes):
    """Store past the caches from so many bytes on; return the former (tests, benchmarks only)."""
    global nontemporal_bytes
    former, nontemporal_bytes = nontemporal_bytes, nbytes
    return former


# ---- instruction sets ---------------------------------------------------------------------------

cdef const wif_kernels *kernels = NULL
cdef wif_isa isas[WIF_ISAS]
wif_list_isas(isas)

ISAS = tuple(isas[k].name.decode() for k in range(WIF_ISAS))
ISAS_BUILT = tuple(isas[k].name.decode() for k in range(WIF_ISAS) if isas[k].kernels != NULL)
ISAS_RUNNABLE = tuple(
    isas[k].name.decode()
    for k in range(WIF_ISAS)
    if isas[k].kernels != NULL and isas[k].lacks == NULL
)


def select_isa(str name):
    """Use the kernels of one instruction set from now on (tests and benchmarks only)."""
    global kernels
    if name not in ISAS:
        raise ValueError(f"unknown instruction set {name!r}; known: {', '.join(ISAS)}")
    cdef wif_isa *chosen = &isas[ISAS.index(name)]
    if chosen.kernels == NULL:
        raise ValueError(f"instruction set {name!r} is not built into this extension")
    if chosen.lacks != NULL:
        raise ValueError(
            f"instruction set {name!r} cannot run here: this machine lacks {chosen.lacks.decode()}"
        )
    kernels = chosen.kernels


def isa():
    """Return the name of the instruction set in use."""
    return kernels.isa.decode()


def isa_table():
    """Return name -> (built, what this machine lacks or None) for every known set."""
    return {
        isas[k].name.decode(): (
            isas[k].kernels != NULL,
            None if isas[k].lacks == NULL else isas[k].lacks.decode(),
        )
        for k in range(WIF_ISAS)
    }


def generate_block(
    uint64_t key_low, uint64_t key_high, uint64_t counter_low, uint64_t counter_high
):
    """Return the four words of one ARS4x32-7 block (known-answer tests)."""
    cdef uint32_t words[4]
    kernels.block(words, key_low, key_high, counter_low, counter_high)
    return words[0], words[1], words[2], words[3]


# Chosen once, at import.
ISA_FORCED = os.environ.get("WEIGHTINIT_FAST_ISA") or None
try:
    select_isa(ISA_FORCED or ISAS_RUNNABLE[len(ISAS_RUNNABLE) - 1])
except ValueError as error:
    raise ImportError(f"WEIGHTINIT_FAST_ISA={ISA_FORCED}: {error}") from None


# ---- facts about the build ----------------------------------------------------------------------

STREAM_VERSION = WIF_STREAM_VERSION
COMPILER = WIF_COMPILER.decode()
OPENMP = wif_openmp()  # the specification's date, 0 for the serial build


def runtime_threads():
    """Return how many threads OpenMP would use for the calling thread now."""
    return wif_runtime_threads()


if hasattr(os, "register_at_fork"):
    def _before_fork():
        wif_dismiss_workers()

    os.register_at_fork(before=_before_fork)


# ---- scales -------------------------------------------------------------------------------------

def spread(int transform, double scale, double gain, double slope, double fan):
    """Return the scale of a distribution of variance gain**2 * scale / ((1 + slope**2) * fan).

    It is the standard deviation for NORMAL, half the width of the interval for UNIFORM, and for
    TRUNCATED the standard deviation of the normal that is truncated to two of them (scale.h).
    """
    if transform not in (UNIFORM, NORMAL, TRUNCATED):
        raise ValueError(f"transform {transform} has no scale")
    return wif_spread(<wif_transform>transform, scale, gain, slope, fan)


def geometric_mean(double a, double b):
    """Return sqrt(a * b), whatever the host's rounding mode."""
    return wif_geometric_mean(a, b)


# ---- numbers ------------------------------------------------------------------------------------

include "numbers.pxi"


# ---- keys ---------------------------------------------------------------------------------------

include "keys.pxi"


# ---- memory that stays where it is --------------------------------------------------------------

cdef object base_of = ndarray.base.__get__  # a subclass may call something else its base


def pin(object owner):
    """Return what keeps a buffer's memory in place for as long as it lives.

    Code of the caller may run during a fill: an rng's methods, signal handlers, other threads.
    NumPy does not resize an array that has a weak reference, even with refcheck=False; a bytearray
    or an mmap keeps what is exported.  (ndarray.__setstate__ and ctypes.resize ask nobody.)
    """
    while True:
        if type(owner) is ndarray:
            base = owner.base
        elif isinstance(owner, ndarray):
            base = base_of(owner)
        elif type(owner) is memoryview:
            base = owner.obj
        else:
            try:
                return memoryview(owner)
            except (TypeError, BufferError):
                return None  # another library's: out of reach
        if base is None:
            return PyWeakref_NewRef(owner, None)
        owner = base


include "dlpack.pxi"


# ---- the fill -----------------------------------------------------------------------------------

include "run.pxi"


cdef int read_axes(
    object axes, Py_buffer *view, object start, object first, object last_element, wif_axis *out,
) except -1:
    """Copy the axes, prove that they stay inside buffer and stream; return their number.

    Made of Python integers: nothing can overflow before it has been refused.
    """
    cdef int count = 0
    low = high = start
    last, items = first, 1
    for n, stream_step, dst_step in axes:
        if count == WIF_MAX_AXES or n < 1 or stream_step < 0 or stream_step == 0 and n > 1:
            raise ValueError(f"bad axes {axes!r}")
        items *= n
        last += (n - 1) * stream_step
        if dst_step < 0:
            low += (n - 1) * dst_step
        else:
            high += (n - 1) * dst_step
        out[count].n = n
        out[count].stream_step = stream_step
        out[count].dst_step = dst_step
        count += 1
    view_low = view_high = 0
    for k in range(view.ndim):
        reach = (<object>view.shape[k] - 1) * view.strides[k]
        if reach < 0:
            view_low += reach
        else:
            view_high += reach
    if low < view_low or high > view_high or items > view.len // view.itemsize:
        raise ValueError(f"axes {axes!r} from byte {start} reach beyond the buffer")
    if last > last_element:
        raise ValueError(f"element {last} is beyond the end of the stream")
    return count


cdef int prepare(int transform, int dtype, tuple params, wif_draw *draw) except -1:
    """Round the parameters as the contract says."""
    cdef double given[WIF_GIVEN]
    cdef int status, count
    memset(given, 0, sizeof(given))
    if not 0 <= dtype < WIF_TYPES:
        raise ValueError(f"no dtype {dtype}")
    if not 0 <= transform < WIF_ASKED or kernels.fill[transform][dtype] == NULL:
        raise ValueError(f"no kernel {transform} of {DTYPES[dtype]}")
    if len(params) != PARAMS[transform]:
        raise ValueError(f"{PARAMS[transform]} parameters are needed, not {params!r}")
    for count in range(PARAMS[transform]):
        given[count] = params[count]
    status = wif_prepare(<wif_transform>transform, <wif_type>dtype, given, draw)
    if status != WIF_PARAMS_OK:
        name = DTYPES[dtype]
        shown = ", ".join(f"{n}={v!r}" for n, v in zip(NAMES[transform], params))
        if status == WIF_PARAMS_OVERFLOW:
            raise ValueError(f"{shown} overflows {name}")
        raise ValueError(f"no {name} value lies inside: {shown}")
    return 0


def check(int transform, int dtype, tuple params):
    """Raise what fill() would raise for these parameters."""
    cdef wif_draw draw
    prepare(transform, dtype, params, &draw)


def narrow(object source, object buffer, int dtype):
    """Round float32 numbers, none of them NaN, into the bit patterns of a narrower type."""
    cdef Py_buffer src, dst
    cdef Py_ssize_t count
    cdef wif_fpstate host
    if not 0 <= dtype < WIF_TYPES or kernels.narrow[dtype] == NULL:
        raise ValueError(f"no narrow dtype {dtype}")
    PyObject_GetBuffer(source, &src, PyBUF_C_CONTIGUOUS)
    try:
        PyObject_GetBuffer(buffer, &dst, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
        try:
            count = src.len // 4
            if src.itemsize != 4 or dst.len // <Py_ssize_t>wif_type_bytes(dtype) != count:
                raise ValueError(f"{dst.len} bytes for {count} {DTYPES[dtype]}")
            with nogil:
                host = wif_fp_enter()
                kernels.narrow[dtype](dst.buf, <const float *>src.buf, <size_t>count)
                wif_fp_leave(host)
        finally:
            PyBuffer_Release(&dst)
    finally:
        PyBuffer_Release(&src)


cpdef object fill(
    object buffer, int transform, int dtype, tuple params, object rng, object stream,
    uint64_t first, object axes, object threads, bint fresh=False, Py_ssize_t start=0,
):
    """Fill a buffer with the elements of a stream.

    Parameters
    ----------
    buffer : object with a writable buffer
        Items of the dtype's size; 32-bit words for WORDS.
    transform, dtype : int
        WORDS, CONSTANT, UNIFORM, NORMAL or TRUNCATED; an index into DTYPES (WORDS: 0).
    params : tuple of float
        See params.h: (), (value,), (low, high), (mean, std); TRUNCATED: ten.
    rng, stream
        Whatever the public functions take: read, so that a Generator advances, once nothing else
        can be refused any more.  CONSTANT does without.
    first : int
        Index of the element at the region's beginning.
    axes : list of (n, stream_step, dst_step) or None
        The region, outermost axis first; steps in elements of the stream (not negative) and bytes
        of the buffer.  None: the whole of a C-contiguous buffer, in order.
    threads : int or None
        At most so many. None: as many as pay for this size and as the limits of this process allow.
    fresh : bool
        Whether the memory has not been touched yet, so that its pages are still to be made.
    start : int
        Byte offset of the region's beginning from the buffer's first element.
    """
    cdef Py_buffer view
    cdef wif_plan plan
    cdef wif_axis axis[WIF_MAX_AXES]
    cdef int count = 0, most = 1 if threads is None else threads
    cdef int64_t total
    cdef uint64_t last_element
    cdef object _pinned, _waited  # until the end
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
    try:
        if most < 1:
            raise ValueError(f"threads must be at least 1, not {most}")
        prepare(transform, dtype, params, &plan.draw)
        if view.itemsize != <Py_ssize_t>wif_type_bytes(dtype):
            raise ValueError(f"items of {view.itemsize} bytes for {DTYPES[dtype]}")
        total = view.len // view.itemsize
        last_element = <uint64_t>INT64_MAX if dtype == WIF_f64 else UINT64_MAX
        if total == 0:
            pass
        elif axes is None:
            if not PyBuffer_IsContiguous(&view, b"C"):
                raise ValueError("axes are needed for a buffer that is not C-contiguous")
            axis[0].n = total
            axis[0].stream_step = 1
            axis[0].dst_step = view.itemsize
            count = 1
            start = 0
            if first > last_element or last_element - first < <uint64_t>total - 1:
                raise ValueError(f"element {first} + {total - 1} is beyond the end of the stream")
        else:
            count = read_axes(axes, &view, start, first, last_element, axis)
        _pinned = pin(buffer) if total >= RELEASE_GIL_ITEMS else None
        if transform == WIF_constant:  # takes no words; what -O0 and -O1 draw in vain is of key 0
            plan.draw.key_low = plan.draw.key_high = plan.draw.stream = 0
        else:
            _waited = read_key_and_stream(rng, stream, buffer, &plan.draw)
        if total == 0:
            return
        wif_plan_kernels(&plan, kernels, <wif_type>dtype, total)
        plan.dst = <char *>view.buf + start
        plan.first = first
        if threads is None and total >= RELEASE_GIL_ITEMS:
            most = thread_count(None, total)
        plan.direct_items = wif_direct_items(plan.itemsize, total, most, fresh)
        wif_plan_axes(&plan, axis, count)
        plan.nontemporal = not fresh and plan.direct and view.len >= nontemporal_bytes
        if run(&plan, total, most):
            raise_pending()
    finally:
        PyBuffer_Release(&view)


include "target.pxi"
