"""StoredTensor: where a file holds a tensor; and the checks that every format shares."""

import os
import stat
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from ..._resolve.messages import shown

__all__ = [
    "BITS",
    "FormatError",
    "StoredTensor",
    "check_name",
    "check_shape",
    "is_lacking",
    "nbytes_of",
    "open_regular",
    "refuse",
]

#: The most axes of a tensor: those that NumPy has.
_MOST_AXES = 64

#: Name of an element's type -> its size in bits. The names are those of NumPy and ml_dtypes.
#: "void16" and "void8" are what NumPy writes for types that it lacks, such as bfloat16.
BITS = {
    "bool": 8,
    **{f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": bits for bits in (16, 32, 64)},
    "bfloat16": 16,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "float8_e4m3fnuz": 8,
    "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8,
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
    "float4_e2m1fn": 4,
    "complex64": 64,
    "complex128": 128,
    "void8": 8,
    "void16": 16,
}

#: Verbs with which a fault of a whole file begins.
_VERBS = {"is", "has", "became", "ends", "says", "names", "does"}


def is_lacking(dtype: str) -> bool:
    """Return whether NumPy lacks a type, so that .npy files hold its bits as unsigned integers."""
    return dtype.startswith(("bfloat", "float8"))


class FormatError(ValueError):
    """A file is not what its format demands. The message names the file and the fault.

    Examples
    --------
    >>> import tempfile
    >>> import weightinit_fast as wi
    >>> with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    ...     try:
    ...         wi.inspect(file.name)
    ...     except wi.FormatError as error:
    ...         print(str(error).partition("' ")[2])
    is empty
    """


class StoredTensor(NamedTuple):
    """Where a file holds the elements of a tensor, and how they are encoded.

    Attributes
    ----------
    name : str
        The name of the tensor. A ``.npy`` file has none; the tensor then has the name of the file
        without its suffix.
    file : Path
        The file that holds the elements.
    dtype : str
        A key of ``BITS``: the name by which NumPy or ml_dtypes know the type.
    shape : tuple of int
    begin : int
        The offset of the first element in bytes: from the beginning of the file, or, where
        ``member`` is not None, from the beginning of that member once it is decompressed.
    nbytes : int
        The size of all elements.
    big_endian : bool
        Whether the most significant byte of an element is stored first.
    fortran_order : bool
        Whether the first axis varies fastest, instead of the last one.
    member : str or None
        The name of a compressed entry of a ``.npz`` file.
    """

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    nbytes: int
    big_endian: bool = False
    fortran_order: bool = False
    member: str | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)


def refuse(path: Path, fault: str) -> NoReturn:
    """Raise the FormatError of a fault in a file.

    A fault that begins with a verb has the file as its subject; all others have their own.
    """
    colon = "" if fault.split(maxsplit=1)[0] in _VERBS else ":"
    raise FormatError(f"{shown(str(path))}{colon} {fault}")


def open_regular(path: Path) -> tuple[BinaryIO, int]:
    """Open a file for reading; return it with its size.

    A named pipe or a device is refused before it is opened, since that could block forever.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        refuse(path, "is not a regular file")
    if not about.st_size:
        refuse(path, "is empty")
    file = open(path, "rb")  # noqa: SIM115  the caller closes it
    return file, os.fstat(file.fileno()).st_size


def check_name(path: Path, name: str) -> str:
    """Return a tensor's name, unless it cannot be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        refuse(path, f"the name {shown(name)} has a lone surrogate, which is no character")
    return name


def check_shape(path: Path, name: str, shape: object) -> tuple[int, ...]:
    """Return a shape, which came as a list or tuple of anything."""
    if not isinstance(shape, list | tuple):
        refuse(path, f"the shape of {shown(name)} is {shown(shape)}, not a list of sizes")
    if len(shape) > _MOST_AXES:
        refuse(path, f"{shown(name)} has {len(shape)} axes; {_MOST_AXES} are the most")
    for size in shape:
        # True is an int, too.
        if type(size) is not int or not 0 <= size < 1 << 63:
            refuse(path, f"the shape of {shown(name)} has the size {shown(size)}")
    return tuple(shape)


def nbytes_of(path: Path, name: str, dtype: str, shape: tuple[int, ...]) -> int:
    """Return the size of a tensor in bytes. Python's ints do not overflow."""
    bits = prod(shape) * BITS[dtype]
    if bits % 8:
        refuse(path, f"{shown(name)} ends within a byte: shape {shown(shape)} of {dtype}")
    return bits // 8
