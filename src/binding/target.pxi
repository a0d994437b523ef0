# Where a fill goes: what shape, dtype, out and index came to, ready for the engine.
#
# A class of the extension, as a small fill takes about as long as making a Python object of eleven
# fields (0.4 us).  weightinit_fast/_resolve/target.py makes every Target but the plain one.

cdef dict plain_kinds = {}  # dtype -> kind, of NumPy's types in native byte order
cdef object default_dtype = None, default_kind = None  # float32, which most arrays have
cdef object thread_count = None
cdef object interval = None


def register_target(dict kinds, object count, object interval_of):
    """Set which dtypes an array may have to be filled as it is, and what judges threads=.

    ``interval_of(lower, upper, word_bits)`` returns the probabilities of a truncated normal.
    """
    global plain_kinds, thread_count, interval, default_kind, default_dtype
    plain_kinds, thread_count, interval = kinds, count, interval_of
    default_dtype, default_kind = next(iter(kinds.items()))


cdef class Target:
    """An array, and what of the global tensor it holds: everything that a fill needs to know.

    Attributes
    ----------
    array : ndarray
        The memory to fill, of the kind's storage type in native byte order.
    kind : Kind
        The type of the values.
    region : (axes, first, start)
        What of the stream the array holds; see ``_resolve/index.py``.
    whole : tuple of int
        The global shape.
    part : Part or None
        The part of the global tensor that the array holds; None stands for the whole.
    fresh : bool
        Whether the memory is new, so that its pages are still to be made.
    zeroed : bool
        Whether the memory is new and holds zeros.
    result : object
        What the caller gets.
    swapped : bool
        Whether the result has the other byte order.
    scalar : bool
        Whether the caller gets the only element of the result, as NumPy's index would return it.
    pinned : object
        Keeps the memory of out in place while arguments are read and values are written.
    """

    cdef readonly object array, kind, region, whole, part, result, pinned
    cdef readonly bint fresh, zeroed, swapped, scalar
    cdef int code

    def __init__(
        self, array, kind, region, whole, part, bint fresh, bint zeroed, result, bint swapped,
        bint scalar, pinned,
    ):
        self.array, self.kind, self.region, self.whole = array, kind, region, whole
        self.part, self.result, self.pinned = part, result, pinned
        self.fresh, self.zeroed, self.swapped, self.scalar = fresh, zeroed, swapped, scalar
        self.code = kind.code

    def draw(self, int transform, tuple params, object rng, object stream, object threads):
        """Fill the array with a transform of a stream; return what the caller gets.

        A Generator advances once everything else has been found right.
        """
        self.write(transform, params, rng, stream, threads)
        return self.finish() if self.swapped or self.scalar else self.result

    def write(self, int transform, tuple params, object rng, object stream, object threads):
        """Fill the array; what is returned to the caller may still have to be finished."""
        cdef object _pinned
        if transform == WIF_truncated:
            params += interval(params[2], params[3], self.kind.word_bits)
        if threads is not None:
            _pinned = pin(self.array)  # until the end: threads may be an object that calls back
            threads = thread_count(threads, self.array.size)
        axes, first, start = self.region
        fill(
            self.array, transform, self.code, params, rng, stream, first, axes, threads, self.fresh,
            start,
        )

    def finish(self):
        """Return what the caller gets, once every element is written."""
        if self.swapped:
            self.array.byteswap(inplace=True)
        return self.result[()] if self.scalar else self.result


def address(object buffer):
    """Return where the memory of a buffer begins (ndarray.ctypes imports a module to tell)."""
    cdef Py_buffer view
    PyObject_GetBuffer(buffer, &view, PyBUF_STRIDES)
    start = <uintptr_t>view.buf
    PyBuffer_Release(&view)
    return start


cdef tuple WHOLE = (None, 0, 0)


def plain_target(object array, object result):
    """Return the Target of an array that is filled as it is, whole; None for every other array.

    Such an array is C-contiguous, aligned and writable, of one of NumPy's types in native byte
    order. The result is what the caller gets.
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
