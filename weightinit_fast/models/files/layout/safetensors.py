"""The layout of safetensors files: one file, or a folder of Hugging Face shards with an index."""

import json
from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from ...formats import INDEX_SUFFIX, LARGEST_HEADER, SAFETENSORS_DTYPES
from .options import checked_limit, checked_metadata
from .places import FileLayout, Layout, Tensor, limit_files, text_file

__all__ = ["SHARD_INDEX", "safetensors_layout", "shards_layout"]

#: What a shard of a folder holds at most, unless max_shard_bytes says otherwise. It is the default
#: of the huggingface_hub library.
DEFAULT_SHARD_BYTES = 5_000_000_000

#: Name of a dtype -> its name in safetensors.
_SAFETENSORS_NAMES = {dtype: name for name, dtype in SAFETENSORS_DTYPES.items()}
#: The order of tensors in a safetensors file: widest first, and types of one width in the order in
#: which the safetensors library sorts them.
_ORDER = ("float64", "float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")

#: The name of a Hugging Face index.
SHARD_INDEX = f"model{INDEX_SUFFIX}"


def safetensors_layout(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    """Return one file; with ``folder``, as for ``x.safetensors/``, a folder of shards."""
    if folder:
        return shards_layout(tensors, folder, max_shard_bytes, metadata)
    if max_shard_bytes is not None:
        raise ValueError(
            "max_shard_bytes= makes several files, so the path must name a folder, without the "
            "suffix .safetensors"
        )
    file = _safetensors_file("", tensors, checked_metadata(metadata))
    return Layout("safetensors", False, (file,))


def shards_layout(
    tensors: list[Tensor],
    folder: bool,
    max_shard_bytes: int | None,
    metadata: Mapping[str, str] | None,
) -> Layout:
    """Return a folder of shards with its index, as huggingface_hub cuts and names them."""
    most = checked_limit(max_shard_bytes, DEFAULT_SHARD_BYTES)
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
    about = checked_metadata(metadata)
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
    files.append(text_file(SHARD_INDEX, text))
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
