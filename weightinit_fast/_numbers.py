"""Checks that every argument passes which is one number."""

from math import isfinite
from operator import index as as_int

import numpy as np

__all__ = ["finite", "integer", "not_negative", "real"]


def integer(value: object, name: str) -> int:
    """Return an integer as an int; refuse bools and what has no exact integer value."""
    if type(value) is int:
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not the bool {value}")
    try:
        return as_int(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None


def real(value: object, name: str) -> float:
    """Return a number as a float; refuse text, which float() would read."""
    if type(value) is float:
        return value
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        return float(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    except OverflowError:
        raise ValueError(f"{name} is too large for a float: {value!r}") from None


def finite(value: object, name: str) -> float:
    """Return a finite number as a float."""
    number = value if type(value) is float else real(value, name)
    if not isfinite(number):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return number


def not_negative(value: object, name: str) -> float:
    """Return a finite number that is not negative as a float."""
    number = finite(value, name)
    if number < 0:
        raise ValueError(f"{name} must not be negative: {number!r}")
    return number
