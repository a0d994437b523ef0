"""The dtypes that the engine fills, and the NumPy dtype that holds each of them in memory."""

from importlib import import_module
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from .messages import shown

__all__ = [
    "DEFAULT",
    "DLPACK_KINDS",
    "NAMES",
    "PLAIN",
    "DType",
    "Kind",
    "kind_named",
    "kind_of",
    "requested",
]


class TorchDType(Protocol):
    """torch.dtype as a type checker knows it by its attributes; torch itself is not imported."""

    @property
    def is_floating_point(self) -> bool:
        """Whether the type is one of floating-point numbers."""

    @property
    def is_signed(self) -> bool:
        """Whether the type has a sign."""


#: What dtype= takes.
DType: TypeAlias = DTypeLike | TorchDType


class Kind(NamedTuple):
    """A dtype that the engine fills."""

    code: int  # index into _core.DTYPES
    name: str
    # The dtype of the arrays that the engine is given. For a type that NumPy lacks, it is that of
    # the unsigned integers of the same width.
    storage: np.dtype

    @property
    def word_bits(self) -> int:
        """The number of random bits that one element is made of."""
        return 64 if self.storage.itemsize == 8 else 32

    @property
    def extended(self) -> bool:
        """Whether NumPy lacks this type, and the package ml_dtypes adds it."""
        return self.storage.kind == "u"


_core.keep_forever(Kind)

# In the order of _core.DTYPES.
_STORAGE = ("f4", "f8", "f2", "u2", "u1", "u1")
_KINDS = {
    name: _core.keep_forever(Kind(code, name, np.dtype(storage)))
    for code, (name, storage) in enumerate(zip(_core.DTYPES, _STORAGE, strict=True))
}
NAMES = tuple(_KINDS)
#: The types that NumPy has, in native byte order.
PLAIN = {np.dtype(n): k for n, k in _KINDS.items() if not k.extended}
#: DLPack's type, as (code << 8) + bits -> kind.
DLPACK_KINDS = {
    (code << 8) + 8 * _KINDS[name].storage.itemsize: _KINDS[name]
    for code, name in (
        (2, "float16"),
        (2, "float32"),
        (2, "float64"),
        (4, "bfloat16"),
        (10, "float8_e4m3fn"),
        (12, "float8_e5m2"),
    )
}
#: What dtype=None asks for: float32.
DEFAULT = _core.keep_forever((_KINDS["float32"], np.dtype(np.float32)))

#: Short names in common use -> the name of the type.
_SHORT_NAMES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp64": "float64"}
#: Names that stand for more than one type, or that other libraries use -> what to write here.
_AMBIGUOUS_NAMES = {
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


def requested(dtype: DType) -> tuple[Kind, np.dtype | None]:
    """Return the kind and the NumPy dtype that a dtype= argument asks for.

    The NumPy dtype is None if only ml_dtypes has it, and ml_dtypes is not installed.
    """
    name: Any = dtype
    if type(dtype).__module__ == "torch" and type(dtype).__name__ == "dtype":
        name = str(dtype).removeprefix("torch.")
    if isinstance(name, str):
        name = _SHORT_NAMES.get(name, name)
        kind = _KINDS.get(name)
        if kind is not None and kind.extended:
            return kind, _ml_dtype(name)
        if name in _AMBIGUOUS_NAMES:
            raise TypeError(f"dtype {shown(dtype)} is not known; write {_AMBIGUOUS_NAMES[name]}")
    try:
        found = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(_refused(dtype, "dtype")) from None
    return kind_of(found, "dtype"), found


def kind_of(dtype: np.dtype, subject: str) -> Kind:
    """Return the kind of a NumPy dtype of either byte order; refuse what the engine does not fill.

    ``subject`` begins the message: it says whose dtype it is.
    """
    if not dtype.isnative:
        kind = PLAIN.get(dtype.newbyteorder("="))
    elif dtype.type.__module__ == "ml_dtypes":
        kind = _KINDS.get(dtype.name)
    else:
        kind = PLAIN.get(dtype)
    if kind is None:
        raise TypeError(_refused(dtype, subject))
    return kind


#: The types of ml_dtypes that have been asked for: importlib takes as long as a small fill.
_ML_DTYPES: dict[str, np.dtype] = {}


def _ml_dtype(name: str) -> np.dtype | None:
    """Return a type of ml_dtypes; None if that package is not installed."""
    found = _ML_DTYPES.get(name)
    if found is None:
        try:
            found = np.dtype(getattr(import_module("ml_dtypes"), name))
        except ModuleNotFoundError:
            return None
        _ML_DTYPES[name] = found
    return found


def _refused(dtype: object, subject: str) -> str:
    """Return the message that refuses a dtype and lists those that there are."""
    text = f"{subject} must be one of {', '.join(NAMES)}, not {shown(dtype)}"
    if (
        isinstance(dtype, np.dtype)
        and dtype.kind in "iuV"
        and dtype.itemsize < 4
        and dtype.type.__module__ != "ml_dtypes"  # its int4 and its other float8 types
    ):
        # torch's bfloat16 seen as integers, or a .npy file of bfloat16, which NumPy loads as void
        text += (
            "; integer and void arrays passed as out= take the bits of the type that dtype= names, "
            "such as dtype='bfloat16'"
        )
    return text
