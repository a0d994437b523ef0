# A Target says where a fill goes.  It is what the arguments shape, dtype, out, index and rows mean
# together, ready for the engine.
#
# Target is a class of the extension for speed: it takes 0.4 us to make a Python object of eleven
# fields, which is about as long as a small fill takes.  plain_target() below makes the Targets of
# plain arrays; weightinit_fast/_resolve/target.py makes all others.

# What register_target sets.
cdef dict plain_kinds = {}  # the dtypes that NumPy has, in native byte order -> their kinds
cdef object default_dtype = None, default_kind = None  # float32, which most arrays have
cdef object thread_count = None  # _resolve/threads.py
cdef object interval = None  # _resolve/truncation.py


def register_target(dict kinds, object count, object interval_of):
    """Set the tables and the functions of the Python modules that this file uses.

    ``kinds`` maps each dtype of which an array is filled as it is to its kind, float32 first.
    ``count(threads, items)`` returns how many threads fill that many elements, and refuses a bad
    ``threads``.  ``interval_of(lower, upper, word_bits)`` returns the probabilities that the engine
    needs for a truncated normal.
    """
    global plain_kinds, thread_count, interval, default_kind, default_dtype
    plain_kinds, thread_count, interval = kinds, count, interval_of
    default_dtype, default_kind = next(iter(kinds.items()))


cdef class Target:
    """An array to fill, and which elements of the global tensor it holds.

    Attributes
    ----------
    array : ndarray
        The memory to fill.  Its dtype is the kind's storage type, in native byte order.
    kind : Kind
        The type of the values; see ``_resolve/dtypes.py``.
    region : (axes, first, start)
        Which elements of the stream the array holds, and where; see ``_resolve/index.py``.
    whole : tuple of int
        The global shape.
    part : Part or None
        The part of the global tensor that the array holds; None stands for the whole.
    fresh : bool
        Whether the memory is new, so that the system makes its pages when they are first touched.
    zeroed : bool
        Whether the memory is new and holds zeros.
    result : object
        What the call returns (if ``scalar``, its only element): out itself or a new array.
    swapped : bool
        Whether the result has the byte order that is not native, so that finish() swaps the bytes.
    scalar : bool
        Whether the call returns the only element of the result, as NumPy's indexing would return
        it.
    pinned : object
        As long as it lives, the memory of out stays in place; see ``pin``.
    ids : ndarray or None
        Which rows of the global tensor the array holds, as an int64 array that only the Target has;
        the first axis of the region is that of the rows.  None stands for a part or the whole.
    """

    cdef readonly object array, kind, region, whole, part, result, pinned, ids
    cdef readonly bint fresh, zeroed, swapped, scalar
    cdef int code

    def __init__(
        self, array, kind, region, whole, part, bint fresh, bint zeroed, result, bint swapped,
        bint scalar, pinned, ids=None,
    ):
        self.array, self.kind, self.region, self.whole = array, kind, region, whole
        self.part, self.result, self.pinned, self.ids = part, result, pinned, ids
        self.fresh, self.zeroed, self.swapped, self.scalar = fresh, zeroed, swapped, scalar
        self.code = kind.code

    def draw(self, int transform, tuple params, object rng, object stream, object threads):
        """Fill the array with a transform of a stream; return what the call returns.

        A Generator in rng advances only after everything else has been found right.
        """
        self.write(transform, params, rng, stream, threads)
        return self.finish() if self.swapped or self.scalar else self.result

    def check(self, int transform, tuple params):
        """Raise the exception that draw() would raise for these parameters, if any."""
        if transform == WIF_truncated:
            params += interval(params[2], params[3], self.kind.word_bits)
        check(transform, self.code, params)

    def write(self, int transform, tuple params, object rng, object stream, object threads):
        """Fill the array.  The caller must call finish() after all elements have been written."""
        cdef object _pinned
        if transform == WIF_truncated:
            params += interval(params[2], params[3], self.kind.word_bits)
        if threads is not None:
            # To read threads may run other code, which must not move the memory before the fill
            # ends.
            _pinned = pin(self.array)
            threads = thread_count(threads, self.array.size)
        axes, first, start = self.region
        fill(
            self.array, transform, self.code, params, rng, stream, first, axes, threads, self.fresh,
            start, self.ids,
        )

    def finish(self):
        """Return what the call returns; call this after every element has been written."""
        if self.swapped:
            self.array.byteswap(inplace=True)
        return self.result[()] if self.scalar else self.result


def address(object buffer):
    """Return the address of a buffer's first element.

    The attribute ndarray.ctypes.data gives it too, but imports the module ctypes.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES)
    start = <uintptr_t>view.buf
    PyBuffer_Release(&view)
    return start


cdef tuple WHOLE = (None, 0, 0)


def plain_target(object array, object result):
    """Return the Target of a plain array; return None for every other one.

    A plain array is an ndarray (of no subclass) of one of NumPy's float types in native byte order,
    C-contiguous, aligned and writable.  It is filled whole.  The result is what the caller gets.
    """
    cdef Target target
    if type(array) is not ndarray:
        return None
    dtype = array.dtype
    kind = default_kind if dtype is default_dtype else plain_kinds.get(dtype)
    if kind is None or not array.flags.carray:
        return None
    target = Target.__new__(Target)
    target.array, target.result = array, result
    target.kind, target.region, target.whole = kind, WHOLE, array.shape
    target.code = kind.code
    return target


# ---- tensors that lend their memory --------------------------------------------------------------
#
# DLPack 1.2 has a table of functions by which a library lends a tensor's memory without making a
# capsule: 0.1 us where the capsule's way takes 3.

ctypedef struct dl_functions:
    uint32_t major, minor
    dl_functions *former
    void *make_tensor
    void *to_capsule
    void *from_capsule
    int (*lend)(void *tensor, dl_tensor *lent) noexcept
    void *stream


cdef dict lent_kinds = {}  # DLPack's type, as (code << 8) + bits -> kind; register_lent sets it

cdef extern from "shared.h" nogil:
    bint shared_find_class(PyObject *kind, void **functions)
    void shared_add_class(PyObject *kind, void *functions)


def register_lent(dict kinds):
    """Set which kind an element of DLPack's type (code << 8) + bits has."""
    global lent_kinds
    lent_kinds = kinds


cdef dl_functions *lending_functions(object kind) except? NULL:
    """Return the functions of a class of tensors; NULL where it has none of DLPack 1."""
    cdef void *found = NULL
    cdef dl_functions *functions = NULL
    if shared_find_class(<PyObject *>kind, &found):
        return <dl_functions *>found
    capsule = getattr(kind, "__dlpack_c_exchange_api__", None)
    if PyCapsule_IsValid(capsule, b"dlpack_exchange_api"):
        functions = <dl_functions *>PyCapsule_GetPointer(capsule, b"dlpack_exchange_api")
        if functions.major != 1:
            functions = NULL
    shared_add_class(<PyObject *>kind, functions)
    return functions


cdef object read_lent(object tensor, dl_tensor *lent, int64_t *items):
    """Read where a whole C-contiguous tensor lies in CPU memory, and how many elements it has.

    Return the kind of its elements, or None for every other tensor.  The tensor's class lends its
    memory by DLPack's table of functions.
    """
    cdef dl_functions *functions = lending_functions(type(tensor))
    cdef int64_t step = 1
    cdef int k
    if functions == NULL or functions.lend == NULL:
        return None
    memset(lent, 0, sizeof(dl_tensor))
    if functions.lend(<void *>tensor, lent):
        raise_pending()
    kind = lent_kinds.get((<int>lent.dtype.code << 8) + lent.dtype.bits)
    if kind is None or lent.device.kind != 1 or lent.dtype.lanes != 1:
        return None
    for k in range(lent.ndim - 1, -1, -1):
        if lent.strides != NULL and lent.shape[k] != 1 and lent.strides[k] != step:
            return None
        step *= lent.shape[k]
    items[0] = step
    return kind
