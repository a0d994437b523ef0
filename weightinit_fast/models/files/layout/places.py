"""Places: the files of a layout, and the bytes of each tensor in them."""

import hashlib
import json
from typing import NamedTuple

from ...._resolve.dtypes import Kind, kind_named

__all__ = ["Entry", "FileLayout", "Layout", "Tensor", "limit_files", "text_file"]

#: The most files of a layout. One of 10 TB has 80,000 chunks of the usual size.
MOST_FILES = 1_000_000


class Entry(NamedTuple):
    """Where a file holds a tensor.

    Attributes
    ----------
    name : str
        The name of the tensor, which is its stream as well.
    dtype : str
        A full name such as ``"bfloat16"``. A .npy file stores the types that NumPy lacks as
        unsigned integers of the same width, but this is the name of the type that is drawn.
    shape : tuple of int
    begin : int
        The offset of its first byte from the beginning of the file. It is a multiple of the size of
        an element.
    nbytes : int
        Its elements follow each other in C order, and are little-endian.
    first : int
        The number of the tensor's element that the first byte belongs to. It is 0 unless the
        tensor is cut into several files.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    nbytes: int
    first: int = 0

    @property
    def kind(self) -> Kind:
        """The type of the elements, as the engine knows it."""
        return kind_named(self.dtype)


class FileLayout(NamedTuple):
    """A file: a header, then the tensors, without holes between them, and then zeros, if any.

    Attributes
    ----------
    name : str
        The name of the file within the folder of the layout; ``""`` if the layout is one file.
    header : bytes
        The bytes from the beginning of the file to its first tensor. An index is all header.
    entries : tuple of Entry
        The tensors, in the order of their offsets.
    nbytes : int
        The size of the file.
    """

    name: str
    header: bytes
    entries: tuple[Entry, ...]
    nbytes: int


class Layout(NamedTuple):
    """The files of a model.

    Attributes
    ----------
    format : str
        ``"safetensors"``, ``"npy"`` or ``"zarr"``.
    folder : bool
        Whether the path becomes a folder that holds the files, or is the one file itself.
    files : tuple of FileLayout
        The files with tensors come first; an index is the last one.
    """

    format: str
    folder: bool
    files: tuple[FileLayout, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of all files together."""
        return sum(file.nbytes for file in self.files)

    def digest(self) -> str:
        """Return a SHA-256 of the layout, in hexadecimal digits.

        Two layouts with one digest have the same bytes outside the tensors, and the same tensors at
        the same places.
        """
        total = hashlib.sha256(f"{self.format} {self.folder} {len(self.files)}\n".encode())
        for file in self.files:
            places = [list(entry) for entry in file.entries]
            text = json.dumps([file.name, len(file.header), places, file.nbytes])
            total.update(text.encode() + b"\n" + file.header)
        return total.hexdigest()


class Tensor(NamedTuple):
    """A tensor that has no place yet."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int

    def at(self, begin: int) -> Entry:
        """Return the entry of the whole tensor at that offset of a file."""
        return Entry(self.name, self.dtype, self.shape, begin, self.nbytes)


def limit_files(count: int) -> None:
    """Refuse a layout of more files than a folder can reasonably hold, before it is made."""
    if count > MOST_FILES:
        raise ValueError(
            f"the model would become {count:,} files, and {MOST_FILES:,} are the most: raise "
            "max_shard_bytes, or write a .safetensors file"
        )


def text_file(name: str, text: str) -> FileLayout:
    """Return a file that holds no tensor."""
    content = text.encode()
    return FileLayout(name, content, (), len(content))
