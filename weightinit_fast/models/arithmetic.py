"""Arithmetic of recipes: numbers, + - * / **, parentheses, sqrt and named numbers, nothing more.

Recipes come in files from strangers. Python's own parser reads a text into a tree, and this module
computes the few kinds of nodes that are listed below. Every other node is refused, so no code runs.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, NoReturn, TypeAlias

import numpy as np

from .._resolve.messages import shown

__all__ = ["Number", "computed", "evaluate", "named_numbers", "plain_numbers"]

Number: TypeAlias = int | float

_LONGEST_TEXT = 1000
#: Levels of nesting; each of the operators in "1 + 2 + 3" is one. Python's own stack holds more.
_DEEPEST = 100
#: ints of this size or more are turned into floats, so that no int ever becomes long.
_INT_LIMIT = 1 << 63

#: Python's parser would read other letters than these as the same name (it normalises them).
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names that mean something else in the text of an initialiser.
_TAKEN = ("sqrt", "inf", "nan")


def evaluate(text: str, names: Mapping[str, Number]) -> Number:
    """Return the value of an expression in the named numbers.

    Integers stay ints under + - * and under ** with an exponent that is not negative, while they
    are below 2**63. Everything else is computed in float64. The operators + - * / and sqrt are
    rounded correctly, so that their results are the same on every machine. A power of floats is
    what the C library of the machine makes of it.

    Parameters
    ----------
    text : str
    names : dict
        Name -> value.

    Returns
    -------
    int or float
        It is finite.

    Raises
    ------
    ValueError
        If the text is no such expression, has an unknown name, or has no finite value.

    Examples
    --------
    >>> evaluate("0.02 / sqrt(2 * layers)", {"layers": 12})
    0.004082482904638631
    >>> evaluate("2**10 - 1", {})
    1023
    """
    if not isinstance(text, str):
        raise TypeError(f"an expression must be a str, not {shown(text)}")
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"an expression has {len(text)} characters, more than {_LONGEST_TEXT}")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        _refuse(text, "is no arithmetic")
    return computed(node, names, text)


def computed(node: ast.expr, names: Mapping[str, Number], text: str) -> Number:
    """Return the value of a parsed expression; ``text`` is shown in messages."""
    try:
        return _value(node, names, text, 0)
    except ZeroDivisionError:
        problem = "divides by zero"
    except OverflowError:
        problem = "has no finite value"
    raise ValueError(f"the expression {shown(text)} {problem}")


def named_numbers(let: Mapping[str, Number | str]) -> dict[str, Number]:
    """Return the values of named numbers, each a number or an expression in the names before it.

    Examples
    --------
    >>> named_numbers({"layers": 12, "std": "0.02 / sqrt(2 * layers)"})
    {'layers': 12, 'std': 0.004082482904638631}
    """
    numbers: dict[str, Number] = {}
    for name, given in let.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"let: {shown(name)} is no name for a number: write letters A to Z, digits and _"
            )
        if name in _TAKEN or iskeyword(name):
            raise ValueError(f"let: the name {name!r} has a meaning of its own; choose another")
        if isinstance(given, str):
            try:
                numbers[name] = evaluate(given, numbers)
            except ValueError as error:
                raise ValueError(f"let: {name}: {error}") from None
        else:
            numbers[name] = _plain(name, given)
    return numbers


def plain_numbers(let: Mapping[str, Any]) -> dict[str, Number | str]:
    """Return the named numbers as they are given, as plain numbers and texts."""
    if not isinstance(let, Mapping):
        raise TypeError(f"let must be a dict of numbers by name, not {shown(let)}")
    values = named_numbers(let)
    return {k: str(let[k]).strip() if isinstance(let[k], str) else values[k] for k in values}


def _plain(name: str, given: object) -> Number:
    """Return a number of the caller as an int or a float of Python."""
    if isinstance(given, (bool, np.bool_)) or not isinstance(given, (int, float, np.number)):
        raise TypeError(f"let: {name} must be a number or an expression, not {shown(given)}")
    if isinstance(given, np.complexfloating):
        raise TypeError(f"let: {name} must be a real number, not {shown(given)}")
    try:
        number = _limited(int(given) if isinstance(given, (int, np.integer)) else float(given))
    except OverflowError:
        raise ValueError(f"let: {name} must be finite, not {shown(given)}") from None
    return number


def _limited(number: object) -> Number:
    """Return a result that is finite and short: long ints become floats."""
    if isinstance(number, int):
        if -_INT_LIMIT < number < _INT_LIMIT:
            return number
        number = float(number)
    if not isinstance(number, float):  # complex: a fractional power of a negative number
        raise _NotRealError
    if not math.isfinite(number):
        raise OverflowError
    return number


class _NotRealError(Exception):
    """A result is not a real number."""


def _power(base: Number, exponent: Number) -> object:
    """Return base**exponent, by way of floats unless the result is a short int."""
    result: object = float(base) ** exponent
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        # Only now is it known that the int is short. 10**(10**9) would take long, and its float
        # has raised OverflowError above.
        assert isinstance(result, float)
        if abs(result) <= 2 * _INT_LIMIT:
            return base**exponent
    return result


_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
}


def _value(node: ast.expr, names: Mapping[str, Number], text: str, depth: int) -> Number:
    """Return the value of one node of the tree."""
    if depth > _DEEPEST:
        _refuse(text, f"is nested more than {_DEEPEST} levels deep")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _limited(number)
        case ast.Name(id=name):
            if name in names:
                return names[name]
            there = f"the named numbers are {', '.join(names)}" if names else "no number has a name"
            raise ValueError(f"the expression {shown(text)} has the unknown name {name!r}; {there}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names, text, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            a = _value(left, names, text, depth + 1)
            b = _value(right, names, text, depth + 1)
            try:
                return _limited(_OPERATORS[type(op)](a, b))
            except _NotRealError:
                _refuse(text, "is not a real number")
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            number = _value(argument, names, text, depth + 1)
            if number < 0:
                _refuse(text, "takes the root of a negative number")
            return math.sqrt(number)
    _refuse(text, "is no arithmetic")


def _refuse(text: str, problem: str) -> NoReturn:
    """Raise the ValueError of an expression that cannot be computed."""
    raise ValueError(
        f"the expression {shown(text)} {problem}: write numbers, names, + - * / **, parentheses "
        "and sqrt(...)"
    ) from None
