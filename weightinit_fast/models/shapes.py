"""Shapes of a model: the name, the shape and the dtype of each tensor, from a dict or a file."""

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from .._resolve.dtypes import NAMES, DType, requested
from .._resolve.messages import did_you_mean, shown
from .._resolve.shape import Shape, as_shape
from .formats import LARGEST_HEADER
from .messages import concerning, listed

__all__ = ["Shapes", "TensorSpec", "as_shapes"]

#: A table of shapes may be as large as the header of a file of weights.
_LARGEST_TABLE = LARGEST_HEADER
#: The keys of a dict that describes one tensor.
_SPEC_KEYS = ("shape", "dtype")
#: Levels of nested tables, as in ``[model.layers]``.
_DEEPEST = 32


class TensorSpec(NamedTuple):
    """The shape of a tensor, and its dtype.

    Attributes
    ----------
    shape : tuple of int
        The shape of the whole tensor.
    dtype : str or None
        A full name such as ``"float32"`` or ``"bfloat16"``. None leaves the choice to whoever makes
        the tensor; without a choice it is float32.

    See Also
    --------
    as_shapes : reads the shapes of a model.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.TensorSpec((64, 3, 7, 7))
    TensorSpec(shape=(64, 3, 7, 7), dtype=None)
    """

    shape: tuple[int, ...]
    dtype: str | None = None


StrPath: TypeAlias = str | os.PathLike[str]
#: What `as_shapes` takes as the value of one name.
Spec: TypeAlias = TensorSpec | Shape | tuple[Shape, DType | None] | Mapping[str, Any]
#: What `as_shapes` takes.
Shapes: TypeAlias = Mapping[str, Any] | StrPath


def as_shapes(
    source: Shapes, *, others: Literal["refuse", "leave_out"] = "refuse"
) -> dict[str, TensorSpec]:
    """Read the names, shapes and dtypes of a model's tensors.

    Parameters
    ----------
    source : dict, str or path
        A dict holds, for each name, a shape; a pair (shape, dtype); a `TensorSpec`; a dict with the
        keys ``"shape"`` and ``"dtype"``; or an array or tensor, whose shape and dtype are taken.
        Dicts may be nested: ``{"h.0": {"ln_1.weight": 768}}`` names ``h.0.ln_1.weight``.

        A path leads to a ``.toml`` or ``.json`` file that holds such a dict, or to weights: a
        ``.safetensors`` file, a Hugging Face index (``.safetensors.index.json``), a folder that
        holds one, a ``.npy`` or ``.npz`` file, or a folder of ``.npy`` files. Of weights only the
        headers are read.
    others : {"refuse", "leave_out"}
        What to do about tensors of a dtype that is never drawn, such as the int64 counters that
        checkpoints hold beside their weights: raise an error that lists them, or leave them out.

    Returns
    -------
    dict
        Name -> `TensorSpec`, in the order of the source.

    Raises
    ------
    ValueError, TypeError
        If the file is damaged, if a shape or a dtype is wrong, if a name appears twice, or if a
        tensor has a dtype that is never drawn.
    OSError
        If the file cannot be read.

    See Also
    --------
    Recipe : says which initialiser draws which of the tensors.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> found = wi.as_shapes({"fc": {"weight": (10, 512), "bias": (10, "bfloat16")}})
    >>> for name, spec in found.items():
    ...     print(name, spec)
    fc.weight TensorSpec(shape=(10, 512), dtype=None)
    fc.bias TensorSpec(shape=(10,), dtype='bfloat16')
    """
    if others not in ("refuse", "leave_out"):
        raise ValueError(f"others must be 'refuse' or 'leave_out', not {shown(others)}")
    found: dict[str, TensorSpec] = {}
    undrawable: dict[str, str] = {}
    if isinstance(source, Mapping):
        _collect(source, "", found, undrawable)
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if is_table(path):
            with concerning(str(path)):
                _collect(_table(path), "", found, undrawable)
        else:
            from .readers import read_tensors  # noqa: PLC0415  only where weights are read

            for name, stored in read_tensors(path).items():
                if stored.dtype in NAMES:
                    found[name] = TensorSpec(stored.shape, stored.dtype)
                else:
                    undrawable[name] = stored.dtype
    else:
        raise TypeError(
            f"shapes must be a dict of names and shapes, or a path, not {shown(source)}"
        )
    if undrawable and others == "refuse":
        names = listed(f"{name} ({dtype})" for name, dtype in undrawable.items())
        raise TypeError(
            f"{len(undrawable)} of the tensors cannot be drawn, because their dtype is none of "
            f"{', '.join(NAMES)}: {names}; with others='leave_out' they are left out"
        )
    return found


def _collect(
    table: Mapping[str, Any],
    prefix: str,
    found: dict[str, TensorSpec],
    undrawable: dict[str, str],
    depth: int = 0,
) -> None:
    """Add the tensors of a table, and of the tables in it, to those that are found."""
    if depth > _DEEPEST:
        raise ValueError(f"shapes are nested more than {_DEEPEST} levels deep")
    for key, value in table.items():
        if not isinstance(key, str) or not key:
            raise TypeError(f"the name of a tensor must be a str that is not empty: {shown(key)}")
        name = prefix + key
        if isinstance(value, Mapping) and not _is_spec(value):
            with concerning(name):
                _refuse_unknown_keys(value)
            _collect(value, f"{name}.", found, undrawable, depth + 1)
            continue
        if name in found or name in undrawable:
            raise ValueError(f"the tensor {shown(name)} is named twice")
        with concerning(name):
            shape, dtype = _parts(value)
            whole = as_shape(shape)
            if dtype is None or (
                type(dtype) is str and dtype in NAMES
            ):  # as in the result of another call
                found[name] = TensorSpec(whole, dtype)
                continue
            try:
                found[name] = TensorSpec(whole, requested(dtype)[0].name)
            except TypeError:
                if not _is_dtype(dtype):
                    raise
                undrawable[name] = str(dtype)


def _is_spec(value: Mapping[str, Any]) -> bool:
    """Whether a dict describes one tensor, and not several by name."""
    return "shape" in value and value.keys() <= set(_SPEC_KEYS)


def others_of(tensors: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> dtype of those arrays or tensors whose dtype is never drawn."""
    found: dict[str, TensorSpec] = {}
    others: dict[str, str] = {}
    held = {
        name: tensor
        for name, tensor in tensors.items()
        if hasattr(tensor, "shape") and hasattr(tensor, "dtype")
    }
    with suppress(ValueError, TypeError):
        _collect(held, "", found, others)
    return others


def _refuse_unknown_keys(value: Mapping[str, Any]) -> None:
    """Refuse a dict that describes one tensor and has a key that means nothing, such as "dytpe".

    It cannot be a table of tensors, since a text is no shape.
    """
    for key in value:
        if key not in _SPEC_KEYS and "shape" in value and isinstance(value[key], str):
            hint = did_you_mean(key, _SPEC_KEYS) or f"the keys are {' and '.join(_SPEC_KEYS)}"
            raise ValueError(f"the dict of a tensor has no key {shown(key)}; {hint}")


def _parts(value: Any) -> tuple[Any, Any]:
    """Return the shape and the dtype of a value, unchecked; a dtype of None says nothing."""
    if isinstance(value, TensorSpec):
        return value
    if isinstance(value, Mapping):
        return value["shape"], value.get("dtype")
    if hasattr(value, "shape") and hasattr(value, "dtype"):  # an array or a tensor
        return tuple(value.shape), value.dtype
    if isinstance(value, (tuple, list)) and len(value) == 2:
        shape, dtype = value
        if dtype is None or isinstance(dtype, (str, type, np.dtype)) or _is_torch_dtype(dtype):
            return shape, dtype
    return value, None


def _is_torch_dtype(value: object) -> bool:
    return type(value).__module__ == "torch" and type(value).__name__ == "dtype"


def _is_dtype(value: Any) -> bool:
    """Whether a value is a dtype, though one that is never drawn; all others are mistakes."""
    if _is_torch_dtype(value):
        return True
    try:
        np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        return False
    return True


# Files --------------------------------------------------------------------------------------------


def is_table(path: Path) -> bool:
    """Whether a file holds a table of shapes, and not weights, by its name."""
    name = path.name.lower()
    return name.endswith(".toml") or (name.endswith(".json") and not name.endswith(".index.json"))


def _table(path: Path) -> Mapping[str, Any]:
    """Return the dict that a file of TOML or JSON holds."""
    text = text_of(path)
    if path.suffix.lower() == ".toml":
        return parsed_toml(text)
    try:
        table = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not valid JSON: {error}") from None
    if not isinstance(table, dict):
        raise ValueError(f"this must be an object of names and shapes, not {shown(table)}")
    return table


def text_of(path: Path) -> str:
    """Return the text of a file in UTF-8, which must not be too large."""
    size = path.stat().st_size
    if size > _LARGEST_TABLE:
        raise ValueError(f"the file has {size} bytes; a table has at most {_LARGEST_TABLE}")
    with open(path, "rb") as file:
        content = file.read(_LARGEST_TABLE + 1)
    if len(content) > _LARGEST_TABLE:  # it grows, or it is a device, whose size is 0
        raise ValueError(f"the file has more bytes than a table may have: {_LARGEST_TABLE}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"this is not text in UTF-8: {error}") from None


def parsed_toml(text: str) -> dict[str, Any]:
    """Return the table that a text in TOML holds."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not valid TOML: {error}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the name {shown(key)} appears twice")
            seen.add(key)
    return table
