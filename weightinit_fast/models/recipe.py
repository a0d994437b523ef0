"""Recipe: which initialiser for which tensor of a model."""

import ast
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._resolve.keys import RNGLike, key
from .._resolve.messages import shortened, shown
from .._resolve.target import Target, resolve
from ..initialisers.initializer import (
    Initializer,
    initializer,
    literal,
    parsed_call,
    refuse_text,
)
from ..initialisers.public import own_parameters
from .arithmetic import Number, computed, named_numbers
from .explanation import Explanation, Explanations
from .messages import concerning, listed
from .shapes import Shapes, StrPath, TensorSpec, as_shapes

__all__ = ["Explanation", "Explanations", "Recipe"]

#: The second half of a rule: an Initializer, a function of this package, or a text.
InitializerLike: TypeAlias = Initializer | str | Callable[..., Any]
Rules: TypeAlias = Iterable[tuple[str, InitializerLike]] | Mapping[str, InitializerLike]

_LONGEST_PATTERN = 1000
#: What a pattern that is a regular expression begins with.
_REGEX = "re:"


class Recipe:
    """Which initialiser for which tensor of a model, by name.

    A recipe never changes. Two are equal if their rules and their tied names are equal, however
    they were written. They are hashable and picklable.

    Parameters
    ----------
    rules : sequence of (str, Initializer or str or callable), or dict
        Pairs of a pattern and an initialiser. A tensor is drawn by the first rule whose pattern
        matches its name. A pattern is that of the shell, as :mod:`fnmatch` reads it: ``*`` stands
        for any characters, ``?`` for one, and ``[0-9]`` for one of a set. Or it is ``"re:"`` and a
        regular expression, which has to match the whole name. Upper and lower case differ.

        An initialiser is what `initializer` takes. In a text, the values may be expressions of
        numbers, ``+ - * / **``, parentheses, ``sqrt(...)`` and named numbers, such as
        ``"normal(std=0.02 / sqrt(2 * layers))"``.
    let : dict, optional
        The named numbers: name -> number, or an expression in the names before it.
    same_as : dict, optional
        Tied tensors: name -> name of the tensor whose values it has. The tensor that others are
        tied to is not tied itself.

    Attributes
    ----------
    rules : tuple of (str, Initializer)
    let : dict
        The values of the named numbers.
    same_as : dict

    Raises
    ------
    ValueError, TypeError
        If an initialiser is unknown or has a wrong value, if an expression has none, or if names
        are tied in a chain. The message says in which rule.

    See Also
    --------
    initializer : makes the initialisers.
    shapes : reads the shapes of a model.
    save : writes a model into files by a recipe.

    Examples
    --------
    >>> import numpy as np
    >>> recipe = Recipe(
    ...     [("*.bias", "zeros"), ("*.proj.weight", "normal(std=0.016 / sqrt(2 * layers))"),
    ...      ("*", "normal(std=0.02)")],
    ...     let={"layers": 8},
    ... )
    >>> recipe.initializer_for("h.0.proj.weight")
    initializer("normal(std=0.004)")
    >>> print(recipe.explain({"emb": (100, 8), "h.0.proj.weight": (8, 8), "h.0.proj.bias": 8}))
    tensor           shape    rule           initialiser        law
    emb              100 x 8  *              normal(std=0.02)   normal, std 0.02
    h.0.proj.weight  8 x 8    *.proj.weight  normal(std=0.004)  normal, std 0.004
    h.0.proj.bias    8        *.bias         zeros              constant 0
    >>> tensors = {"emb": np.empty((100, 8)), "h.0.proj.bias": np.empty(8)}
    >>> recipe.fill(tensors, rng=0)
    >>> float(tensors["h.0.proj.bias"].sum())
    0.0
    """

    __slots__ = ("_given", "_matchers", "_numbers", "_rules", "_same_as", "_texts")

    def __init__(
        self,
        rules: Rules,
        *,
        let: Mapping[str, Number | str] | None = None,
        same_as: Mapping[str, str] | None = None,
    ) -> None:
        self._given = _plain_numbers(let or {})
        self._numbers = named_numbers(self._given)
        read, texts, matchers = [], [], []
        for number, rule in enumerate(_pairs(rules), start=1):
            pattern, init, text = _read_rule(number, rule, self._numbers)
            read.append((pattern, init))
            texts.append((pattern, text))
            matchers.append(_matcher(number, pattern))
        self._rules = tuple(read)
        # What the rules are written as: expressions are kept, so that other numbers can be put in.
        self._texts = tuple(texts)
        self._matchers = tuple(matchers)
        self._same_as = _checked_ties(same_as or {})

    @property
    def rules(self) -> tuple[tuple[str, Initializer], ...]:
        """The pairs of a pattern and an initialiser."""
        return self._rules

    @property
    def let(self) -> dict[str, Number]:
        """The values of the named numbers."""
        return dict(self._numbers)

    @property
    def same_as(self) -> dict[str, str]:
        """The tied tensors: name -> name of the tensor whose values it has."""
        return dict(self._same_as)

    def initializer_for(self, name: str) -> Initializer:
        """Return the initialiser that draws the tensor of that name.

        Parameters
        ----------
        name : str
            For a tied name, the initialiser is that of the tensor it is tied to.

        Returns
        -------
        Initializer

        Raises
        ------
        ValueError
            If no rule matches the name.

        Examples
        --------
        >>> Recipe({"*.bias": "zeros", "re:.*": "he_normal"}).initializer_for("fc.weight")
        initializer("he_normal")
        """
        name = self._same_as.get(name, name)
        number = self._rule_for(name)
        if number is None:
            raise ValueError(self._unmatched([name]))
        return self._rules[number][1]

    def plan(self, shapes: Shapes) -> dict[str, Initializer]:
        """Return the initialiser of each tensor that is drawn, after checks of all of them.

        Tied tensors are not in the result, since the tensor that they are tied to is drawn for
        them.

        Parameters
        ----------
        shapes : dict, str or path
            What `shapes` takes.

        Returns
        -------
        dict
            Name -> `Initializer`. The name is the stream of the tensor.

        Raises
        ------
        ValueError, TypeError
            If names match no rule, which are all listed; if an initialiser cannot draw a tensor of
            its shape; or if a tensor is tied to one that is absent, or of another shape.

        Examples
        --------
        >>> recipe = Recipe({"*": "xavier_normal"}, same_as={"head": "emb"})
        >>> recipe.plan({"emb": (100, 8), "head": (100, 8)})
        {'emb': initializer("xavier_normal")}
        >>> recipe.plan({"emb": 100})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: emb: shape (100,) has no fans, as it has fewer than two axes. ...
        """
        return {e.name: e.initializer for e in self.explain(shapes) if e.same_as is None}

    def explain(self, shapes: Shapes) -> Explanations:
        """Say for each tensor which rule takes it, and the distribution of its elements.

        Parameters
        ----------
        shapes : dict, str or path
            What `shapes` takes.

        Returns
        -------
        Explanations
            A tuple of (name, shape, pattern, initializer, law, same_as), which prints as a table.
            Its ``unused`` has the patterns of the rules that take no tensor.

        Raises
        ------
        ValueError, TypeError
            As `plan`.

        Examples
        --------
        >>> Recipe({"*.bias": "zeros", "*": "he_normal"}).explain({"fc.weight": (256, 128)})
        tensor     shape      rule  initialiser  law
        fc.weight  256 x 128  *     he_normal    normal, std 0.125
        Rules that take no tensor: *.bias
        """
        specs = as_shapes(shapes)
        taken_by = {}
        for name in specs:
            taken_by[name] = self._rule_for(self._same_as.get(name, name))
        unmatched = [name for name, number in taken_by.items() if number is None]
        if unmatched:
            raise ValueError(self._unmatched(unmatched))
        explanations = []
        for name, number in taken_by.items():
            assert number is not None
            pattern, init = self._rules[number]
            shape = specs[name].shape
            target = self._same_as.get(name)
            if target is not None:
                _check_tie(name, target, specs)
            with concerning(name):
                law = init.law(shape)
            explanations.append(Explanation(name, shape, pattern, init, law, target))
        used = set(taken_by.values())
        unused = [pattern for n, (pattern, _) in enumerate(self._rules) if n not in used]
        return Explanations(explanations, unused)

    def fill(
        self,
        tensors: Mapping[str, Any],
        *,
        rng: RNGLike = None,
        threads: int | None = None,
    ) -> None:
        """Fill the tensors of a model, or some of them; the stream of each is its name.

        The bits of a tensor depend on the key, its name, its shape and its initialiser alone, and
        not on the other tensors. Everything is checked before anything is written.

        Parameters
        ----------
        tensors : dict
            Name -> array, tensor or buffer: what `normal` takes as ``out``. A tensor that is tied
            to another may share its memory. Otherwise it is given the same bits. A tensor must not
            share memory with one that it is not tied to.
        rng : None, int, Generator or Key, optional
            What `key` takes. All tensors have one key, so that a Generator advances once.
        threads : int, optional
            As in `normal`.

        Raises
        ------
        ValueError, TypeError
            As `plan`, and where a call of the initialiser with this ``out`` raises.

        Examples
        --------
        >>> import numpy as np
        >>> import weightinit_fast as wi
        >>> weight = np.empty((10, 512), np.float32)
        >>> Recipe({"*": "he_normal"}).fill({"fc.weight": weight}, rng=0)
        >>> bool((weight == wi.he_normal((10, 512), rng=0, stream="fc.weight")).all())
        True
        """
        targets: dict[str, Target] = {}
        for name, tensor in tensors.items():
            with concerning(str(name)):
                targets[name] = resolve(None, None, tensor, None)
        plan = self.plan({name: TensorSpec(t.whole, t.kind.name) for name, t in targets.items()})
        draws = [(plan[name], tensors[name], name) for name in plan]
        for name, target in self._same_as.items():
            if name in targets and not _same_memory(targets[name], targets[target]):
                draws.append((plan[target], tensors[name], target))
        one_key = key(rng)
        for init, tensor, stream in draws:
            init(out=tensor, rng=one_key, stream=stream, threads=threads)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict that JSON and TOML can hold, with its expressions.

        Returns
        -------
        dict
            ``{"let": {name: number or expression}, "rule": [{"match": pattern, "init": text}],
            "same_as": {name: name}}``, without what is empty.

        Examples
        --------
        >>> Recipe({"*.bias": "zeros", "*": "normal(std=2 * s)"}, let={"s": 0.01}).to_dict()
        {'let': {'s': 0.01}, 'rule': [{'match': '*.bias', 'init': 'zeros'}, \
{'match': '*', 'init': 'normal(std=2 * s)'}]}
        """
        content: dict[str, Any] = {}
        if self._given:
            content["let"] = dict(self._given)
        content["rule"] = [{"match": pattern, "init": text} for pattern, text in self._texts]
        if self._same_as:
            content["same_as"] = dict(self._same_as)
        return content

    @classmethod
    def from_dict(
        cls, content: Mapping[str, Any], *, let: Mapping[str, Number | str] | None = None
    ) -> "Recipe":
        """Make a recipe from what `to_dict` returns.

        Parameters
        ----------
        content : dict
        let : dict, optional
            Other values for some of the recipe's named numbers.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError, TypeError
            If the dict has keys other than these, or lacks one; if ``let`` has a name that the
            recipe has not; and where `Recipe` raises.

        Examples
        --------
        >>> recipe = Recipe({"*": "normal(std=1 / sqrt(width))"}, let={"width": 4})
        >>> Recipe.from_dict(recipe.to_dict()) == recipe
        True
        >>> Recipe.from_dict(recipe.to_dict(), let={"width": 16}).rules
        (('*', initializer("normal(std=0.25)")),)
        """
        from .recipe_toml import recipe_from_dict  # noqa: PLC0415  it imports this module

        return recipe_from_dict(content, let)

    @classmethod
    def from_toml(cls, path: StrPath, *, let: Mapping[str, Number | str] | None = None) -> "Recipe":
        """Read a recipe from a file in TOML.

        Parameters
        ----------
        path : str, path or file
            A path, or an open file in text or binary mode.
        let : dict, optional
            Other values for some of the recipe's named numbers.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError, TypeError
            As `from_toml_text`; the message begins with the path.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> import io
        >>> Recipe.from_toml(io.StringIO('rule = [{match = "*", init = "zeros"}]'))
        Recipe([('*', 'zeros')])
        """
        from .recipe_toml import recipe_from_file  # noqa: PLC0415

        return recipe_from_file(path, let)

    @classmethod
    def from_toml_text(
        cls, text: str, *, let: Mapping[str, Number | str] | None = None
    ) -> "Recipe":
        """Read a recipe from a text in TOML.

        Parameters
        ----------
        text : str
            ``[let]`` has the named numbers, each ``[[rule]]`` a pattern ``match`` and an
            initialiser ``init``, and ``[same_as]`` the tied tensors. The rules are tried in their
            order.
        let : dict, optional
            Other values for some of the recipe's named numbers.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError, TypeError
            If this is not TOML, and as `from_dict`.

        Examples
        --------
        >>> text = '''
        ... [let]
        ... layers = 8
        ...
        ... [[rule]]
        ... match = "*.proj.weight"
        ... init = "normal(std=0.02 / sqrt(2 * layers))"
        ... '''
        >>> Recipe.from_toml_text(text).rules
        (('*.proj.weight', initializer("normal(std=0.005)")),)
        >>> Recipe.from_toml_text(text, let={"layers": 50}).rules
        (('*.proj.weight', initializer("normal(std=0.002)")),)
        """
        from .recipe_toml import recipe_from_text  # noqa: PLC0415

        return recipe_from_text(text, let)

    def to_toml(self) -> str:
        """Return the recipe as a text in TOML, which `from_toml_text` reads.

        Returns
        -------
        str

        Examples
        --------
        >>> print(Recipe({"*": "normal(std=s)"}, let={"s": 0.02}, same_as={"b": "a"}).to_toml())
        [let]
        s = 0.02
        <BLANKLINE>
        [[rule]]
        match = "*"
        init = "normal(std=s)"
        <BLANKLINE>
        [same_as]
        b = "a"
        <BLANKLINE>
        """
        from .recipe_toml import toml_text  # noqa: PLC0415

        return toml_text(self.to_dict())

    def _rule_for(self, name: str) -> int | None:
        """Return the index of the first rule that matches; None if none does."""
        for number, matches in enumerate(self._matchers):
            if matches(name):
                return number
        return None

    def _unmatched(self, names: list[str]) -> str:
        """Return the message that lists the tensors that no rule takes."""
        patterns = listed(pattern for pattern, _ in self._rules) or "none"
        count = "this tensor" if len(names) == 1 else f"{len(names)} tensors"
        return (
            f"no rule of the recipe matches {count}: {listed(names)}; the patterns are {patterns}. "
            "A last rule with the pattern '*' would take every tensor"
        )

    def __repr__(self) -> str:
        arguments = [repr(list(self._texts))]
        if self._given:
            arguments.append(f"let={self._given!r}")
        if self._same_as:
            arguments.append(f"same_as={self._same_as!r}")
        return f"Recipe({', '.join(arguments)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not Recipe:
            return NotImplemented
        return self._rules == other._rules and self._same_as == other._same_as

    def __hash__(self) -> int:
        return hash((self._rules, frozenset(self._same_as.items())))

    def __reduce__(self) -> tuple[Callable[..., "Recipe"], tuple[dict[str, Any]]]:
        return Recipe.from_dict, (self.to_dict(),)


# Rules --------------------------------------------------------------------------------------------


def _pairs(rules: Rules) -> Iterable[Any]:
    """Return the rules as something to iterate over; a dict has them in its order."""
    if isinstance(rules, Mapping):
        return rules.items()
    if isinstance(rules, (str, bytes)) or not isinstance(rules, Iterable):
        raise TypeError(
            "rules must be pairs of a pattern and an initialiser, such as "
            f"[('*.bias', 'zeros'), ('*', 'normal(std=0.02)')], not {shown(rules)}"
        )
    return rules


def _read_rule(
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
        _check_text(pattern, "a pattern")
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


def _matcher(number: int, pattern: str) -> Callable[[str], object]:
    """Return a function that says whether a name matches."""
    try:
        if pattern.startswith(_REGEX):
            return re.compile(pattern[len(_REGEX) :]).fullmatch
        return re.compile(fnmatch.translate(pattern)).match
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"rule {number}: {shown(pattern)} is no regular expression: {error}"
        ) from None


def _check_text(text: object, what: str) -> None:
    """Refuse what is no text, or a text that no file in UTF-8 can hold."""
    if not isinstance(text, str) or not text:
        raise TypeError(f"{what} must be a str that is not empty, not {shown(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} has half of a surrogate pair: {shown(text)}") from None


def _plain_numbers(let: Mapping[str, Any]) -> dict[str, Number | str]:
    """Return the named numbers as they are given, as plain numbers and texts."""
    if not isinstance(let, Mapping):
        raise TypeError(f"let must be a dict of numbers by name, not {shown(let)}")
    values = named_numbers(let)
    return {k: str(let[k]).strip() if isinstance(let[k], str) else values[k] for k in values}


# Tied tensors -------------------------------------------------------------------------------------


def _checked_ties(same_as: Mapping[str, str]) -> dict[str, str]:
    """Return the tied names; refuse chains and circles of them."""
    if not isinstance(same_as, Mapping):
        raise TypeError(
            f"same_as must be a dict of the names of tied tensors, not {shown(same_as)}"
        )
    for name, target in same_as.items():
        _check_text(name, "same_as: a name")
        _check_text(target, "same_as: a name")
        if name == target:
            raise ValueError(f"same_as: {shown(name)} is tied to itself")
    for name, target in same_as.items():
        if target in same_as:
            path = [name, target]
            while path[-1] in same_as and path[-1] not in path[:-1]:
                path.append(same_as[path[-1]])
            if path[-1] in path[:-1]:
                raise ValueError(f"same_as: names are tied in a circle: {listed(map(shown, path))}")
            raise ValueError(
                f"same_as: {shown(name)} is tied to {shown(target)}, which is itself tied to "
                f"another tensor: tie both to {shown(path[-1])}"
            )
    return {str(name): str(target) for name, target in same_as.items()}


def _check_tie(name: str, target: str, specs: Mapping[str, TensorSpec]) -> None:
    """Refuse a tensor that is tied to one that is absent, or that differs in shape or dtype."""
    if target not in specs:
        raise ValueError(
            f"{shortened(name)} is tied to {shown(target)}, which is not among the tensors"
        )
    mine, other = specs[name], specs[target]
    for what, a, b in (("shape", mine.shape, other.shape), ("dtype", mine.dtype, other.dtype)):
        if a != b:
            raise ValueError(
                f"{shortened(name)} has {what} {shown(a)}, but {shown(target)}, which it is tied "
                f"to, has {what} {shown(b)}"
            )


def _same_memory(a: Target, b: Target) -> bool:
    """Whether two targets are one: the same memory, in the same order."""
    x, y = a.array, b.array
    return bool(
        x.__array_interface__["data"][0] == y.__array_interface__["data"][0]
        and x.strides == y.strides
        and np.shape(x) == np.shape(y)
    )
