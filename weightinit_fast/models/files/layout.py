"""The layout of a model's files: which bytes of which file belong to which tensor.

A layout is a pure function of the tensors' names, shapes and dtypes, of the path's suffix and of
two options. So processes that never talk to each other agree on it, and each of them can write its
part of the bytes. No file is read or written here.

========================  =========================================================================
path                      what is written
========================  =========================================================================
``model.safetensors``     one file
``weights`` (no suffix)   a folder of Hugging Face shards with their index
``bias.npy``              one tensor: a file. Several tensors: a folder of that name, with one .npy
                          file for each tensor and ``tensors.json``, which says what is where
``bias.npy/``             a folder, also for one tensor
``model.zarr``            a folder: a group of Zarr version 3, whose chunks are files (zarr.py)
========================  =========================================================================
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, NamedTuple, TypeAlias

from ..._resolve.dtypes import Kind, kind_named, requested
from ..._resolve.messages import shown
from ..._resolve.shape import as_shape
from ..formats import INDEX_SUFFIX, LARGEST_HEADER, NPY_INDEX, SAFETENSORS_DTYPES
from ..messages import concerning

__all__ = ["DEFAULT_SHARD_BYTES", "Entry", "FileLayout", "Layout", "layout_of"]

StrPath: TypeAlias = str | os.PathLike[str]

#: What a shard of a folder holds at most, unless max_shard_bytes says otherwise. It is the default
#: of the huggingface_hub library.
DEFAULT_SHARD_BYTES = 5_000_000_000
#: The most files of a layout. One of 10 TB has 80,000 chunks of the usual size.
MOST_FILES = 1_000_000
#: Files and their sum have fewer bytes than this, so that every offset is a signed 64-bit integer.
_LIMIT = 1 << 63

#: Name of a dtype -> its name in safetensors.
_SAFETENSORS_NAMES = {dtype: name for name, dtype in SAFETENSORS_DTYPES.items()}
#: The order of tensors in a safetensors file: widest first, and types of one width in the order in
#: which the safetensors library sorts them.
_ORDER = ("float64", "float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")

#: The name of a Hugging Face index.
SHARD_INDEX = f"model{INDEX_SUFFIX}"


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


#: name -> (shape, dtype): a TensorSpec, or a pair with the same meaning.
Specs: TypeAlias = Mapping[str, tuple[tuple[int, ...], str | None]]


def layout_of(
    path: StrPath,
    shapes: Specs,
    dtype: Any = None,
    max_shard_bytes: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Layout:
    """Return the files that a model becomes, each with its header and the places of its tensors.

    Parameters
    ----------
    path : str or path
        Its suffix chooses the format. Nothing else of it counts, and the file need not exist.
    shapes : mapping
        Name -> (shape, dtype), such as `as_shapes` returns. A dtype of None means ``dtype``.
    dtype : str or dtype, optional
        The dtype of the tensors that have none of their own. The default is float32.
    max_shard_bytes : int, optional
        The most bytes of tensors that a shard of a folder holds. A tensor that is larger than this
        gets a shard of its own. The default is 5 GB (5 · 10^9). In Zarr, the most bytes of a chunk,
        of which a large tensor has many; the default is 128 MiB.
    metadata : dict of str, optional
        What the header of a safetensors file says about the file. The default is ``{"format":
        "pt"}``, which the transformers library asks for. An empty dict leaves it out. In Zarr, the
        attributes of the group, of which there are none by default.

    Returns
    -------
    Layout

    Raises
    ------
    ValueError, TypeError
        If the suffix is unknown, a name or a shape cannot be stored, the header would be too large,
        there would be more than a million files, or an option does not belong to the format.

    Notes
    -----
    A safetensors file has the same bytes as one that the safetensors library writes. Shards are cut
    as huggingface_hub cuts them: in the order of ``shapes``, a new shard begins when the next
    tensor would make this one too large. A folder with one shard is ``model.safetensors`` alone,
    without an index. A .npy file has the same bytes as one that `numpy.save` writes, where
    bfloat16 is stored as uint16 and the float8 types as uint8.

    Examples
    --------
    >>> layout = layout_of("tiny.safetensors", {"bias": ((3,), None), "w": ((2, 3), "float64")})
    >>> for entry in layout.files[0].entries:
    ...     print(entry.name, entry.dtype, entry.shape, entry.begin, entry.nbytes)
    w float64 (2, 3) 160 48
    bias float32 (3,) 208 12
    >>> shapes = {"a": ((4,), None), "b": ((4,), None), "c": ((4,), None)}
    >>> [file.name for file in layout_of("folder", shapes, max_shard_bytes=32).files]
    ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', \
'model.safetensors.index.json']
    """
    text = os.fspath(path)
    folder_asked = text.endswith(tuple(filter(None, (os.sep, os.altsep))))
    suffix = os.path.splitext(os.path.basename(os.path.normpath(text)))[1]
    make = FORMATS.get(suffix)
    if make is None:
        # The dot in a folder's name such as "llama-3.1-8b" begins no suffix that anybody means.
        if re.fullmatch("[.][A-Za-z][A-Za-z0-9]*", suffix) and not folder_asked:
            raise ValueError(
                f"no format has the suffix {shown(suffix)} of {shown(text)}: the suffixes are "
                f"{', '.join(FORMATS)}; a name without a suffix, or one that ends with "
                f"{os.sep!r}, becomes a folder of safetensors shards"
            )
        make = _shards
    tensors = _tensors(shapes, dtype)
    layout = make(tensors, folder_asked, max_shard_bytes, metadata)
    if layout.nbytes >= _LIMIT:
        raise ValueError(f"the files would have {layout.nbytes} bytes, which is 2**63 or more")
    return layout


class Tensor(NamedTuple):
    """A tensor that has no place yet."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int

    def at(self, begin: int) -> Entry:
        return Entry(self.name, self.dtype, self.shape, begin, self.nbytes)


def _tensors(shapes: Specs, dtype: Any) -> list[Tensor]:
    """Return the tensors in the order of ``shapes``, after checks of each."""
    default = requested("float32" if dtype is None else dtype)[0].name
    if not shapes:
        raise ValueError("there is no tensor to write")
    tensors = []
    for name, (shape, own) in shapes.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of a tensor must be a str that is not empty: {shown(name)}")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"the name {shown(name)} is no Unicode text (UTF-8)") from None
        with concerning(name):
            kind = requested(default if own is None else own)[0]
            whole = as_shape(shape)
        tensors.append(Tensor(name, kind.name, whole, prod(whole) * kind.storage.itemsize))
    return tensors


# safetensors --------------------------------------------------------------------------------------


def _one_safetensors(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    if folder:
        return _shards(tensors, folder, max_shard_bytes, metadata)
    if max_shard_bytes is not None:
        raise ValueError(
            "max_shard_bytes= makes several files, so the path must name a folder, without the "
            "suffix .safetensors"
        )
    file = _safetensors_file("", tensors, _checked_metadata(metadata))
    return Layout("safetensors", False, (file,))


def _shards(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    """Return a folder of shards with its index, as huggingface_hub cuts and names them."""
    most = _checked_limit(max_shard_bytes, DEFAULT_SHARD_BYTES)
    groups: list[list[Tensor]] = []
    group: list[Tensor] = []
    held = 0
    for tensor in tensors:
        if tensor.nbytes > most:
            groups.append([tensor])
            continue
        if held + tensor.nbytes > most:
            groups.append(group)
            group, held = [], 0
        group.append(tensor)
        held += tensor.nbytes
    if group:
        groups.append(group)
    limit_files(len(groups))
    about = _checked_metadata(metadata)
    if len(groups) == 1:
        only = _safetensors_file("model.safetensors", groups[0], about)
        return Layout("safetensors", True, (only,))
    files, places = [], {}
    for number, members in enumerate(groups, start=1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        files.append(_safetensors_file(name, members, about))
        places.update({tensor.name: name for tensor in members})
    totals = {
        "total_parameters": sum(prod(tensor.shape) for tensor in tensors),
        "total_size": sum(tensor.nbytes for tensor in tensors),
    }
    index = {"metadata": totals, "weight_map": places}
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    files.append(_text_file(SHARD_INDEX, text))
    return Layout("safetensors", True, tuple(files))


def _safetensors_file(name: str, tensors: Iterable[Tensor], about: dict[str, str]) -> FileLayout:
    """Return a file whose header is byte for byte that of the safetensors library.

    That library sorts by type and then by the UTF-8 bytes of the name, which is also the order of
    Python's strings. It pads the header with spaces to a multiple of 8 bytes. Offsets in the header
    count from its end.
    """
    ordered = sorted(tensors, key=lambda tensor: (_ORDER.index(tensor.dtype), tensor.name))
    header: dict[str, Any] = {"__metadata__": about} if about else {}
    begins = []
    at = 0
    for tensor in ordered:
        if tensor.name == "__metadata__":
            raise ValueError("safetensors files keep the name '__metadata__' for themselves")
        begins.append(at)
        at += tensor.nbytes
        header[tensor.name] = {
            "dtype": _SAFETENSORS_NAMES[tensor.dtype],
            "shape": tensor.shape,
            "data_offsets": (begins[-1], at),
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise ValueError(
            f"the header would have {len(text)} bytes, and a safetensors file may have "
            f"{LARGEST_HEADER}: write a folder of shards"
        )
    start = 8 + len(text)
    entries = [tensor.at(start + begin) for tensor, begin in zip(ordered, begins, strict=True)]
    return FileLayout(name, len(text).to_bytes(8, "little") + text, tuple(entries), start + at)


def limit_files(count: int) -> None:
    """Refuse a layout of more files than a folder can reasonably hold, before it is made."""
    if count > MOST_FILES:
        raise ValueError(
            f"the model would become {count:,} files, and {MOST_FILES:,} are the most: raise "
            "max_shard_bytes, or write a .safetensors file"
        )


def _checked_limit(given: int | None, default: int) -> int:
    """Return max_shard_bytes, after checks."""
    most = default if given is None else given
    if isinstance(most, bool) or not isinstance(most, int):
        raise TypeError(f"max_shard_bytes must be an int, not {shown(most)}")
    if most < 1:
        raise ValueError(f"max_shard_bytes must be at least 1, not {shown(most)}")
    return most


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metadata in the order of its keys."""
    if metadata is None:
        return {"format": "pt"}
    for item in metadata.items():
        for text in item:
            if not isinstance(text, str):
                raise TypeError(f"metadata must map str to str, and {shown(text)} is no str")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError(f"metadata {shown(text)} is no Unicode text (UTF-8)") from None
    return dict(sorted(metadata.items()))


def _text_file(name: str, text: str) -> FileLayout:
    """Return a file that holds no tensor."""
    content = text.encode()
    return FileLayout(name, content, (), len(content))


# npy ----------------------------------------------------------------------------------------------


def _npy(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    for option, value in (("max_shard_bytes", max_shard_bytes), ("metadata", metadata)):
        if value is not None:
            raise ValueError(f"{option}= is an option of safetensors, and .npy files have none")
    if len(tensors) == 1 and not folder:
        return Layout("npy", False, (_npy_file("", tensors[0]),))
    limit_files(len(tensors))
    names = npy_names([tensor.name for tensor in tensors])
    files = [_npy_file(name, tensor) for name, tensor in zip(names, tensors, strict=True)]
    index = {
        tensor.name: {"file": name, "dtype": tensor.dtype, "shape": tensor.shape}
        for name, tensor in zip(names, tensors, strict=True)
    }
    text = json.dumps({"tensors": index}, indent=1, sort_keys=True) + "\n"
    return Layout("npy", True, (*files, _text_file(NPY_INDEX, text)))


def _npy_file(name: str, tensor: Tensor) -> FileLayout:
    """Return a file whose header is byte for byte that of `numpy.save`.

    The header is the repr of a dict. NumPy adds spaces, so that the length of the first axis could
    grow to 21 digits in place, and then pads to a multiple of 64 bytes.
    """
    stored = kind_named(tensor.dtype).storage.newbyteorder("<")
    fields = f"{{'descr': {stored.str!r}, 'fortran_order': False, 'shape': {tensor.shape!r}, }}"
    if tensor.shape:
        fields += " " * (21 - len(repr(tensor.shape[0])))
    padding = -(10 + len(fields) + 1) % 64
    text = f"{fields}{' ' * padding}\n".encode()
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    return FileLayout(name, header, (tensor.at(len(header)),), len(header) + tensor.nbytes)


#: File systems take names of 255 bytes. The digest and ".npy" have to fit as well.
_LONGEST_STEM = 200


def npy_names(names: Iterable[str]) -> list[str]:
    """Return the file name of each tensor in a .npy folder.

    A name of ASCII letters, digits, ".", "_" and "-" stays as it is. Every other character becomes
    the "%" escapes of its UTF-8 bytes, and so does a dot at the beginning: no file is hidden, none
    is called "..", and none can lie outside the folder. A name that is too long, or that differs
    from another one only in the case of its letters (which some file systems ignore), ends with a
    digest of the whole name.

    Examples
    --------
    >>> npy_names(["fc.weight", "../x", "é"])
    ['fc.weight.npy', '%2E.%2Fx.npy', '%C3%A9.npy']
    >>> [name for name in npy_names(["A", "a", "b"])]
    ['A~559aead08264d579.npy', 'a~ca978112ca1bbdca.npy', 'b.npy']
    """
    return [f"{stem}.npy" for stem in escaped_names(names)]


def escaped_names(names: Iterable[str]) -> list[str]:
    """Return a name for the file or folder of each tensor, as `npy_names` says."""
    given = list(names)
    stems = [_escaped(name) for name in given]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
    found = []
    for name, stem in zip(given, stems, strict=True):
        ending = ""
        if len(stem) > _LONGEST_STEM or seen[stem.lower()] > 1:
            ending = "~" + hashlib.sha256(name.encode()).hexdigest()[:16]
        found.append(stem[:_LONGEST_STEM] + ending)
    return found


def _escaped(name: str) -> str:
    """Return a name of safe characters; two names never have one escaped name."""
    text = re.sub(
        rb"[^A-Za-z0-9._-]", lambda found: b"%%%02X" % found[0][0], name.encode()
    ).decode()
    return f"%2E{text[1:]}" if text.startswith(".") else text


# zarr ---------------------------------------------------------------------------------------------


def _zarr(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    from .zarr import DEFAULT_CHUNK_BYTES, zarr_files  # noqa: PLC0415  it imports this module

    most = _checked_limit(max_shard_bytes, DEFAULT_CHUNK_BYTES)
    about = {} if metadata is None else _checked_metadata(metadata)
    return Layout("zarr", True, tuple(zarr_files(tensors, most, about)))


#: Suffix -> the function that lays out the tensors.
FORMATS: dict[str, Callable[..., Layout]] = {
    ".safetensors": _one_safetensors,
    ".npy": _npy,
    ".zarr": _zarr,
}
