"""The layout of NumPy files: one .npy file, or a folder of them with an index."""

import json
from collections.abc import Mapping

from ...._resolve.dtypes import kind_named
from ...formats import NPY_INDEX
from .names import npy_names
from .places import FileLayout, Layout, Tensor, limit_files, text_file

__all__ = ["npy_layout"]


def npy_layout(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    """Return the file of one tensor, or a folder of files with their index."""
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
    return Layout("npy", True, (*files, text_file(NPY_INDEX, text)))


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
