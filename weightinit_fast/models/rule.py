"""One rule of a recipe: a pattern of names, and an initialiser whose values may be expressions."""

import ast
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from .._resolve.messages import shown
from ..initialisers.initializer import (
    Initializer,
    initializer,
    literal,
    parsed_call,
    refuse_text,
)
from ..initialisers.public import own_parameters
from .arithmetic import Number, computed
from .messages import concerning

__all__ = ["Rules", "check_text", "matcher", "pairs", "read_rule"]

#: The second half of a rule: an Initializer, a function of this package, or a text.
InitializerLike: TypeAlias = Initializer | str | Callable[..., Any]
Rules: TypeAlias = Iterable[tuple[str, InitializerLike]] | Mapping[str, InitializerLike]

_LONGEST_PATTERN = 1000
#: What a pattern that is a regular expression begins with.
_REGEX = "re:"


def pairs(rules: Rules) -> Iterable[Any]:
    """Return the rules as something to iterate over; a dict has them in its order."""
    if isinstance(rules, Mapping):
        return rules.items()
    if isinstance(rules, (str, bytes)) or not isinstance(rules, Iterable):
        raise TypeError(
            "rules must be pairs of a pattern and an initialiser, such as "
            f"[('*.bias', 'zeros'), ('*', 'normal(std=0.02)')], not {shown(rules)}"
        )
    return rules


def read_rule(
    number: int, rule: Any, numbers: Mapping[str, Number]
) -> tuple[str, Initializer, str]:
    """Return the pattern and the initialiser of a rule, and the text that it is written as."""
    if not isinstance(rule, (tuple, list)) or len(rule) != 2:
        raise TypeError(
            f"rule {number} must be a pair of a pattern and an initialiser, such as "
            f"('*.bias', 'zeros'), not {shown(rule)}"
        )
    pattern, function = rule
    with concerning(f"rule {number}"):
        check_text(pattern, "a pattern")
        if len(pattern) > _LONGEST_PATTERN:
            raise ValueError(
                f"a pattern has {len(pattern)} characters, more than {_LONGEST_PATTERN}"
            )
    with concerning(f"rule {number} ({shown(pattern)})"):
        if not isinstance(function, str):
            init = initializer(function)
            return pattern, init, str(init)
        init, has_expressions = _read_text(function, numbers)
        return pattern, init, function.strip() if has_expressions else str(init)


def _read_text(text: str, numbers: Mapping[str, Number]) -> tuple[Initializer, bool]:
    """Return the Initializer of a text, and whether a value of it is an expression."""
    expressions = False

    def value_of(node: ast.expr) -> Any:
        nonlocal expressions
        try:
            return literal(node)
        except ValueError:
            if isinstance(node, (ast.Tuple, ast.List)):
                return tuple(value_of(item) for item in node.elts)
            if isinstance(node, (ast.Dict, ast.Set, ast.Starred)):
                refuse_text(text)
            expressions = True
            source = ast.get_source_segment(text.strip(), node)
            return computed(node, numbers, source or text)

    function, own = parsed_call(text, value_of)
    defaults = own_parameters(function)
    for name, value in own.items():
        # A quotient such as width / 64 is a float, and a count of groups must be an int.
        whole = isinstance(value, float) and value.is_integer()
        if whole and name in defaults and type(defaults[name].default) is int:
            own[name] = int(value)
    return initializer(function, **own), expressions


def matcher(number: int, pattern: str) -> Callable[[str], object]:
    """Return a function that says whether a name matches."""
    try:
        if pattern.startswith(_REGEX):
            return re.compile(pattern[len(_REGEX) :]).fullmatch
        return re.compile(fnmatch.translate(pattern)).match
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"rule {number}: {shown(pattern)} is no regular expression: {error}"
        ) from None


def check_text(text: object, what: str) -> None:
    """Refuse what is no text, or a text that no file in UTF-8 can hold."""
    if not isinstance(text, str) or not text:
        raise TypeError(f"{what} must be a str that is not empty, not {shown(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} has half of a surrogate pair: {shown(text)}") from None
