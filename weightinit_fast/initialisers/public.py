"""What makes a function one of the package's initialisers."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

from .rules import Draw, Parameters, Rule, Scaled, ScaledBy

__all__ = [
    "COMMON",
    "INITIALISERS",
    "RULES",
    "drawn_by",
    "initialiser",
    "own_parameters",
    "scaled_by",
]

#: The parameters that every initialiser has behind its own ones.
COMMON = ("dtype", "out", "rng", "stream", "index", "threads")

#: Public name -> function, of every initialiser; aliases have no entry of their own.
INITIALISERS: dict[str, Callable[..., Any]] = {}
#: Function -> what makes its rule of its own parameters, all given by name.
RULES: dict[Callable[..., Any], Callable[..., Rule]] = {}

F = TypeVar("F", bound=Callable[..., Any])


def initialiser(rule: Callable[..., Rule]) -> Callable[[F], F]:
    """Register a function as an initialiser, with what makes its rule.

    The functions catch arguments that they do not have as ``*misplaced`` and ``**unknown``, so that
    their messages can say what to pass. The signature that tools see is without these two.
    """

    def register(function: F) -> F:
        full = signature(function)
        kept = [p for p in full.parameters.values() if p.kind not in _CATCHING]
        function.__signature__ = Signature(kept)  # type: ignore[attr-defined]
        for name in full.parameters.keys() - {p.name for p in kept}:
            function.__annotations__.pop(name, None)
        INITIALISERS[function.__name__] = function
        RULES[function] = rule
        return function

    return register


_CATCHING = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def own_parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return an initialiser's own parameters: those that are not common to all."""
    return {
        p.name: p
        for p in signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in COMMON
    }


def scaled_by(read: Callable[..., ScaledBy], *first: Any) -> Callable[..., Rule]:
    """Return what makes the rule of a function that reads its scale from the shape."""
    return lambda **own: Scaled(read(*first, **own))


def drawn_by(kind: str, read: Callable[..., Parameters]) -> Callable[..., Rule]:
    """Return what makes the rule of a function whose distribution does not depend on the shape."""
    return lambda **own: Draw(kind, read(**own))
