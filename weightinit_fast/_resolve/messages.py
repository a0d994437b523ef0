"""Texts of errors: a refused value in few characters, and a hint at what to pass instead."""

from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from reprlib import Repr
from typing import Any, NoReturn

import numpy as np

__all__ = ["did_you_mean", "refuse_arguments", "refuse_keyword", "shortened", "shown"]

#: The most characters that a message shows of a value: three values and the words around them stay
#: below 400.
_LONGEST = 80
#: ints from this size on are described by their length: Python takes long to print a long int, and
#: raises ValueError from 4300 digits on.
_LONG_INT = 10**_LONGEST

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _LONGEST
_REPR.maxlist = _REPR.maxtuple = _REPR.maxarray = _REPR.maxset = _REPR.maxdict = 8


def shown(value: object) -> str:
    """Return the text of a value in a message: its repr, shortened where it is long."""
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
    """Return a text on one line, without its middle where it is longer than ``longest``."""
    text = " ".join(text.split()) if "\n" in text else text
    half = longest // 2 - 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


def did_you_mean(wrong: object, known: Sequence[str], likeness: float = 0.75) -> str:
    """Return a question with the known name that is nearest to a wrong one; "" if none is near.

    Examples
    --------
    >>> did_you_mean("he_nromal", ["he_normal", "zeros"])
    "did you mean 'he_normal'?"
    >>> did_you_mean("abc", ["he_normal", "zeros"])
    ''
    """
    from difflib import get_close_matches  # noqa: PLC0415  it is imported for errors alone

    if not isinstance(wrong, str) or len(wrong) > _LONGEST:
        return ""
    near = get_close_matches(wrong, known, 1, likeness)
    return f"did you mean {shortened(near[0])!r}?" if near else ""


#: Keyword arguments of other libraries -> what to pass here instead.
_OTHER_LIBRARIES = {
    "seed": "pass rng=, which takes the same seeds",
    "random_state": "pass rng=, which takes a seed, a Generator or a RandomState",
    "generator": "pass rng=, which takes a Generator of NumPy or torch",
    "key": "pass rng=, which takes a Key",
    "name": "pass stream=, which takes a name",
    "nonlinearity": "pass gain= to the Xavier and orthogonal functions; the he_* functions are "
    "for ReLU and its variants, and take the slope of the negative side as a=",
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
    "device": "new arrays are in CPU memory; pass out= to fill a tensor",
    "tensor": "pass out=",
    "rows": "rows= is for initialisers that draw every element by itself, as normal does; draw the "
    "whole tensor, and take its rows",
}


def refuse_arguments(
    function: Callable[..., Any], misplaced: tuple[object, ...], unknown: Mapping[str, object]
) -> NoReturn:
    """Raise the TypeError of a call with arguments that the function does not have.

    ``misplaced`` are the positional arguments after shape, ``unknown`` the keyword arguments that
    are none of the function's.
    """
    name = function.__name__
    known = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if misplaced:
        raise TypeError(
            f"{name}() takes only shape as a positional argument, not {shown(misplaced[0])} after "
            f"it: pass the others by name, for example {known[0]}={shown(misplaced[0])}"
        )
    refuse_keyword(next(iter(unknown)), f"{name}() has no argument", known)


def refuse_keyword(wrong: str, problem: str, known: Collection[str]) -> NoReturn:
    """Raise the TypeError of a keyword argument that is none of the known ones."""
    hint = _OTHER_LIBRARIES.get(wrong)
    if wrong == "scale" and "std" in known:
        hint = "pass std="
    hints = [hint] if hint else []
    hints.append(f"the keyword arguments are {', '.join(known)}" if known else "it has none")
    raise TypeError(f"{problem} {shown(wrong)}: {'; '.join(hints)}")
