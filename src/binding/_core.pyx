# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: autotestdict=False, freethreading_compatible=True
"""The engine behind weightinit_fast: one call fills a buffer, or a part of one, in parallel.

Everything here is private to the package.  The Python modules decide what is drawn and where it
goes, and refuse what is wrong.  This module reads the usual kinds of arguments for them, since that
is faster here.  It proves that a fill stays inside its buffer, has the engine cut the fill into
tasks, and runs the tasks without the GIL.

Threads may call it at the same time without a GIL.  All variables of this module are set while the
package is imported, and none of them is set again, except for tests and benchmarks; shared.h has
those that are set later, and the engine's are atomic.
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
from cpython.ref cimport PyObject
from cpython.weakref cimport PyWeakref_NewRef
from libc.string cimport memset
from libc.stdint cimport (
    INT64_MAX, UINT64_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
    uintptr_t,
)

from engine cimport *

cdef extern from "shared.h" nogil:
    bint FREE_THREADED "WIF_FREE_THREADED"
    bint SHARED_KNOWS_SLOTS
    ctypedef int shared_state
    shared_state shared_generators, shared_torch
    bint shared_is_ready(shared_state *state)
    bint shared_claim(shared_state *state)
    void shared_make_ready(shared_state *state)
    void shared_keep_forever(PyObject *kept)
    Py_ssize_t shared_slot_offset(PyObject *descriptor)
    bint shared_read_slot(PyObject *holder, Py_ssize_t offset, uint64_t *out)


def keep_forever(object value):
    """Let threads use an object without counting references to it (shared.h); return the object.

    It is for what every small call uses: the functions of this module, constants, and the methods
    and other descriptors of a class.  Numbers and tuples in a tuple are kept too.
    """
    if isinstance(value, type):  # CPython takes care of the class itself
        for item in list(vars(value).values()):
            if hasattr(type(item), "__get__"):
                shared_keep_forever(<PyObject *>item)
        return value
    if isinstance(value, tuple):
        for item in <tuple>value:
            if isinstance(item, (float, int, tuple)):
                keep_forever(item)
    shared_keep_forever(<PyObject *>value)
    return value


# WORDS, CONSTANT, UNIFORM, NORMAL and TRUNCATED, the numbers of the public transforms.
globals().update(
    {wif_transform_name(k).decode().upper(): k for k in range(WIF_PUBLIC_TRANSFORMS)}
)
DTYPES = tuple(wif_type_name(k).decode() for k in range(WIF_TYPES))

wif_pool_prepare()


def nontemporal_from(Py_ssize_t nbytes):
    """Set the size of a buffer from which on stores go past the caches; return the former size.

    Only tests and benchmarks use it.
    """
    former = wif_nontemporal_from()
    wif_set_nontemporal_from(<size_t>nbytes)
    return former


def chunks_per_wake(int chunks):
    """Set for how many chunks a fill wakes a sleeping thread; return the former number.

    Only tests and benchmarks use it.
    """
    global wif_chunks_per_wake
    if chunks < 1:
        raise ValueError(f"{chunks} chunks")
    former, wif_chunks_per_wake = wif_chunks_per_wake, chunks
    return former


def worth_threads(int64_t chunks):
    """Return whether a fill of so many chunks, which now begins, is worth more than one thread."""
    return wif_pool_worth(chunks)


def cgroup_cpus(bytes root not None, bytes own not None):
    """Return how many CPUs the quota of this process's cgroup amounts to (system/system.h)."""
    return wif_cgroup_threads(root, own)


# ---- instruction sets ---------------------------------------------------------------------------

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
    """Use the kernels of one instruction set from now on, in this module and in weightinit_fast.h.

    After the import only tests and benchmarks call this.
    """
    if name not in ISAS:
        raise ValueError(f"unknown instruction set {name!r}; known: {', '.join(ISAS)}")
    cdef wif_isa *chosen = &isas[ISAS.index(name)]
    if chosen.kernels == NULL:
        raise ValueError(f"instruction set {name!r} is not built into this extension")
    if chosen.lacks != NULL:
        raise ValueError(
            f"instruction set {name!r} cannot run here: this machine lacks {chosen.lacks.decode()}"
        )
    wif_use_kernels(chosen.kernels)


def isa():
    """Return the name of the instruction set in use."""
    return wif_kernels_in_use().isa.decode()


def isa_table():
    """Return a dict: name of each known set -> (is built, what this machine lacks or None)."""
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
    """Return the four words of one ARS4x32-7 block, for tests with known answers."""
    cdef uint32_t words[4]
    wif_kernels_in_use().block(words, key_low, key_high, counter_low, counter_high)
    return words[0], words[1], words[2], words[3]


# The set in use is chosen once, at import.
ISA_FORCED = os.environ.get("WEIGHTINIT_FAST_ISA") or None
try:
    select_isa(ISA_FORCED or ISAS_RUNNABLE[len(ISAS_RUNNABLE) - 1])
except ValueError as error:
    raise ImportError(f"WEIGHTINIT_FAST_ISA={ISA_FORCED}: {error}") from None


# ---- facts about the build ----------------------------------------------------------------------

STREAM_VERSION = WIF_STREAM_VERSION
COMPILER = WIF_COMPILER.decode()
# How threads wait for work ("futex", for instance); None in a build without threads.
THREADS_WAIT_BY = None if wif_threads_wait_by() == NULL else wif_threads_wait_by().decode()


# ---- spreads ------------------------------------------------------------------------------------

def spread(int transform, double scale, double gain, double slope, double fan):
    """Return the spread of a distribution of variance gain**2 * scale / ((1 + slope**2) * fan).

    The spread is the standard deviation for NORMAL, and half the width of the interval for UNIFORM.
    For TRUNCATED it is the standard deviation of the parent, the normal distribution that is
    truncated at two of its standard deviations (host/scale.h).
    """
    if transform not in (WIF_uniform, WIF_normal, WIF_truncated):
        raise ValueError(f"transform {transform} has no scale")
    return wif_spread(<wif_transform>transform, scale, gain, slope, fan)


def geometric_mean(double a, double b):
    """Return sqrt(a * b) as it is in the standard rounding mode, whatever mode is set."""
    return wif_geometric_mean(a, b)


def truncation_interval(double lower, double upper, int word_bits):
    """Return the six numbers about a truncated normal's bounds of host/params.h."""
    cdef wif_interval interval
    cdef int32_t dtype = WIF_FLOAT64 if word_bits == 64 else WIF_FLOAT32
    cdef wif_status status = c_wif_prepare_interval(lower, upper, dtype, &interval)
    if status != WIF_OK:
        raise ValueError(c_wif_status_text(status).decode())
    return tuple(interval.numbers)


# ---- checks of arguments ------------------------------------------------------------------------

include "numbers.pxi"


# ---- the functions for other packages ------------------------------------------------------------

include "capi.pxi"


# ---- keys ---------------------------------------------------------------------------------------

include "keys.pxi"


# ---- memory that stays where it is --------------------------------------------------------------

cdef object base_of = ndarray.base.__get__  # a subclass may have another attribute named "base"


def pin(object owner):
    """Return an object that keeps a buffer's memory in place for as long as the object lives.

    Other code may run during a fill: the methods of an rng, signal handlers, other threads.  NumPy
    does not resize an array that has a weak reference, even with refcheck=False, and a bytearray or
    an mmap does not resize memory that is exported.  (ndarray.__setstate__ and ctypes.resize check
    nothing.)  None stands for memory that is not pinned.
    """
    while True:
        if type(owner) is ndarray:
            base = owner.base
        elif isinstance(owner, ndarray):
            base = base_of(owner)
        elif type(owner) is memoryview:
            base = owner.obj
        elif owner is None:
            return None
        else:
            try:
                return memoryview(owner)
            except (TypeError, BufferError):
                return None  # memory of another library, which cannot be pinned
        if base is None:
            return PyWeakref_NewRef(owner, None)
        owner = base


include "dlpack.pxi"


# ---- the fill -----------------------------------------------------------------------------------

include "run.pxi"


cdef int check_ids(const int64_t *ids, Py_ssize_t count, uint64_t most) except -1:
    """Refuse ids of rows that are negative or above `most`, which is at most 2**63 - 1."""
    cdef bint fine
    cdef Py_ssize_t k
    if count < RELEASE_GIL_ITEMS:
        fine = wif_ids_are_within(ids, count, most)
    else:
        with nogil:
            fine = wif_ids_are_within(ids, count, most)
    if fine:
        return 0
    for k in range(count):
        if ids[k] < 0:
            raise ValueError(f"rows[{k}] is {ids[k]}: the ids of rows count from 0")
        if <uint64_t>ids[k] > most:
            raise ValueError(
                f"rows[{k}] is {ids[k]}, which is beyond the end of the stream: "
                f"the last id is {most}"
            )


cdef int read_axes(
    object axes, const Py_buffer *view, object start, object first, object last_element,
    wif_axis *out, const int64_t *ids, Py_ssize_t id_count,
) except -1:
    """Copy the axes to out; return how many.  Refuse axes that leave the buffer or the stream.

    If ids is not NULL, they belong to the first axis.

    The bounds are computed with Python integers, so that nothing can overflow before it is refused.
    """
    cdef int count = 0
    low = high = start
    last, items = first, 1
    for n, stream_step, dst_step in axes:
        if count == WIF_MAX_AXES or n < 1 or stream_step < 0 or stream_step == 0 and n > 1:
            raise ValueError(f"bad axes {axes!r}")
        items *= n
        if ids == NULL or count > 0:
            last += (n - 1) * stream_step
        if dst_step < 0:
            low += (n - 1) * dst_step
        else:
            high += (n - 1) * dst_step
        out[count].n = n
        out[count].stream_step = stream_step
        out[count].dst_step = dst_step
        out[count].ids = NULL
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
    if ids != NULL:
        if count == 0 or out[0].n != id_count or out[0].stream_step == 0:
            raise ValueError(f"{id_count} ids for axes {axes!r}")
        check_ids(ids, id_count, min((last_element - last) // out[0].stream_step, INT64_MAX))
        out[0].ids = ids
    return count


cdef int prepare(
    const wif_kernels *kernels, int transform, int dtype, tuple params, wif_draw *draw,
) except -1:
    """Round the parameters as the contract says, into draw; refuse what overflows."""
    cdef double parameters[WIF_MOST_PARAMETERS]
    cdef int status, count, k
    memset(parameters, 0, sizeof(parameters))
    if not 0 <= dtype < WIF_TYPES:
        raise ValueError(f"no dtype {dtype}")
    if (
        not 0 <= transform < WIF_PUBLIC_TRANSFORMS
        or kernels.draw_rows[transform][dtype] == NULL
    ):
        raise ValueError(f"no kernel {transform} of {DTYPES[dtype]}")
    count = wif_parameter_count(transform)
    if len(params) != count:
        raise ValueError(f"{count} parameters are needed, not {params!r}")
    for k in range(count):
        parameters[k] = params[k]
    status = wif_prepare(<wif_transform>transform, <wif_type>dtype, parameters, draw)
    if status != WIF_PARAMS_OK:
        name = DTYPES[dtype]
        names = wif_parameter_names(transform).decode().split()
        shown = ", ".join(f"{n}={v!r}" for n, v in zip(names, params))
        if status == WIF_PARAMS_OVERFLOW:
            raise ValueError(f"{shown} overflows {name}")
        raise ValueError(f"no {name} value lies inside: {shown}")
    return 0


def check(int transform, int dtype, tuple params):
    """Raise the exception that fill() would raise for these parameters, if any."""
    cdef wif_draw draw
    prepare(wif_kernels_in_use(), transform, dtype, params, &draw)


def narrow(object source, object buffer, int dtype):
    """Round float32 numbers, none of them NaN, to a narrower type; write their bits to buffer."""
    cdef Py_buffer src, dst
    cdef Py_ssize_t count
    cdef wif_fpstate callers
    cdef const wif_kernels *kernels = wif_kernels_in_use()
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
                callers = wif_fp_enter()
                kernels.narrow[dtype](dst.buf, <const float *>src.buf, <size_t>count)
                wif_fp_leave(callers)
        finally:
            PyBuffer_Release(&dst)
    finally:
        PyBuffer_Release(&src)


cdef Py_ssize_t read_ids(object ids, const int64_t **out) except -1:
    """Return how many ids there are; store where.  The array keeps its memory while it lives."""
    cdef Py_buffer view
    PyObject_GetBuffer(ids, &view, PyBUF_C_CONTIGUOUS)
    out[0], count = <const int64_t *>view.buf, view.len // <Py_ssize_t>sizeof(int64_t)
    is_list = view.ndim == 1 and view.itemsize == sizeof(int64_t)
    PyBuffer_Release(&view)
    if not is_list:
        raise ValueError("ids must be a 1-D array of int64")
    return count


cdef int64_t read_plan(
    const Py_buffer *view, int transform, int dtype, tuple params, uint64_t first, object axes,
    Py_ssize_t start, const int64_t *ids, Py_ssize_t id_count, wif_plan *plan, wif_axis *axis,
    int *count,
) except -1:
    """Make the plan of a fill, and its axes; return how many elements the buffer has.

    The arguments are those of fill(), but ids is NULL where there are none.  This function refuses
    whatever is wrong with them.  The plan still lacks the key and the stream, and is not cut: see
    cut_plan().
    """
    cdef int64_t total
    cdef uint64_t last_element = <uint64_t>INT64_MAX if dtype == WIF_f64 else UINT64_MAX
    cdef const wif_kernels *kernels = wif_kernels_in_use()
    count[0] = 0
    prepare(kernels, transform, dtype, params, &plan.draw)
    if view.itemsize != <Py_ssize_t>wif_type_bytes(dtype):
        raise ValueError(f"items of {view.itemsize} bytes for {DTYPES[dtype]}")
    total = view.len // view.itemsize
    if total == 0:
        check_ids(ids, id_count, INT64_MAX)
        return 0
    if axes is None:
        if ids != NULL:
            raise ValueError("ids need axes")
        if not PyBuffer_IsContiguous(view, b"C"):
            raise ValueError("axes are needed for a buffer that is not C-contiguous")
        axis[0].n = total
        axis[0].stream_step = 1
        axis[0].dst_step = view.itemsize
        axis[0].ids = NULL
        count[0] = 1
        start = 0
        if first > last_element or last_element - first < <uint64_t>total - 1:
            raise ValueError(f"element {first} + {total - 1} is beyond the end of the stream")
    else:
        count[0] = read_axes(
            axes, view, start, first, last_element, axis, ids, id_count
        )
    plan.dst = <char *>view.buf + start
    plan.first = first
    wif_plan_choose_kernels(plan, kernels, <wif_type>dtype, total)
    return total


cdef void cut_plan(
    wif_plan *plan, const wif_axis *axis, int count, int64_t total, Py_ssize_t nbytes, int threads,
    bint fresh,
) noexcept:
    """Cut a plan that read_plan() has made into tasks.

    That many threads fill ``total`` elements, those of this plan and of what runs after it, and
    ``nbytes`` bytes in all.  The axes must stay where they are for as long as the plan is used.
    """
    plan.direct_items = wif_plan_direct_items(plan.itemsize, total, threads, fresh)
    plan.nontemporal = not fresh and <size_t>nbytes >= wif_nontemporal_from()
    wif_plan_cut(plan, axis, count)


cpdef object fill(
    object buffer, int transform, int dtype, tuple params, object rng, object stream,
    uint64_t first, object axes, object threads, bint fresh=False, Py_ssize_t start=0,
    object ids=None,
):
    """Fill a buffer with the elements of a stream.

    Parameters
    ----------
    buffer : object with a writable buffer
        Its items have the dtype's size; for WORDS they are 32-bit words.
    transform, dtype : int
        WORDS, CONSTANT, UNIFORM, NORMAL or TRUNCATED, and an index into DTYPES (0 for WORDS).
    params : tuple of float
        The parameters of the transform (host/params.h): (), (value,), (low, high) or (mean, std);
        for TRUNCATED ten numbers.
    rng, stream
        Whatever the public functions take.  They are read after everything that can be refused has
        been checked, since reading a Generator advances it.  CONSTANT does not read them.
    first : int
        Number of the element at the beginning of the region, in the stream.
    axes : list of (n, stream_step, dst_step) or None
        The region, outermost axis first.  stream_step counts elements of the stream and is not
        negative; dst_step counts bytes of the buffer.  None means the whole of a C-contiguous
        buffer, in order.
    threads : int or None
        The most threads that may run.  None means as many as are worth waking for this size, within
        the limits of this process (_resolve/threads.py).
    fresh : bool
        Whether the memory has not been touched yet, so that its pages are made during the fill.
    start : int
        Byte offset from the buffer's first element to the beginning of the region.
    ids : int64 array or None
        Rows by id: position k of the first axis is ids[k] steps through the stream, and k steps
        through the buffer.  Nobody may change the array during the fill.
    """
    cdef Py_buffer view
    cdef const int64_t *id_list = NULL
    cdef Py_ssize_t id_count = 0
    if ids is not None:
        id_count = read_ids(ids, &id_list)
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
    try:
        fill_view(
            &view, buffer, transform, dtype, params, rng, stream, first, axes, threads, fresh,
            start, id_list, id_count,
        )
    finally:
        PyBuffer_Release(&view)


cdef int fill_view(
    const Py_buffer *view, object buffer, int transform, int dtype, tuple params, object rng,
    object stream, uint64_t first, object axes, object threads, bint fresh, Py_ssize_t start,
    const int64_t *ids, Py_ssize_t id_count,
) except -1:
    """Fill what a view shows.

    The other arguments are those of fill(), but ids is NULL where there are none, and ``buffer`` is
    None where nothing can pin the memory.
    """
    cdef wif_plan plan
    cdef wif_queue queue
    cdef wif_axis axis[WIF_MAX_AXES]
    cdef int count = 0, most = 1 if threads is None else threads
    cdef int64_t total
    cdef object _pinned, _waited  # what pins the buffer has to live until the end of the fill
    if most < 1:
        raise ValueError(f"threads must be at least 1, not {most}")
    total = read_plan(
        view, transform, dtype, params, first, axes, start, ids, id_count, &plan, axis, &count,
    )
    _pinned = pin(buffer) if total >= RELEASE_GIL_ITEMS or FREE_THREADED else None
    # A constant needs no words.  Its kernels contain the generator all the same, which the
    # compiler removes only from -O2 on; key and stream are 0, so that no garbage is read there.
    if transform == WIF_constant:
        plan.draw.key_low = plan.draw.key_high = plan.draw.stream = 0
    else:
        _waited = read_key_and_stream(rng, stream, buffer, &plan.draw)
    if total == 0:
        return 0
    if threads is None and total >= RELEASE_GIL_ITEMS:
        most = thread_count(None, total)
    if fresh and axes is None and view.len >= WIF_HUGE_PAGES_BYTES:
        wif_advise_huge_pages(view.buf, view.len)
    cut_plan(&plan, axis, count, total, view.len, most, fresh)
    queue = wif_queue_of(&plan, 1, WIF_CHUNK_WORK)
    if run(&queue, total, most):
        raise_pending()
    return 0


include "target.pxi"
include "queue.pxi"
include "torch.pxi"
include "orthogonal.pxi"


for _value in list(globals().values()):
    if type(_value) is type(fill):
        keep_forever(_value)
del _value
keep_forever(WHOLE)
keep_forever(Target)
keep_forever(Queue)
