# The memory of an object that speaks DLPack.  It is read here and not by numpy.from_dlpack, which
# has no copy= in NumPy 2.0, returns a read-only array in 2.1 and 2.2, and raises other exceptions
# in 2.5 than in 2.4.  It has no bfloat16 and no float8 either.
#
# The structures are those of DLPack 1.1 (dlpack.h of github.com/dmlc/dlpack).
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_SetName
from cpython.buffer cimport PyBUF_FORMAT


ctypedef struct dl_device:
    int32_t kind, number


ctypedef struct dl_type:
    uint8_t code, bits
    uint16_t lanes


ctypedef struct dl_tensor:
    void *data
    dl_device device
    int32_t ndim
    dl_type dtype
    int64_t *shape  # in elements, as the strides
    int64_t *strides  # NULL: C order
    uint64_t byte_offset


ctypedef struct dl_managed:  # before version 1.0
    dl_tensor tensor
    void *context
    void (*deleter)(dl_managed *self) noexcept


ctypedef struct dl_versioned:
    uint32_t major, minor
    void *context
    void (*deleter)(dl_versioned *self) noexcept
    uint64_t flags
    dl_tensor tensor


cdef enum:
    DL_READ_ONLY = 1  # flags
    DL_IS_COPY = 2
    DL_MAX_NDIM = 64  # NumPy's own limit

# Devices whose memory the CPU writes: its own, and that pinned or managed by CUDA or ROCm.
cdef frozenset HOST_DEVICES = frozenset((1, 3, 11, 13))
# (code, bits) -> (format of the buffer protocol, name of a type that NumPy lacks).
cdef dict DL_TYPES = {
    (0, 8): (b"b", None), (0, 16): (b"h", None), (0, 32): (b"i", None), (0, 64): (b"q", None),
    (1, 8): (b"B", None), (1, 16): (b"H", None), (1, 32): (b"I", None), (1, 64): (b"Q", None),
    (2, 16): (b"e", None), (2, 32): (b"f", None), (2, 64): (b"d", None),
    (4, 16): (b"H", "bfloat16"), (10, 8): (b"B", "float8_e4m3fn"), (12, 8): (b"B", "float8_e5m2"),
}
# Codes of elements that are never filled -> what they are.
cdef dict DL_OTHERS = {5: "complex numbers", 6: "bools"}


cdef class ForeignMemory:
    """Memory of another library, by the buffer protocol; given back when nobody views it any more.

    The bounds are judged with Python integers: nothing can overflow before it has been refused.
    """

    cdef dl_managed *managed
    cdef dl_versioned *versioned
    cdef char *data
    cdef int ndim
    cdef Py_ssize_t itemsize, nbytes
    cdef Py_ssize_t shape[DL_MAX_NDIM]
    cdef Py_ssize_t strides[DL_MAX_NDIM]
    cdef bytes form
    cdef bint readonly

    def __dealloc__(self):
        if self.versioned != NULL and self.versioned.deleter != NULL:
            self.versioned.deleter(self.versioned)
        if self.managed != NULL and self.managed.deleter != NULL:
            self.managed.deleter(self.managed)

    cdef take(self, object capsule):
        """Become the owner of what a capsule holds; return the name of a type that NumPy lacks."""
        cdef dl_tensor *tensor
        if PyCapsule_IsValid(capsule, b"dltensor_versioned"):
            self.versioned = <dl_versioned *>PyCapsule_GetPointer(capsule, b"dltensor_versioned")
            PyCapsule_SetName(capsule, b"used_dltensor_versioned")
            if self.versioned.major != 1:
                raise BufferError(f"its DLPack has the version {self.versioned.major}, not 1")
            if self.versioned.flags & DL_IS_COPY:
                raise BufferError("it lends a copy of its memory")
            self.readonly = self.versioned.flags & DL_READ_ONLY
            tensor = &self.versioned.tensor
        elif PyCapsule_IsValid(capsule, b"dltensor"):
            self.managed = <dl_managed *>PyCapsule_GetPointer(capsule, b"dltensor")
            PyCapsule_SetName(capsule, b"used_dltensor")
            tensor = &self.managed.tensor
        else:
            raise BufferError("its __dlpack__ returned no DLPack capsule")
        check_host(tensor.device.kind)
        code, bits = tensor.dtype.code, tensor.dtype.bits
        if tensor.dtype.lanes != 1 or (code, bits) not in DL_TYPES:
            found = DL_OTHERS.get(code, f"of DLPack's type ({code}, {tensor.dtype.lanes} lanes)")
            raise TypeError(
                f"its elements are {found} of {bits} bits; the types that are filled are "
                f"{', '.join(DTYPES)}"
            )
        self.form, name = DL_TYPES[code, bits]
        self.itemsize = bits // 8
        if not 0 <= tensor.ndim <= DL_MAX_NDIM:
            raise ValueError(f"it has ndim {tensor.ndim}")
        self.ndim = tensor.ndim
        items = 1
        for k in range(self.ndim):
            n = tensor.shape[k]
            if n < 0:
                raise ValueError(f"it has an axis of length {n}")
            self.shape[k] = n
            items *= n
        step, reach = self.itemsize, 0
        for k in range(self.ndim - 1, -1, -1):
            if tensor.strides != NULL and items:
                step = <object>tensor.strides[k] * self.itemsize
            reach += abs(step) * max(0, <object>self.shape[k] - 1)
            if reach > INT64_MAX or abs(step) > INT64_MAX:
                raise ValueError("its shape and strides reach beyond any memory")
            self.strides[k] = step
            if items:
                step *= self.shape[k]
        if items * self.itemsize > INT64_MAX:
            raise ValueError("its shape reaches beyond any memory")
        self.nbytes = items * self.itemsize
        if items and tensor.data == NULL:
            raise ValueError("it has no memory")
        self.data = <char *>tensor.data + tensor.byte_offset
        return name

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if flags & PyBUF_STRIDES != PyBUF_STRIDES or (flags & PyBUF_WRITABLE and self.readonly):
            raise BufferError("only strided views of this memory can be lent")
        buffer.buf = self.data
        buffer.obj = self
        buffer.len = self.nbytes
        buffer.readonly = self.readonly
        buffer.itemsize = self.itemsize
        buffer.format = <char *>self.form if flags & PyBUF_FORMAT else NULL
        buffer.ndim = self.ndim
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef int check_host(object kind) except -1:
    if kind not in HOST_DEVICES:
        raise TypeError(
            f"its memory is on a device (DLPack kind {kind}): it must be the CPU's. Draw into CPU "
            "memory, and copy"
        )
    return 0


def dlpack_memory(object out):
    """Return the memory of a DLPack object, and the name of its type if NumPy lacks that.

    The memory has the buffer protocol; bfloat16 and float8 look like unsigned integers there.
    """
    cdef ForeignMemory memory = ForeignMemory()
    check_host(out.__dlpack_device__()[0])
    try:
        capsule = out.__dlpack__(max_version=(1, 0), copy=False)
    except TypeError:  # a producer older than DLPack 1.0 has no arguments
        capsule = out.__dlpack__()
    return memory, memory.take(capsule)
