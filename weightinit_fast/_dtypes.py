"""Which dtypes the engine fills, and what memory stands for each."""

from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from . import _core

__all__ = ["Kind", "kind_of", "requested"]


class Kind(NamedTuple):
    """A dtype that the engine fills."""

    code: int  # index into _core.DTYPES
    name: str
    storage: np.dtype  # of the arrays handed to the engine; integers stand for ml_dtypes' types

    @property
    def extended(self) -> bool:
        """Whether only ml_dtypes has this type in NumPy."""
        return self.storage.kind == "u"


_STORAGE = ("f4", "f8", "f2", "u2", "u1", "u1")
_KINDS = {
    name: Kind(code, name, np.dtype(storage))
    for code, (name, storage) in enumerate(zip(_core.DTYPES, _STORAGE, strict=True))
}
#: Known at a glance; ml_dtypes' types join when they are first met.
_BY_DTYPE = {np.dtype(n): k for n, k in _KINDS.items() if not k.extended}


def kind_of(dtype: np.dtype) -> Kind | None:
    """Return what the engine has for an array's dtype, of either byte order."""
    kind = _BY_DTYPE.get(dtype)
    if kind is None and not dtype.isnative:
        kind = _BY_DTYPE.get(dtype.newbyteorder("="))
        return None if kind is None or kind.extended else kind
    if kind is None and dtype.type.__module__ == "ml_dtypes":
        kind = _KINDS.get(dtype.name)
        if kind is not None:
            _BY_DTYPE[dtype] = kind
    return kind


def requested(dtype: DTypeLike) -> tuple[Kind, np.dtype | None]:
    """Return a dtype= argument's kind and NumPy dtype, None where ml_dtypes would be needed."""
    if isinstance(dtype, str) and dtype in _KINDS and _KINDS[dtype].extended:
        try:
            return _KINDS[dtype], np.dtype(getattr(import_module("ml_dtypes"), dtype))
        except ModuleNotFoundError:
            return _KINDS[dtype], None
    found = np.dtype(dtype)
    kind = kind_of(found)
    if kind is None:
        bits = found.kind in "iu" and found.itemsize < 4  # torch's bfloat16, seen as integers
        hint = "; to store bits in integers, name their type, as in dtype='bfloat16'" * bits
        raise TypeError(f"dtype must be one of {', '.join(_KINDS)}, not {found}{hint}")
    return kind, found
