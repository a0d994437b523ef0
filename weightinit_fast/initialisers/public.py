"""The list of the package's initialisers, and the decorator that puts a function on it."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

from .rules import Draw, Parameters, Rule, ScaledDraw, VarianceRule

__all__ = [
    "ALIASES",
    "COMMON",
    "INITIALISERS",
    "RULES",
    "draw_rule",
    "initialiser",
    "own_parameters",
    "register_aliases",
    "scaled_rule",
]

#: The parameters that follow an initialiser's own, and that all initialisers share. (rows is not
#: there where the elements are not drawn each by itself.)
COMMON = ("dtype", "out", "rng", "stream", "index", "rows", "threads")

#: Public name -> function. Aliases have no entry.
INITIALISERS: dict[str, Callable[..., Any]] = {}
#: Alias -> public name of the same function.
ALIASES: dict[str, str] = {}
#: Initialiser -> function that makes its rule; it takes all of the initialiser's own parameters by
#: name.
RULES: dict[Callable[..., Any], Callable[..., Rule]] = {}

F = TypeVar("F", bound=Callable[..., Any])

_CATCH_ALL = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def initialiser(make_rule: Callable[..., Rule]) -> Callable[[F], F]:
    """Register a function as an initialiser, with the function that makes its rule.

    Initialisers catch arguments that they do not have as ``*misplaced`` and ``**unknown``, so that
    the message can say what to pass instead. The signature that tools see leaves out these two.
    The modules of initialisers postpone their annotations, so that ``help`` prints the names of the
    types, such as Shape and RNGLike, and not their long definitions.
    """

    def register(function: F) -> F:
        full = signature(function)
        kept = [p for p in full.parameters.values() if p.kind not in _CATCH_ALL]
        function.__signature__ = Signature(kept)  # type: ignore[attr-defined]
        for name in full.parameters.keys() - {p.name for p in kept}:
            function.__annotations__.pop(name, None)
        INITIALISERS[function.__name__] = function
        RULES[function] = make_rule
        return function

    return register


def register_aliases(**functions: Callable[..., Any]) -> None:
    """Register second names of initialisers: ``alias=function``.

    The module assigns the alias by a plain ``alias = function`` besides. Type checkers see that the
    two are one function by such an assignment alone.
    """
    ALIASES.update({alias: function.__name__ for alias, function in functions.items()})


def own_parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return an initialiser's own parameters: those that are not common to all."""
    return {
        p.name: p
        for p in signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in COMMON
    }


def scaled_rule(read: Callable[..., VarianceRule], *first: Any) -> Callable[..., Rule]:
    """Return a maker of rules for an initialiser that reads its scale from the shape.

    ``read(*first, **own)`` checks the initialiser's own parameters.
    """
    return lambda **own: ScaledDraw(read(*first, **own))


def draw_rule(kind: str, read: Callable[..., Parameters]) -> Callable[..., Rule]:
    """Return a maker of rules for an initialiser whose distribution does not depend on the shape.

    ``read(**own)`` checks the initialiser's own parameters.
    """
    return lambda **own: Draw(kind, read(**own))
