# Checks that every argument passes which is one number: of the extension, as each is called several
# times for every tensor, and a Python function takes 60 ns where one of these takes 25.
from operator import index as as_index

from libc.math cimport isfinite


cdef object shown = repr  # names a refused value shortly; _resolve/numbers.py sets it
cdef object numpy_bool = None
cdef object other_shape = None  # reads the shapes that as_shape does not know


def register_shown(object function):
    """Set what a message names a refused value by."""
    global shown, numpy_bool
    from numpy import bool_
    shown, numpy_bool = function, bool_


def register_shapes(object function):
    """Set what reads every shape but a tuple of positive ints."""
    global other_shape
    other_shape = function


def integer(object value, str name):
    """Return an integer as an int; refuse bools and what has no exact integer value."""
    if type(value) is int:
        return value
    if isinstance(value, (bool, numpy_bool)):
        raise TypeError(f"{name} must be an integer, not the bool {value}")
    try:
        return as_index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {shown(value)}") from None


def real(object value, str name):
    """Return a number as a float; refuse bools, and text, which float() would read."""
    if type(value) is float:
        return value
    if isinstance(value, (bool, numpy_bool, str, bytes, bytearray)):
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"{name} must be a number, not {shown(value)}") from None
    except OverflowError:
        raise ValueError(f"{name} is too large for a float: {shown(value)}") from None


def finite(object value, str name):
    """Return a finite number as a float."""
    number = value if type(value) is float else real(value, name)
    if not isfinite(<double>number):
        raise ValueError(f"{name} must be finite, not {shown(value)}")
    return number


def not_negative(object value, str name):
    """Return a finite number that is not negative as a float."""
    number = value if type(value) is float else real(value, name)
    if not isfinite(<double>number):
        raise ValueError(f"{name} must be finite, not {shown(value)}")
    if <double>number < 0:
        raise ValueError(f"{name} must not be negative: {number!r}")
    return number


def flag(object value, str name):
    """Return True or False; refuse everything else, such as the text "no", which is true."""
    if isinstance(value, (bool, numpy_bool)):
        return bool(value)
    raise TypeError(f"{name} must be True or False, not {shown(value)}")


def as_shape(object shape):
    """Return shape as a tuple of ints; refuse what no array can have."""
    cdef int64_t n, items = 1
    if type(shape) is not tuple or len(<tuple>shape) > WIF_MAX_AXES:
        return other_shape(shape)
    for entry in <tuple>shape:
        if type(entry) is not int:
            return other_shape(shape)
        try:
            n = entry
        except OverflowError:
            return other_shape(shape)
        if n <= 0 or n > INT64_MAX // items:  # 0 hides the size of the other axes
            return other_shape(shape)
        items *= n
    return shape
