# Checks of arguments: every argument that is one number, every flag, and the usual shapes.  They
# are in the extension because a call checks several arguments, and a Python function takes 60 ns
# where one of these takes 25 ns.
from operator import index as as_index

from libc.math cimport isfinite


cdef object shown = repr  # describes a refused value briefly; _resolve/numbers.py sets it
cdef object numpy_bool = None  # numpy.bool_, from the same call
cdef object other_shape = None  # reads the shapes that as_shape leaves; _resolve/shape.py sets it


def register_shown(object function):
    """Set the function that describes a refused value in a message."""
    global shown, numpy_bool
    from numpy import bool_
    shown, numpy_bool = function, bool_


def register_shapes(object function):
    """Set the function that reads the shapes left by as_shape: all but tuples of positive ints."""
    global other_shape
    other_shape = function


def integer(object value, str name):
    """Return an integer as an int; refuse bools, and values that are no integers."""
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
    """Return shape as a tuple of ints; refuse shapes that no array can have."""
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
        # A length of 0 goes to other_shape too: it would hide a product of the others that is too
        # large for an array.
        if n <= 0 or n > INT64_MAX // items:
            return other_shape(shape)
        items *= n
    return shape
