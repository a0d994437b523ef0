"""Which dtypes the engine fills, and what memory stands for each."""

from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from . import _core

__all__ = ["PLAIN", "Kind", "requested"]


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
#: The types that NumPy has.
PLAIN = {np.dtype(n): k for n, k in _KINDS.items() if not k.extended}


def _kind_of(dtype: np.dtype) -> Kind | None:
    """Return what the engine has for an array's dtype, of either byte order."""
    if not dtype.isnative:
        return PLAIN.get(dtype.newbyteorder("="))
    if dtype.type.__module__ == "ml_dtypes":
        return _KINDS.get(dtype.name)
    return PLAIN.get(dtype)


def requested(dtype: DTypeLike) -> tuple[Kind, np.dtype | None]:
    """Return a dtype= argument's kind and NumPy dtype, None where ml_dtypes would be needed."""
    if isinstance(dtype, str) and dtype in _KINDS and _KINDS[dtype].extended:
        try:
            return _KINDS[dtype], np.dtype(getattr(import_module("ml_dtypes"), dtype))
        except ModuleNotFoundError:
            return _KINDS[dtype], None
    found = np.dtype(dtype)
    kind = _kind_of(found)
    if kind is None:
        bits = found.kind in "iu" and found.itemsize < 4  # torch's bfloat16, seen as integers
        hint = "; to store bits in integers, name their type, as in dtype='bfloat16'" * bits
        raise TypeError(f"dtype must be one of {', '.join(_KINDS)}, not {found}{hint}")
    return kind, found
