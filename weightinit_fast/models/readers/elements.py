"""The elements of a stored tensor, piece by piece: as they are stored, and as numbers."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from typing import IO, Any

import numpy as np

from ..._resolve.messages import shown
from .npy import ZIP_FAULTS, open_member
from .stored import BITS, StoredTensor, open_regular, refuse

__all__ = ["ElementReader", "as_numbers", "is_readable", "read_pieces"]

#: Type that NumPy lacks -> the type of the unsigned integers that hold it.
_STORAGE = {
    "bool": "u1",
    "bfloat16": "u2",
    "void16": "u2",
    "void8": "u1",
    **{name: "u1" for name in BITS if name.startswith("float8")},
}
#: Name of an 8-bit type -> bits of its exponent, bits of its mantissa, bias of its exponent.
_FLOAT8 = {
    "float8_e4m3fn": (4, 3, 7),
    "float8_e5m2": (5, 2, 15),
    "float8_e4m3fnuz": (4, 3, 8),
    "float8_e5m2fnuz": (5, 2, 16),
}
_UNREADABLE = {"float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "complex64", "complex128"}


def is_readable(dtype: str) -> bool:
    """Return whether elements of a type can be read as real numbers."""
    return dtype not in _UNREADABLE and not dtype.startswith("void")


def storage_of(tensor: StoredTensor) -> np.dtype[Any]:
    """Return the NumPy dtype of the elements as they are stored."""
    if BITS[tensor.dtype] < 8:
        raise TypeError(f"elements of {tensor.dtype}, which share bytes, are not read")
    dtype = np.dtype(_STORAGE.get(tensor.dtype, tensor.dtype))
    return dtype.newbyteorder(">" if tensor.big_endian else "<")


class ElementReader:
    """Reads elements of one tensor from its file, in the order in which they are stored.

    It is a context manager. Any range can be read. From a compressed entry of a .npz file a range
    before the last one read costs a new beginning.
    """

    def __init__(self, tensor: StoredTensor) -> None:
        self._tensor, self._storage = tensor, storage_of(tensor)
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self._at = 0  # the byte of the tensor that comes next

    def __enter__(self) -> "ElementReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._file = None

    def read(self, begin: int, count: int) -> np.ndarray:
        """Return ``count`` elements from element ``begin`` on, as they are stored."""
        tensor, itemsize = self._tensor, self._storage.itemsize
        if begin < 0 or count < 0 or (begin + count) * itemsize > tensor.nbytes:
            raise IndexError(f"elements {begin} to {begin + count} of {tensor.size}")
        values = np.empty(count, self._storage)
        if count:
            self._go_to(begin * itemsize)
            self._read_into(values.view(np.uint8).data)
        return values

    def _go_to(self, byte: int) -> None:
        if self._file is None or byte < self._at:
            self._stack.close()
            if self._tensor.member is None:
                self._file = self._stack.enter_context(open_regular(self._tensor.file)[0])
            else:
                self._file = self._stack.enter_context(open_member(self._tensor))
            self._at = 0
        if self._tensor.member is None:
            self._file.seek(self._tensor.begin + byte)
            self._at = byte
        while self._at < byte:
            self._read_into(memoryview(bytearray(min(byte - self._at, 1 << 20))))

    def _read_into(self, view: memoryview) -> None:
        assert self._file is not None
        done = 0
        try:
            while done < len(view):
                got = self._file.readinto(view[done:])  # type: ignore[attr-defined]
                if not got:
                    refuse(self._tensor.file, f"ends within {shown(self._tensor.name)}")
                done += got
        except ZIP_FAULTS as error:
            refuse(self._tensor.file, f"{shown(self._tensor.name)} is damaged: {shown(str(error))}")
        self._at += done


def read_pieces(tensor: StoredTensor, items: int) -> Iterator[np.ndarray]:
    """Yield the elements as they are stored and in their order, in arrays of at most ``items``."""
    with ElementReader(tensor) as reader:
        for begin in range(0, tensor.size, items):
            yield reader.read(begin, min(items, tensor.size - begin))


def as_numbers(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Return stored elements as numbers of a native NumPy type.

    bfloat16 and the 8-bit types become float32, which holds each of their values exactly.
    """
    if dtype == "bfloat16":
        values: np.ndarray = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values
    if dtype.startswith("float8"):
        decoded: np.ndarray = _table(dtype)[stored]
        return decoded
    if dtype == "bool":
        truths: np.ndarray = np.not_equal(stored, 0)
        return truths
    native: np.ndarray = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return native


@lru_cache(maxsize=len(BITS))
def _table(dtype: str) -> np.ndarray:
    """Return the value of each of the 256 codes of an 8-bit type, in float32."""
    codes = np.arange(256, dtype=np.int64)
    if dtype == "float8_e8m0fnu":
        powers = np.ldexp(1.0, codes - 127)
        powers[255] = np.nan
        return powers.astype(np.float32)
    exponent_bits, mantissa_bits, bias = _FLOAT8[dtype]
    negative = codes >= 128
    exponent = codes >> mantissa_bits & (1 << exponent_bits) - 1
    mantissa = codes & (1 << mantissa_bits) - 1
    normal = exponent > 0
    significand = np.where(normal, mantissa + (1 << mantissa_bits), mantissa)
    values = np.ldexp(significand.astype(float), np.maximum(exponent, 1) - bias - mantissa_bits)
    values[negative] *= -1
    if dtype.endswith("fnuz"):
        values[128] = np.nan  # what would be -0
    elif dtype == "float8_e4m3fn":
        values[[127, 255]] = np.nan  # no infinity
    else:
        last = exponent == (1 << exponent_bits) - 1
        values[last & (mantissa > 0)] = np.nan
        values[last & (mantissa == 0)] = np.where(negative, -np.inf, np.inf)[last & (mantissa == 0)]
    table: np.ndarray = values.astype(np.float32)
    return table
