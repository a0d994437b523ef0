# The memory of an object that supports DLPack.  This file reads DLPack's capsules itself and does
# not call numpy.from_dlpack, because that function has no copy= in NumPy 2.0, returns a read-only
# array in 2.1 and 2.2, and raises other exceptions in 2.5 than in 2.4.  NumPy also refuses bfloat16
# and float8.
#
# The structures below are those of DLPack 1.1 (dlpack.h of github.com/dmlc/dlpack).
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_SetName
from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS, PyBUF_FORMAT, PyBUF_F_CONTIGUOUS


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
    int64_t *shape
    int64_t *strides  # in elements, not bytes; NULL means C order
    uint64_t byte_offset


ctypedef struct dl_managed:  # what a capsule held before DLPack 1.0
    dl_tensor tensor
    void *context
    void (*deleter)(dl_managed *self) noexcept


ctypedef struct dl_versioned:  # what a capsule holds from DLPack 1.0 on
    uint32_t major, minor
    void *context
    void (*deleter)(dl_versioned *self) noexcept
    uint64_t flags
    dl_tensor tensor


cdef enum:
    DL_READ_ONLY = 1  # these two are bits of dl_versioned.flags
    DL_IS_COPY = 2
    DL_MAX_NDIM = 64  # NumPy's own limit

# Devices whose memory the CPU can write: its own memory (1), memory that CUDA (3) or ROCm (11) has
# pinned, and memory that CUDA manages (13).
cdef frozenset HOST_DEVICES = frozenset((1, 3, 11, 13))
# DLPack's type, as (code, bits) -> (its format in the buffer protocol; the name of the type if
# NumPy lacks it, else None).
cdef dict DL_TYPES = {
    (0, 8): (b"b", None), (0, 16): (b"h", None), (0, 32): (b"i", None), (0, 64): (b"q", None),
    (1, 8): (b"B", None), (1, 16): (b"H", None), (1, 32): (b"I", None), (1, 64): (b"Q", None),
    (2, 16): (b"e", None), (2, 32): (b"f", None), (2, 64): (b"d", None),
    (4, 16): (b"H", "bfloat16"), (10, 8): (b"B", "float8_e4m3fn"), (12, 8): (b"B", "float8_e5m2"),
}
# Codes of elements that are never filled -> what they are.
cdef dict DL_OTHERS = {5: "complex numbers", 6: "bools"}


cdef class ForeignMemory:
    """Memory of another library, taken from a DLPack capsule and shown by the buffer protocol.

    This object owns what the capsule held.  It calls the deleter, which gives the memory back,
    once: when the last view of the memory is gone.  It is also called if take() refuses the memory.

    Bounds are computed with Python integers, so that nothing can overflow before it is refused.
    """

    cdef dl_managed *managed
    cdef dl_versioned *versioned
    cdef char *data
    cdef int ndim
    cdef Py_ssize_t itemsize, nbytes
    cdef Py_ssize_t shape[DL_MAX_NDIM]
    cdef Py_ssize_t strides[DL_MAX_NDIM]
    cdef bytes form  # the format of an element in the buffer protocol
    cdef bint readonly

    def __dealloc__(self):
        if self.versioned != NULL and self.versioned.deleter != NULL:
            self.versioned.deleter(self.versioned)
        if self.managed != NULL and self.managed.deleter != NULL:
            self.managed.deleter(self.managed)

    cdef take(self, object capsule):
        """Become the owner of what a capsule holds; return the name of its type if NumPy lacks it.

        A capsule that is renamed to "used_..." no longer calls the deleter.  So the pointer is
        kept, for __dealloc__, only after that.
        """
        cdef dl_tensor *tensor
        cdef void *held
        if PyCapsule_IsValid(capsule, b"dltensor_versioned"):
            held = PyCapsule_GetPointer(capsule, b"dltensor_versioned")
            PyCapsule_SetName(capsule, b"used_dltensor_versioned")
            self.versioned = <dl_versioned *>held
            # In another major version only the deleter lies where it does in this one.
            if self.versioned.major != 1:
                raise BufferError(f"its DLPack has the version {self.versioned.major}, not 1")
            if self.versioned.flags & DL_IS_COPY:
                raise BufferError("it lends a copy of its memory")
            self.readonly = self.versioned.flags & DL_READ_ONLY
            tensor = &self.versioned.tensor
        elif PyCapsule_IsValid(capsule, b"dltensor"):
            held = PyCapsule_GetPointer(capsule, b"dltensor")
            PyCapsule_SetName(capsule, b"used_dltensor")
            self.managed = <dl_managed *>held
            tensor = &self.managed.tensor
        else:
            raise BufferError("its __dlpack__ returned no DLPack capsule, or a used one")
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
        if tensor.ndim and tensor.shape == NULL:
            raise ValueError("it has axes without lengths")
        self.ndim = tensor.ndim
        items = 1
        for k in range(self.ndim):
            n = tensor.shape[k]
            if n < 0:
                raise ValueError(f"it has an axis of length {n}")
            self.shape[k] = n
            items *= n
        # An array without elements gets the strides of C order, whatever its strides say.
        step, reach = self.itemsize, 0  # of this axis in bytes; of all axes so far
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
        cdef int contiguous = (
            (PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS) & ~PyBUF_STRIDES
        )
        if flags & PyBUF_STRIDES != PyBUF_STRIDES or flags & contiguous:
            raise BufferError("this memory can be viewed with strides of any kind only")
        if flags & PyBUF_WRITABLE and self.readonly:
            raise BufferError("this memory is read-only")
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
    """Refuse a kind of device whose memory the CPU cannot write."""
    if kind not in HOST_DEVICES:
        raise TypeError(
            f"its memory is on a device (DLPack kind {kind}), and must be the CPU's: draw into CPU "
            "memory, and copy that"
        )
    return 0


def dlpack_memory(object out):
    """Return the memory of a DLPack object, and the name of its type if NumPy lacks it, else None.

    The memory supports the buffer protocol, which shows bfloat16 and float8 as unsigned integers.
    """
    cdef ForeignMemory memory = ForeignMemory()
    # The capsule tells the device: __dlpack_device__ would take 1.2 us more of a torch tensor.
    try:
        capsule = out.__dlpack__(max_version=(1, 0), copy=False)
    except TypeError:  # the __dlpack__ of an object older than DLPack 1.0 has no such arguments
        capsule = out.__dlpack__()
    return memory, memory.take(capsule)
