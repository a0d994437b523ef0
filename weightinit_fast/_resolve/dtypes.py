"""Which dtypes the engine fills, and what memory stands for each."""

from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from .messages import shown

__all__ = ["DEFAULT", "NAMES", "PLAIN", "Kind", "kind_named", "requested"]


class Kind(NamedTuple):
    """A dtype that the engine fills."""

    code: int  # index into _core.DTYPES
    name: str
    storage: np.dtype  # of the arrays handed to the engine; integers stand for ml_dtypes' types

    @property
    def word_bits(self) -> int:
        """Random bits that an element of the type's family is made of."""
        return 64 if self.storage.itemsize == 8 else 32

    @property
    def extended(self) -> bool:
        """Whether only ml_dtypes has this type in NumPy."""
        return self.storage.kind == "u"


_STORAGE = ("f4", "f8", "f2", "u2", "u1", "u1")
_KINDS = {
    name: Kind(code, name, np.dtype(storage))
    for code, (name, storage) in enumerate(zip(_core.DTYPES, _STORAGE, strict=True))
}
NAMES = tuple(_KINDS)
#: The types that NumPy has, in native byte order.
PLAIN = {np.dtype(n): k for n, k in _KINDS.items() if not k.extended}
#: What dtype=None asks for: float32.
DEFAULT = (_KINDS["float32"], np.dtype(np.float32))

#: Usual short names -> the name of the type.
_SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp64": "float64"}
#: Names that several types, or none of ours, could be meant by -> what to write.
_UNCLEAR = {
    "fp8": "'float8_e4m3fn' or 'float8_e5m2'",
    "float8": "'float8_e4m3fn' or 'float8_e5m2'",
    "f8e4m3fn": "'float8_e4m3fn'",
    "float8_e4m3": "'float8_e4m3fn'",
    "f8e5m2": "'float8_e5m2'",
    "e4m3": "'float8_e4m3fn'",
    "e5m2": "'float8_e5m2'",
}


def kind_named(name: str) -> Kind:
    """Return the kind of a type's full name."""
    return _KINDS[name]


def requested(dtype: DTypeLike) -> tuple[Kind, np.dtype | None]:
    """Return a dtype= argument's kind and NumPy dtype, None where ml_dtypes would be needed."""
    name = dtype
    if type(dtype).__module__ == "torch" and type(dtype).__name__ == "dtype":
        name = str(dtype).removeprefix("torch.")
    if isinstance(name, str):
        name = _SHORT.get(name, name)
        kind = _KINDS.get(name)
        if kind is not None and kind.extended:
            try:
                return kind, np.dtype(getattr(import_module("ml_dtypes"), name))
            except ModuleNotFoundError:
                return kind, None
        if name in _UNCLEAR:
            raise TypeError(f"dtype {shown(dtype)} is not known; write {_UNCLEAR[name]}")
    try:
        found = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(_refused(dtype)) from None
    known = _kind_of(found)
    if known is None:
        raise TypeError(_refused(found))
    return known, found


def _kind_of(dtype: np.dtype) -> Kind | None:
    """Return what the engine has for an array's dtype, of either byte order."""
    if not dtype.isnative:
        return PLAIN.get(dtype.newbyteorder("="))
    if dtype.type.__module__ == "ml_dtypes":
        return _KINDS.get(dtype.name)
    return PLAIN.get(dtype)


def _refused(dtype: object) -> str:
    """Say which types there are."""
    text = f"dtype must be one of {', '.join(NAMES)}, not {shown(dtype)}"
    if (
        isinstance(dtype, np.dtype)
        and dtype.kind in "iuV"
        and dtype.itemsize < 4
        and dtype.type.__module__ != "ml_dtypes"  # its int4 and its other float8 types
    ):
        # torch's bfloat16 seen as integers, or a .npy file of bfloat16, which NumPy loads as void
        text += "; to store bits in this type, name theirs, as in dtype='bfloat16'"
    return text
