"""Headers of weight files that may come from strangers: safetensors, npy, npz, indexes and folders.

Nothing in a file runs as code. Every size is checked against the size of the file before anything
is allocated by it, and a file that does not keep to its format is refused with a FormatError that
names the file and the fault. Only headers are read, except by ``read_pieces`` and ElementReader.

safetensors.py   the header of a safetensors file
npy.py           the header of a .npy file, and the entries of a .npz file
folder.py        a Hugging Face index with its shards, and folders of files
strict_json.py   JSON without repeated keys and without unbounded numbers
stored.py        StoredTensor, and the checks that all formats share
elements.py      the elements, piece by piece, as they are stored and as numbers
"""

import os
from pathlib import Path

from ..formats import INDEX_SUFFIX
from .elements import ElementReader, as_numbers, is_readable, read_pieces
from .folder import read_folder, read_index
from .npy import read_npy, read_npz
from .safetensors import read_safetensors
from .stored import FormatError, StoredTensor, refuse

__all__ = [
    "ElementReader",
    "FormatError",
    "StoredTensor",
    "as_numbers",
    "is_readable",
    "read_pieces",
    "read_tensors",
]

_BY_SUFFIX = {".safetensors": read_safetensors, ".npy": read_npy, ".npz": read_npz}

#: Suffixes of files that torch.save writes.
_PICKLES = {".pt", ".pth", ".bin", ".ckpt"}


def read_tensors(path: str | os.PathLike[str]) -> dict[str, StoredTensor]:
    """Return the tensors that a file or a folder holds, by their headers alone.

    Parameters
    ----------
    path : str or path
        A ``.safetensors``, ``.npy`` or ``.npz`` file, a Hugging Face index
        (``*.safetensors.index.json``), or a folder with an index, with safetensors files or with
        ``.npy`` files.

    Returns
    -------
    dict
        name -> StoredTensor, in the order of the file.

    Raises
    ------
    FormatError
        If a file does not keep to its format. It is a ValueError.
    OSError
        If a file is not there, or cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from weightinit_fast.models.readers import read_tensors
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "bias.npy"
    >>> np.save(path, np.zeros((2, 3), np.float32))
    >>> tensor = read_tensors(path)["bias"]
    >>> tensor.dtype, tensor.shape, tensor.begin, tensor.nbytes
    ('float32', (2, 3), 128, 24)
    """
    path = Path(path)
    if path.is_dir():
        return read_folder(path)
    if path.name.endswith(INDEX_SUFFIX):
        return read_index(path)
    reader = _BY_SUFFIX.get(path.suffix)
    if reader is None:
        path.stat()  # A file that is not there is another error.
        fault = (
            f"is not a {', '.join(_BY_SUFFIX)} or *{INDEX_SUFFIX} file, nor a folder of such files"
        )
        if path.suffix in _PICKLES:
            fault += (
                ". Files of torch.save are not read, since they may run code. Convert it with "
                "safetensors.torch.save_file(torch.load(file, weights_only=True), new_file)"
            )
        refuse(path, fault)
    return reader(path)
