"""The header of a .npy file, and the entries of a .npz file.

The header of a .npy file is written as a Python dict. It is parsed by a grammar of its own that
knows the three keys and nothing else. ``ast.literal_eval`` would do as well for honest files, but
Python warns that a long or deep text can make it exhaust memory or crash the interpreter.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from ..._resolve.messages import shown
from ..formats import LARGEST_HEADER
from .stored import (
    FormatError,
    StoredTensor,
    check_name,
    check_shape,
    nbytes_of,
    open_regular,
    refuse,
)

__all__ = ["ZIP_FAULTS", "open_member", "read_npy", "read_npz"]

_MAGIC = b"\x93NUMPY"
#: The most characters of a header, as in numpy.load.
_LONGEST_HEADER = 10_000
#: A letter of NumPy's and sizes in bytes -> our name of the type.
_DTYPES = {
    "b1": "bool",
    **{f"i{bits // 8}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits // 8}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"f{bits // 8}": f"float{bits}" for bits in (16, 32, 64)},
    "c8": "complex64",
    "c16": "complex128",
    "V1": "void8",
    "V2": "void16",
}
_TOKEN = re.compile(r"\s*(?:'([^'\\]*)'|\"([^\"\\]*)\"|(\d{1,20})L?(?!\w)|(True|False)|([{}(),:]))")

#: zlib's deflate makes at most this many bytes of one.
_LARGEST_RATIO = 1032
#: What the standard library raises for files that are not ZIP archives, or are damaged.
ZIP_FAULTS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    LookupError,
)


def read_npy(path: Path) -> dict[str, StoredTensor]:
    """Return the one tensor of a file, by the name of the file without its suffix."""
    name = check_name(path, path.stem)
    file, size = open_regular(path)
    with file:
        tensor, end = _read_header(path, name, file)
    if end != size:
        refuse(path, f"its header wants {end} bytes, but the file has {size}")
    return {name: tensor}


def _read_header(path: Path, name: str, file: IO[bytes]) -> tuple[StoredTensor, int]:
    """Read a header; return the tensor, and where its elements end."""
    lead = file.read(8)
    if len(lead) < 8 or lead[:6] != _MAGIC:
        refuse(path, f"{shown(name)} does not begin as a .npy file")
    version = (lead[6], lead[7])
    if version not in ((1, 0), (2, 0), (3, 0)):
        refuse(path, f"{shown(name)} has version {version[0]}.{version[1]} of the .npy format")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST_HEADER:
        refuse(
            path, f"the header of {shown(name)} has {length} bytes; {_LONGEST_HEADER} are the most"
        )
    raw = file.read(length)
    if len(raw) != length:
        refuse(path, f"ends within the header of {shown(name)}")
    try:
        text = raw.decode("utf-8" if version == (3, 0) else "latin-1")
    except UnicodeDecodeError:
        refuse(path, f"the header of {shown(name)} is not UTF-8")

    fields = _parsed(path, name, text)
    descr = fields["descr"]
    dtype = (
        _DTYPES.get(descr[1:]) if isinstance(descr, str) and descr[:1] in tuple("<>|=") else None
    )
    if isinstance(descr, str) and descr[1:2] == "O":
        refuse(path, f"{shown(name)} holds pickled Python objects, which are not read")
    if dtype is None:
        refuse(path, f"the dtype of {shown(name)} is {shown(descr)}, which is not one of numbers")
    if not isinstance(fields["fortran_order"], bool):
        refuse(path, f"the fortran_order of {shown(name)} is {shown(fields['fortran_order'])}")
    shape = check_shape(path, name, fields["shape"])
    begin, nbytes = 8 + width + length, nbytes_of(path, name, dtype, shape)
    tensor = StoredTensor(
        *(name, path, dtype, shape, begin, nbytes),
        big_endian=descr[0] == ">",
        # The order of a tensor with one axis is the same either way.
        fortran_order=fields["fortran_order"] and sum(size > 1 for size in shape) > 1,
    )
    return tensor, begin + nbytes


def _parsed(path: Path, name: str, text: str) -> dict[str, Any]:
    """Return the fields of a header: {'descr': '<f4', 'fortran_order': False, 'shape': (3,)}."""
    at, text = 0, text.rstrip(" \n\0")

    def take(expected: str = "") -> Any:
        nonlocal at
        match = _TOKEN.match(text, at)
        if match is None or (expected and match[5] != expected):
            refuse(path, f"the header of {shown(name)} is not understood at {shown(text[at:])}")
        at = match.end()
        single, double, digits, truth, sign = match.groups()
        if digits is not None:
            return int(digits)
        if truth is not None:
            return truth == "True"
        return _Sign(sign) if sign is not None else single if single is not None else double

    def sequence() -> tuple[int, ...]:
        sizes: list[int] = []
        while True:
            value = take()
            if value == _Sign(")"):
                return tuple(sizes)
            sizes.append(value)
            after = take()
            if after == _Sign(")"):
                return tuple(sizes)
            if after != _Sign(","):
                refuse(path, f"the shape of {shown(name)} is not a tuple")

    fields: dict[str, Any] = {}
    take("{")
    while (key := take()) != _Sign("}"):
        if not isinstance(key, str) or key in fields:
            refuse(path, f"the header of {shown(name)} has {shown(key)} where a new key must be")
        take(":")
        value = take()
        fields[key] = sequence() if value == _Sign("(") else value
        after = take()
        if after == _Sign("}"):
            break
        if after != _Sign(","):
            refuse(path, f"the header of {shown(name)} has no comma after {shown(key)}")
    if at != len(text) or fields.keys() != {"descr", "fortran_order", "shape"}:
        refuse(path, f"the header of {shown(name)} must have descr, fortran_order and shape alone")
    return fields


class _Sign(tuple[str]):
    """A bracket, comma or colon, which is not equal to a string of the same character."""

    def __new__(cls, character: str) -> "_Sign":
        return super().__new__(cls, (character,))


def read_npz(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file in the order of its entries."""
    found: dict[str, StoredTensor] = {}
    places: list[tuple[int, int]] = []
    with _archive(path) as (archive, file):
        for entry in archive.infolist():
            name = check_name(path, entry.filename.removesuffix(".npy"))
            if name == entry.filename:
                refuse(path, f"its entry {shown(name)} is not a .npy file")
            if name in found:
                refuse(path, f"has two entries {shown(name)}")
            if entry.flag_bits & 1:
                refuse(path, f"its entry {shown(name)} is encrypted")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                refuse(path, f"its entry {shown(name)} has compression {entry.compress_type}")
            compressed = entry.compress_type == zipfile.ZIP_DEFLATED
            if entry.file_size > (_LARGEST_RATIO if compressed else 1) * entry.compress_size + 64:
                refuse(path, f"its entry {shown(name)} cannot have {entry.file_size} bytes")
            begin = _begin_of(path, file, entry)
            places.append((begin, begin + entry.compress_size))
            with archive.open(entry) as member:
                tensor, end = _read_header(path, name, member)
            if end != entry.file_size:
                refuse(
                    path,
                    f"the header of {shown(name)} wants {end} bytes, but its entry has "
                    f"{entry.file_size}",
                )
            if compressed:
                tensor = tensor._replace(member=entry.filename)
            else:
                tensor = tensor._replace(begin=begin + tensor.begin)
            found[name] = tensor
    places.sort()
    for (_, end), (begin, _) in pairwise(places):
        if begin < end:
            # Entries that share bytes are how a small archive unfolds into a huge one.
            refuse(path, "has entries that overlap")
    return found


def _begin_of(path: Path, file: "_Bounded", entry: zipfile.ZipInfo) -> int:
    """Return where the bytes of an entry begin: after a header of its own, of variable length."""
    file.seek(entry.header_offset)
    local = file.read(30)
    if len(local) != 30 or local[:4] != b"PK\3\4":
        refuse(path, f"has no entry at byte {entry.header_offset}")
    name_length, extra_length = struct.unpack("<HH", local[26:30])
    begin = int(entry.header_offset) + 30 + int(name_length) + int(extra_length)
    if begin + entry.compress_size > file.size:
        refuse(path, f"ends within its entry {shown(entry.filename)}")
    return begin


class _OutsideError(OSError):
    """A place outside a file is asked for. ``zipfile`` expects an OSError where a file is short."""


class _Bounded:
    """A file whose reads are bounded: ``zipfile`` reads as many bytes as a directory claims."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file, self.size = open_regular(path)

    def read(self, count: int = -1) -> bytes:
        left = max(0, self.size - self.file.tell())
        count = left if count is None or count < 0 else min(count, left)
        if count > LARGEST_HEADER:
            refuse(self.path, f"its directory has {count} bytes; {LARGEST_HEADER} are the most")
        return self.file.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        place = offset + (0, self.file.tell(), self.size)[whence]
        if not 0 <= place <= self.size:
            raise _OutsideError(f"byte {shown(place)} of a file of {self.size}")
        return self.file.seek(place)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()


@contextmanager
def _archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, _Bounded]]:
    """Open a ZIP archive; FormatError is the only error of what it holds."""
    file = _Bounded(path)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive, file
    except FormatError:
        raise
    except (_OutsideError, *ZIP_FAULTS) as error:
        refuse(path, f"is not a .npz file that can be read: {shown(str(error))}")
    finally:
        file.close()


@contextmanager
def open_member(tensor: StoredTensor) -> Iterator[IO[bytes]]:
    """Open the compressed entry that holds a tensor, at the tensor's first element."""
    assert tensor.member is not None
    with _archive(tensor.file) as (archive, _), archive.open(tensor.member) as member:
        if len(member.read(tensor.begin)) != tensor.begin:
            refuse(tensor.file, f"ends within the header of {shown(tensor.name)}")
        yield member
