"""Initializer: an object that holds an initialiser with its own parameters bound."""

import ast
from collections.abc import Callable, Mapping
from operator import index as as_int
from typing import Any, NoReturn

import numpy as np

from .._resolve.dtypes import DType
from .._resolve.index import BasicIndex
from .._resolve.keys import RNGLike
from .._resolve.messages import did_you_mean, refuse_arguments, refuse_keyword, shown
from .._resolve.rows import RowIds
from .._resolve.shape import Shape, as_shape
from .._resolve.target import resolve
from .law import Law
from .public import ALIASES, COMMON, INITIALISERS, RULES, own_parameters
from .rules import ElementwiseRule, Rule

__all__ = ["Initializer", "initializer", "literal", "parsed_call", "refuse_text", "rule_of"]

_LONGEST_TEXT = 10_000


class Initializer:
    """An initialiser of this package with its own parameters bound; `initializer` makes one.

    An Initializer never changes. Two are equal if they have the same function and the same
    parameters. They are hashable, so that they can be keys of a dict, and picklable, and
    ``initializer(str(init)) == init``.

    Parameters
    ----------
    function : callable
        An initialiser of this package.
    own : dict
        Its own parameters. `initializer` takes them as keywords.

    Attributes
    ----------
    function : callable
        The initialiser.
    own : dict
        Those of its own parameters that differ from its defaults.

    See Also
    --------
    initializer : makes an Initializer from a function or a text.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> init = wi.initializer("he_normal(a=0.25)")
    >>> init.function.__name__, init.own
    ('he_normal', {'a': 0.25})
    >>> init((64, 3, 7, 7), rng=0, stream="conv1.weight").shape
    (64, 3, 7, 7)
    """

    __slots__ = ("_function", "_own", "_rule", "_text")

    def __init__(self, function: Callable[..., Any], own: Mapping[str, Any]) -> None:
        if not _is_initialiser(function):
            hint = _hint_of(function)
            raise TypeError(
                "initializer takes a function of weightinit_fast, such as he_normal, or a text "
                f"such as 'he_normal(a=0.25)', not {shown(function)}{hint}"
            )
        parameters = own_parameters(function)
        name = function.__name__
        for key in own:
            if key in COMMON or key == "shape":
                raise TypeError(
                    f"{key}= belongs to the call of an Initializer, not to its making: "
                    f"{name}'s own parameters are {', '.join(parameters) or 'none'}"
                )
            if key not in parameters:
                refuse_keyword(key, f"{name} has no parameter of its own called", parameters)
        bound = {}
        for key, parameter in parameters.items():
            if key in own:
                bound[key] = _plain(own[key], parameter.default)
            elif parameter.default is parameter.empty:
                raise TypeError(f"{name} needs {key}=, as in initializer({name}, {key}=...)")
            else:
                bound[key] = parameter.default
        self._function = function
        self._rule = RULES[function](**bound)
        self._own = {k: v for k, v in bound.items() if not _same(v, parameters[k].default)}
        arguments = ", ".join(f"{key}={value!r}" for key, value in self._own.items())
        self._text = f"{name}({arguments})" if arguments else name

    @property
    def function(self) -> Callable[..., Any]:
        """The initialiser."""
        return self._function

    @property
    def own(self) -> dict[str, Any]:
        """Those of its own parameters that differ from its defaults."""
        return dict(self._own)

    def __call__(
        self,
        shape: Shape | None = None,
        *,
        dtype: DType | None = None,
        out: Any = None,
        rng: RNGLike = None,
        stream: int | str = 0,
        index: BasicIndex = None,
        rows: RowIds | None = None,
        threads: int | None = None,
    ) -> Any:
        """Make or fill a tensor, as the function does with the bound parameters.

        Parameters
        ----------
        shape, dtype, out, rng, stream, index, rows, threads
            As in `normal`.

        Returns
        -------
        ndarray, or out
            As in `normal`.

        Raises
        ------
        ValueError, TypeError, MemoryError
            Where the function raises.
        """
        rule = self._rule
        if rows is not None and not isinstance(rule, ElementwiseRule):
            refuse_arguments(self._function, (), {"rows": rows})
        target = resolve(shape, dtype, out, index, rows, rule.zeroed)
        return rule.fill(target, rng, stream, threads)

    def law(self, shape: Shape) -> Law:
        """Return the distribution of an element of a tensor of that whole shape.

        Parameters
        ----------
        shape : int or sequence of int
            The shape of the whole tensor, from which the fans are read.

        Returns
        -------
        Law
            (kind, mean, std, low, high), computed in float64 from the parameters and the fans.

        Raises
        ------
        ValueError, TypeError
            Where a call with this shape raises for every dtype.

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> wi.initializer("xavier_uniform").law((2, 4))
        Law(kind='uniform', mean=0.0, std=0.5773502691896258, low=-1.0, high=1.0)
        """
        return self._rule.law(as_shape(shape))

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"name": ..., parameter: value, ...}``, which JSON and TOML can hold.

        Only the parameters that differ from the defaults are in it. (Infinite and NaN values are
        no standard JSON, though Python's json module writes and reads them.)

        Returns
        -------
        dict

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> wi.initializer(wi.he_normal, a=0.25).to_dict()
        {'name': 'he_normal', 'a': 0.25}
        """
        return {"name": self._function.__name__, **self._own}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Initializer":
        """Make an Initializer from what `to_dict` returns.

        Parameters
        ----------
        content : dict
            The name of an initialiser under ``"name"``, and its own parameters by name.

        Returns
        -------
        Initializer

        Raises
        ------
        ValueError, TypeError
            If there is no initialiser of that name, and where `initializer` raises.

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> wi.Initializer.from_dict({"name": "he_normal", "a": 0.25})
        initializer("he_normal(a=0.25)")
        """
        own = dict(content)
        if "name" not in own:
            raise ValueError(f"the dict of an Initializer needs the key 'name': {shown(content)}")
        return cls(_function_named(own.pop("name")), own)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f'initializer("{self._text}")'

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if type(other) is Initializer else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[Callable[..., "Initializer"], tuple[dict[str, Any]]]:
        return Initializer.from_dict, (self.to_dict(),)


def initializer(function: "Callable[..., Any] | str | Initializer", **own: Any) -> Initializer:
    """Make an Initializer: an object that holds an initialiser with its own parameters bound.

    Parameters
    ----------
    function : callable or str or Initializer
        An initialiser of this package, its name, or a text such as ``"he_normal(a=0.25)"``. An
        Initializer stands for its function and its parameters.
    **own
        The function's own parameters: all but shape, dtype, out, rng, stream, index, rows
        and threads. They override those of a text or an Initializer.

    Returns
    -------
    Initializer
        A callable, with the same keyword arguments as the function except the bound ones.

    Raises
    ------
    TypeError, ValueError
        If the function is no initialiser of this package, has no such parameter, or a value is
        wrong. Everything that does not need a shape or a dtype is checked now.

    Notes
    -----
    A text is a name, or a call whose keyword arguments are literals: numbers, strings, tuples,
    True, False, None, and the names inf and nan. ``ast.literal_eval`` reads them, and no code runs.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> init = wi.initializer(wi.he_normal, a=0.25, layout="HWIO")
    >>> w = init((3, 3, 64, 128), rng=0, stream="conv1")
    >>> same = wi.he_normal((3, 3, 64, 128), a=0.25, layout="HWIO", rng=0, stream="conv1")
    >>> bool((w == same).all())
    True
    >>> str(init)
    "he_normal(a=0.25, layout='HWIO')"
    >>> wi.initializer(str(init)) == init
    True
    >>> init.law((3, 3, 64, 128)).std  # sqrt(2/((1 + 0.25²)·576))
    0.05716619504750295
    """
    if isinstance(function, Initializer):
        found, kept = function.function, function.own
    elif isinstance(function, str):
        found, kept = _parsed(function)
    else:
        found, kept = function, {}
    return Initializer(found, kept | own)


def rule_of(init: Initializer) -> Rule:
    """Return the rule of an Initializer, for the modules of this package."""
    return init._rule


def _is_initialiser(function: object) -> bool:
    try:
        return function in RULES
    except TypeError:  # not hashable
        return False


def _hint_of(function: object) -> str:
    """Return the end of a sentence about a function of another library that is known here."""
    name = getattr(function, "__name__", None)
    name = name.removesuffix("_") if isinstance(name, str) else ""
    return f"; did you mean {name!r}?" if name in INITIALISERS or name in ALIASES else ""


def _function_named(name: object) -> Callable[..., Any]:
    if isinstance(name, str):
        found = INITIALISERS.get(ALIASES.get(name, name))
        if found is not None:
            return found
    hint = did_you_mean(name, [*INITIALISERS, *ALIASES])
    if not hint:
        hint = f"the names are {', '.join(INITIALISERS)}"
    raise ValueError(f"no initialiser is called {shown(name)}; {hint}")


# The text -----------------------------------------------------------------------------------------


def parsed_call(
    text: str, value_of: Callable[[ast.expr], Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Read a name, or a call with keyword arguments; ``value_of`` reads their values."""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(
            f"the text of an initialiser has {len(text)} characters, more than {_LONGEST_TEXT}"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        refuse_text(text)
    if isinstance(tree, ast.Name):
        return _function_named(tree.id), {}
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        refuse_text(text)
    own: dict[str, Any] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            refuse_text(text)
        own[keyword.arg] = value_of(keyword.value)
    return _function_named(tree.func.id), own


def _parsed(text: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Read a name, or a call whose keyword arguments are literals; no code runs."""

    def value_of(node: ast.expr) -> Any:
        try:
            return literal(node)
        except ValueError:
            refuse_text(text)

    return parsed_call(text, value_of)


def literal(node: ast.expr) -> Any:
    """Return the value of a literal; inf and nan are numbers. ValueError says that it is none."""
    try:
        return ast.literal_eval(_Numbers().visit(node))
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError from error


class _Numbers(ast.NodeTransformer):
    """Replace the names inf and nan by the numbers, since they are no literals."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in ("inf", "nan"):
            return ast.Constant(float(node.id))
        return node


def refuse_text(text: str) -> NoReturn:
    """Raise the ValueError of a text that is neither a name nor a call with literals."""
    raise ValueError(
        f"{shown(text)} is no initialiser: write a name, or a name with literal keyword arguments, "
        "such as \"he_normal(a=0.25, layout='HWIO')\""
    ) from None


def _plain(value: Any, default: object) -> Any:
    """Return a parameter's value as a str, bool, int, float, None or tuple, which a text can hold.

    A value that cannot become one of these is returned as it is; the rule refuses it.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item, 0) for item in value)
    try:
        if isinstance(value, (bool, np.bool_)) or value is None:
            return value if value is None else bool(value)
        if type(default) is int:
            return as_int(value)
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _same(value: object, default: object) -> bool:
    """Whether a plain value is the default; repr tells -0.0 from 0.0, and nan is equal to nan."""
    return type(value) is type(default) and repr(value) == repr(default)
