"""Several files: a Hugging Face index with its shards, and folders of shards or .npy files.

A folder of .npy files that `save` wrote has an index as well, ``tensors.json``. It says what a name
of a file cannot say (a tensor's own name, where a file system has no such name) and what a .npy
file cannot say (that its integers are the bits of a type that NumPy lacks):
``{"tensors": {name: {"file": ..., "dtype": ..., "shape": [...]}}}``.
"""

import os
from pathlib import Path
from typing import Any

from ..._resolve.messages import shown
from ..formats import INDEX_SUFFIX, LARGEST_HEADER, NPY_INDEX
from .npy import read_npy
from .safetensors import read_safetensors
from .stored import BITS, StoredTensor, check_name, is_lacking, open_regular, refuse
from .strict_json import parse_object

__all__ = ["read_folder", "read_index"]

#: The most bytes of a file's name, on any file system in common use.
_LONGEST_NAME = 255


def read_index(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of the shards that an index names, in the order of the index.

    The index names files beside itself. Every tensor of the index must be in the file that the
    index says, and these files must hold no other.
    """
    index = _parsed(path)
    places = index.get("weight_map")
    if not isinstance(places, dict):
        refuse(path, "has no weight_map, or it is not an object")
    shards: dict[str, dict[str, StoredTensor]] = {}
    found: dict[str, StoredTensor] = {}
    for name, place in places.items():
        check_name(path, name)
        if not isinstance(place, str):
            refuse(path, f"the file of {shown(name)} is {shown(place)}, not a name")
        if place not in shards:
            shards[place] = read_safetensors(_beside(path, place, ".safetensors"))
        if name not in shards[place]:
            refuse(path, f"says that {shown(place)} holds {shown(name)}, which it does not")
        found[name] = shards[place][name]
    for place, tensors in shards.items():
        for name, tensor in tensors.items():
            if found.get(name) is not tensor:
                refuse(path, f"does not name {shown(name)}, which {shown(place)} holds")
    return found


def _parsed(path: Path) -> dict[str, Any]:
    """Return the JSON object of an index."""
    file, size = open_regular(path)
    with file:
        if size > LARGEST_HEADER:
            refuse(path, f"has {size} bytes; {LARGEST_HEADER} are the most")
        text = file.read(size)
    return parse_object(path, text, "the index")


def _read_npy_index(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a folder of .npy files by the index of that folder, in its order."""
    entries = _parsed(path).get("tensors")
    if not isinstance(entries, dict):
        refuse(path, "has no tensors, or they are not an object")
    found: dict[str, StoredTensor] = {}
    places: set[str] = set()
    for name, entry in entries.items():
        check_name(path, name)
        if not isinstance(entry, dict) or entry.keys() != {"file", "dtype", "shape"}:
            refuse(path, f"the entry of {shown(name)} must have file, dtype and shape")
        place, dtype = entry["file"], entry["dtype"]
        if not isinstance(place, str) or not isinstance(dtype, str):
            refuse(path, f"the file and the dtype of {shown(name)} must be strings")
        if place in places:
            refuse(path, f"says that {shown(place)} holds two tensors")
        places.add(place)
        (stored,) = read_npy(_beside(path, place, ".npy")).values()
        if list(stored.shape) != entry["shape"]:
            refuse(path, f"says that {shown(place)} has shape {shown(entry['shape'])}")
        if dtype != stored.dtype:
            bits = BITS.get(dtype)
            if bits is None or not is_lacking(dtype) or stored.dtype != f"uint{bits}":
                refuse(path, f"says that {shown(place)} has dtype {shown(dtype)}")
        found[name] = stored._replace(name=name, dtype=dtype)
    return found


def _beside(index: Path, name: str, suffix: str) -> Path:
    """Return the path of a file that an index names, unless it is not beside the index.

    A link may lead to another file of the folder, or to the blobs of a Hugging Face cache, where
    all files of the folder ``snapshots/<revision>`` are links to ``blobs/<hash>``.
    """
    if (
        not name.endswith(suffix)
        or any(character in name for character in "/\\:\0")
        or name.startswith(".")
        or len(name.encode(errors="replace")) > _LONGEST_NAME
    ):
        refuse(
            index,
            f"names the file {shown(name)}, which is not the name of a file beside it that ends "
            f"with {suffix}",
        )
    check_name(index, name)
    path = index.parent / name
    if not path.is_symlink():
        return path
    folder = index.parent.resolve()
    allowed = {folder}
    if folder.parent.name == "snapshots":
        allowed.add(folder.parent.parent / "blobs")
    # os.stat raises OSError for links that lead to each other, as for a file that is not there.
    # Path.resolve would raise RuntimeError.
    os.stat(path)
    if path.resolve().parent not in allowed | {index.resolve().parent}:
        refuse(index, f"names the file {shown(name)}, which is a link out of its folder")
    return path


def read_folder(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a folder with an index, with safetensors files, or with .npy files."""
    indexes = sorted(path.glob(f"*{INDEX_SUFFIX}"))
    if len(indexes) > 1:
        refuse(path, f"has {len(indexes)} indexes: pass the path of one")
    if indexes:
        return read_index(indexes[0])
    if (path / NPY_INDEX).is_file():
        return _read_npy_index(path / NPY_INDEX)
    shards = sorted(path.glob("*.safetensors"))
    arrays = sorted(path.glob("*.npy"))
    if shards and arrays:
        refuse(path, "has safetensors files and .npy files: pass the path of one file")
    if not shards and not arrays:
        refuse(path, "has no index, no .safetensors file and no .npy file")
    found: dict[str, StoredTensor] = {}
    for file in shards or arrays:
        for name, tensor in (read_safetensors if shards else read_npy)(file).items():
            if name in found:
                places = f"{shown(found[name].file.name)} and in {shown(file.name)}"
                refuse(path, f"{shown(name)} is in {places}")
            found[name] = tensor
    return found
