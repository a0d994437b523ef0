"""The layout of a ``.zarr`` folder: a group of Zarr version 3 with an array for each tensor.

The files are those that the zarr library writes for arrays without compression (random numbers do
not compress), so that it need not be installed here; the tests compare every byte. Every chunk is a
file of its own, and it holds successive elements of a tensor. So several processes can write one
tensor, and the writer of all other formats writes chunks as well.

========================  =========================================================================
file                      content
========================  =========================================================================
``zarr.json``             the group; its attributes are the metadata
``fc.weight/zarr.json``   the array of a tensor: shape, type, shape of a chunk, attributes
``fc.weight/c.3.0``       the chunk (3, 0), whose elements are little-endian and in C order
========================  =========================================================================

The attribute ``weightinit_fast`` of an array is ``{"tensor": ..., "dtype": ...}``. Zarr has neither
bfloat16 nor the float8 types: their bits are stored as uint16 and uint8, and ``dtype`` says what
they are. A chunk at the end of an axis is padded with zeros to the full length, as Zarr asks.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from ...._resolve.dtypes import kind_named
from .names import escaped_names
from .options import checked_limit, checked_metadata
from .places import Entry, FileLayout, Layout, Tensor, limit_files

__all__ = ["chunk_shape", "zarr_layout"]

#: What a chunk holds at most, unless max_shard_bytes says otherwise. Readers hold whole chunks in
#: memory. Dask makes chunks of this size as well.
DEFAULT_CHUNK_BYTES = 128 << 20


def zarr_layout(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    """Return the files of a group. ``folder`` says nothing: a group is always a folder."""
    most = checked_limit(max_shard_bytes, DEFAULT_CHUNK_BYTES)
    about = {} if metadata is None else checked_metadata(metadata)
    return Layout("zarr", True, tuple(_files(tensors, most, about)))


def _files(
    tensors: list[Tensor], most_bytes: int, metadata: Mapping[str, str]
) -> Iterator[FileLayout]:
    """Yield the files of a group, those of its arrays with elements first.

    Parameters
    ----------
    tensors : list of Tensor
    most_bytes : int
        The most bytes of a chunk. A chunk has one element at least.
    metadata : mapping
        The attributes of the group.
    """
    folders = [_node(name) for name in escaped_names([tensor.name for tensor in tensors])]
    chunks = [
        chunk_shape(tensor.shape, kind_named(tensor.dtype).storage.itemsize, most_bytes)
        for tensor in tensors
    ]
    counts = (prod(_counts(t.shape, chunk)) for t, chunk in zip(tensors, chunks, strict=True))
    limit_files(sum(counts) + len(tensors) + 1)
    texts = [("zarr.json", {"attributes": dict(metadata), "zarr_format": 3, "node_type": "group"})]
    for folder, tensor, chunk in zip(folders, tensors, chunks, strict=True):
        yield from _chunks(folder, tensor, chunk)
        texts.append((f"{folder}/zarr.json", _array(tensor, chunk)))
    for name, content in texts:
        text = json.dumps(content, indent=2).encode()
        yield FileLayout(name, text, (), len(text))


def _node(name: str) -> str:
    """Return the folder of an array: Zarr keeps names that begin with "__" for itself."""
    if name.startswith("__"):
        return f"%5F{name[1:]}"
    return "zarr%2Ejson" if name.lower() == "zarr.json" else name


def chunk_shape(shape: tuple[int, ...], itemsize: int, most_bytes: int) -> tuple[int, ...]:
    """Return the shape of the chunks of a tensor, each of which holds successive elements.

    A chunk is some entries of one axis, with the whole of every axis after it, at one position of
    each axis before it. These entries are nearly as many in every chunk, so that little is padded.

    Examples
    --------
    >>> chunk_shape((1000, 64), 4, 100_000)
    (334, 64)
    >>> chunk_shape((7, 1000, 64), 4, 100_000)
    (1, 334, 64)
    """
    chunk = [1] * len(shape)
    held = itemsize
    for axis in range(len(shape) - 1, -1, -1):
        length = max(1, shape[axis])
        most = max(1, most_bytes // held)
        blocks = -(-length // most)
        chunk[axis] = -(-length // blocks)
        if blocks > 1:
            break
        held *= length
    return tuple(chunk)


def _counts(shape: tuple[int, ...], chunk: tuple[int, ...]) -> list[int]:
    """Return how many chunks there are along each axis."""
    return [-(-n // length) for n, length in zip(shape, chunk, strict=True)]


def _chunks(folder: str, tensor: Tensor, chunk: tuple[int, ...]) -> Iterator[FileLayout]:
    """Yield the files of a tensor's chunks, in the order of their elements."""
    if 0 in tensor.shape:
        return
    itemsize = kind_named(tensor.dtype).storage.itemsize
    nbytes = prod(chunk) * itemsize
    strides = [prod(tensor.shape[axis + 1 :]) for axis in range(len(chunk))]
    # The axis that is cut into several entries a chunk. Behind it, every chunk has all entries.
    cut = next((axis for axis, length in enumerate(chunk) if length > 1), len(chunk) - 1)
    for position in product(*map(range, _counts(tensor.shape, chunk))):
        begin = [at * length for at, length in zip(position, chunk, strict=True)]
        first = sum(at * stride for at, stride in zip(begin, strides, strict=True))
        held = 1
        if chunk:
            held = min(chunk[cut], tensor.shape[cut] - begin[cut]) * strides[cut]
        name = "/".join((folder, ".".join(("c", *map(str, position)))))
        entry = Entry(tensor.name, tensor.dtype, tensor.shape, 0, held * itemsize, first)
        yield FileLayout(name, b"", (entry,), nbytes)


def _array(tensor: Tensor, chunk: tuple[int, ...]) -> dict[str, Any]:
    """Return the metadata of an array, in the order of the zarr library."""
    storage = kind_named(tensor.dtype).storage
    codec: dict[str, Any] = {"name": "bytes"}
    if storage.itemsize > 1:
        codec["configuration"] = {"endian": "little"}
    return {
        "shape": tensor.shape,
        "data_type": storage.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0 if storage.kind == "u" else 0.0,
        "codecs": [codec],
        "attributes": {"weightinit_fast": {"tensor": tensor.name, "dtype": tensor.dtype}},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
