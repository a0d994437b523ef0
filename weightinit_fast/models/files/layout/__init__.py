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
``model.zarr``            a folder: a group of Zarr version 3, whose chunks are files
========================  =========================================================================

places.py        Layout, FileLayout, Entry: which bytes belong to which tensor
safetensors.py   one file, or shards with an index
npy.py           one .npy file, or a folder of them
zarr.py          a group of arrays, whose chunks are files
names.py         names of files that every file system takes
options.py       max_shard_bytes and metadata, checked
"""

import os
import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, TypeAlias

from ...._resolve.dtypes import requested
from ...._resolve.messages import shown
from ...._resolve.shape import as_shape
from ...messages import concerning
from .npy import npy_layout
from .places import Entry, FileLayout, Layout, Tensor
from .safetensors import SHARD_INDEX, safetensors_layout, shards_layout
from .zarr import zarr_layout

__all__ = ["SHARD_INDEX", "Entry", "FileLayout", "Layout", "layout_of"]

StrPath: TypeAlias = str | os.PathLike[str]
#: name -> (shape, dtype): a TensorSpec, or a pair with the same meaning.
Specs: TypeAlias = Mapping[str, tuple[tuple[int, ...], str | None]]

#: Files and their sum have fewer bytes than this, so that every offset is a signed 64-bit integer.
_LIMIT = 1 << 63

#: Suffix -> the function that lays out the tensors.
FORMATS: dict[str, Callable[..., Layout]] = {
    ".safetensors": safetensors_layout,
    ".npy": npy_layout,
    ".zarr": zarr_layout,
}


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
        make = shards_layout
    tensors = _tensors(shapes, dtype)
    layout = make(tensors, folder_asked, max_shard_bytes, metadata)
    if layout.nbytes >= _LIMIT:
        raise ValueError(f"the files would have {layout.nbytes} bytes, which is 2**63 or more")
    return layout


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
