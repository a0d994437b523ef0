"""DLPack exporters of our own making, down to the structures that they hand over."""

import ctypes

import numpy as np


class Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("id", ctypes.c_int))


class DType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class Tensor(ctypes.Structure):
    _fields_ = (
        *(("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int), ("dtype", DType)),
        *((name, ctypes.POINTER(ctypes.c_int64)) for name in ("shape", "strides")),
        ("offset", ctypes.c_uint64),
    )


class Managed(ctypes.Structure):
    """DLManagedTensor, as it was before DLPack 1.0."""

    _fields_ = (*(("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)),)


class Versioned(ctypes.Structure):
    """DLManagedTensorVersioned of DLPack 1.0."""

    _fields_ = (
        *(("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p)),
        *(("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor)),
    )


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
#: What was handed over has to outlive its exporter, and a consumer may hold it for any time.
_HANDED_OVER = []


class Exporter:
    """An object that exports what it is given by DLPack, true or not, and counts its releases."""

    def __init__(self, data, shape, strides=None, *, kind=1, dtype=(2, 32, 1), **other):
        self.shape = (ctypes.c_int64 * len(shape))(*shape)
        self.strides = strides and (ctypes.c_int64 * len(shape))(*strides)
        dense = np.cumprod([1, *shape[:0:-1]])[::-1] if strides is None else ()
        self.strides = self.strides or (ctypes.c_int64 * len(shape))(*map(int, dense))
        self.kind, ndim = kind, other.get("ndim", len(shape))
        tensor = Tensor(data, Device(kind, 0), ndim, DType(*dtype), self.shape, self.strides)
        tensor.offset = other.get("offset", 0)
        if other.get("no_lengths"):
            tensor.shape = None
        self.released = 0
        _HANDED_OVER.append(self)
        self.deleter = DELETER(self._release)
        deleter = ctypes.cast(self.deleter, ctypes.c_void_p)
        if other.get("versioned", True):
            self.name = b"dltensor_versioned"
            version = other.get("major", 1)
            self.managed = Versioned(version, 0, None, deleter, other.get("flags", 0), tensor)
        else:
            self.name, self.managed = b"dltensor", Managed(tensor, None, deleter)

    def _release(self, _):
        self.released += 1

    def __dlpack_device__(self):
        return self.kind, 0

    def __dlpack__(self, **_):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.managed), self.name, None)


class OldExporter(Exporter):
    """An exporter from before DLPack 1.0, whose __dlpack__ takes no keyword but stream."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs | {"versioned": False})

    def __dlpack__(self, stream=None):
        return super().__dlpack__()
