"""The header of a safetensors file.

A file is: 8 bytes with the length N of the header (unsigned, little-endian), N bytes of JSON that
begin with ``{``, then the elements. The JSON says the dtype, the shape and the place of each
tensor, by offsets from the end of the header. Together the tensors take all bytes after the header,
without an overlap and without a hole.
"""

from pathlib import Path

from ..._resolve.messages import shown
from ..formats import LARGEST_HEADER, SAFETENSORS_DTYPES
from .stored import (
    StoredTensor,
    check_name,
    check_shape,
    nbytes_of,
    open_regular,
    refuse,
)
from .strict_json import parse_object

__all__ = ["read_safetensors"]

_KEYS = {"dtype", "shape", "data_offsets"}


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file in the order of their bytes."""
    file, size = open_regular(path)
    with file:
        first = file.read(9)
        length = int.from_bytes(first[:8], "little")
        if len(first) < 9:
            refuse(path, f"is not a safetensors file: it has only {size} bytes")
        if first[8:] != b"{":
            refuse(path, "is not a safetensors file: its ninth byte is not the '{' of a header")
        if length > LARGEST_HEADER:
            refuse(path, f"its header has {length} bytes; {LARGEST_HEADER} are the most")
        if 8 + length > size:
            refuse(path, f"its header has {length} bytes, but the file has only {size}")
        file.seek(8)
        text = file.read(length)
    if len(text) != length:
        refuse(path, "became shorter while it was read")
    header = parse_object(path, text, "its header")
    _check_metadata(path, header.pop("__metadata__", {}))

    found = [_stored(path, name, entry, 8 + length) for name, entry in header.items()]
    # Empty tensors come before the one that begins at the same place.
    found.sort(key=lambda tensor: (tensor.begin, tensor.nbytes))
    end = 8 + length
    for tensor in found:
        if tensor.begin != end:
            fault = "overlaps the tensor before it" if tensor.begin < end else "follows a hole"
            refuse(path, f"{shown(tensor.name)} {fault}")
        end += tensor.nbytes
    if end != size:
        refuse(path, f"its tensors end at byte {end}, but the file has {size} bytes")
    return {tensor.name: tensor for tensor in found}


def _check_metadata(path: Path, metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        refuse(path, "__metadata__ is not an object of strings")


def _stored(path: Path, name: str, entry: object, begin: int) -> StoredTensor:
    """Return a tensor of the header, whose data begin at a place in the file."""
    check_name(path, name)
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        refuse(path, f"the entry of {shown(name)} must have dtype, shape and data_offsets")
    stated = entry["dtype"]
    dtype = SAFETENSORS_DTYPES.get(stated) if isinstance(stated, str) else None
    if dtype is None:
        refuse(path, f"the dtype of {shown(name)} is {shown(stated)}, which is not known")
    shape = check_shape(path, name, entry["shape"])
    nbytes = nbytes_of(path, name, dtype, shape)
    offsets = entry["data_offsets"]
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(offset) is int and offset >= 0 for offset in offsets)
    ):
        refuse(path, f"the data_offsets of {shown(name)} are {shown(offsets)}, not two offsets")
    if offsets[1] - offsets[0] != nbytes:
        refuse(
            path,
            f"{shown(name)} has {offsets[1] - offsets[0]} bytes, "
            f"where shape {shown(shape)} of {dtype} takes {nbytes}",
        )
    return StoredTensor(name, path, dtype, shape, begin + offsets[0], nbytes)
