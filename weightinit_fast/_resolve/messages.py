"""How a refused argument is named: shortly, whatever it is, and with a hint at what to pass."""

from collections.abc import Callable, Mapping
from inspect import signature
from reprlib import Repr
from typing import Any, NoReturn

import numpy as np

__all__ = ["refuse_arguments", "shortened", "shown"]

#: Characters of a value in a message.  Three values and the words around them stay below 400.
_LONGEST = 80
#: ints from this size on are described by their length, as printing them can take for ever.
_LONG_INT = 10**_LONGEST

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _LONGEST
_REPR.maxlist = _REPR.maxtuple = _REPR.maxarray = _REPR.maxset = _REPR.maxdict = 8


def shown(value: object) -> str:
    """Return a value as a message shows it: its repr, cut where it is long."""
    if isinstance(value, int) and not -_LONG_INT < value < _LONG_INT:
        return f"an int of {value.bit_length()} bits"
    if isinstance(value, np.ndarray) and value.size > _LONGEST:
        return f"an array of shape {shortened(str(value.shape))} and dtype {value.dtype}"
    if isinstance(value, np.dtype):
        return shortened(str(value))
    if isinstance(value, (bytes, bytearray)) and len(value) > _LONGEST:
        return f"{type(value).__name__} of length {len(value)}"
    try:
        return shortened(_REPR.repr(value))
    except Exception:
        return f"an object of type {type(value).__name__}"


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return a text on one line, its middle cut out where it is long."""
    text = " ".join(text.split()) if "\n" in text else text
    half = longest // 2 - 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


#: Keyword arguments of other libraries -> what stands for them here.
_ELSEWHERE = {
    "seed": "pass rng=, which takes the same seeds",
    "random_state": "pass rng=, which takes a seed, a Generator or a RandomState",
    "generator": "pass rng=, which takes a Generator of NumPy or torch",
    "key": "pass rng=, which takes a Key",
    "name": "pass stream=, which takes a name",
    "nonlinearity": "pass gain= to the Xavier and orthogonal functions; the he_* functions are "
    "for rectifiers and take the negative slope as a=",
    "negative_slope": "pass a=",
    "stddev": "pass std=",
    "scale": "pass std= to normal, gain= to the Xavier functions or scale= to variance_scaling",
    "minval": "pass low=",
    "maxval": "pass high=",
    "loc": "pass mean=",
    "size": "pass shape=",
    "n": "pass shape=",
    "in_axis": "name the axes by layout=, for example layout='IO'",
    "out_axis": "name the axes by layout=, for example layout='IO'",
    "data_format": "name the axes by layout=, for example layout='HWIO'",
    "fan_in": "pass fans=(fan_in, fan_out)",
    "fan_out": "pass fans=(fan_in, fan_out)",
    "device": "arrays are the CPU's; a tensor of yours is filled by out=",
    "tensor": "pass out=",
}


def refuse_arguments(
    function: Callable[..., Any], misplaced: tuple[object, ...], unknown: Mapping[str, object]
) -> NoReturn:
    """Raise the TypeError of a call with arguments that the function does not have."""
    name = getattr(function, "__name__", "an initialiser")
    known = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if misplaced:
        first = known[0] if known else "dtype"
        raise TypeError(
            f"{name}() takes only shape as a positional argument, not {shown(misplaced[0])} after "
            f"it: pass the others by name, for example {first}={shown(misplaced[0])}"
        )
    wrong = next(iter(unknown))
    hint = _ELSEWHERE.get(wrong, "")
    if wrong == "scale" and "std" in known:
        hint = "pass std="
    raise TypeError(
        f"{name}() has no argument {shown(wrong)}; {hint + '; ' if hint else ''}"
        f"its keyword arguments are {', '.join(known)}"
    )
