"""Recipe: which initialiser for which tensor of a model."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import IO, Any

from .._resolve.keys import RNGLike
from .._resolve.messages import shortened, shown
from .._resolve.target import Target, resolve
from ..initialisers.initializer import Initializer
from .arithmetic import Number, named_numbers, plain_numbers
from .explanation import Explanation, Explanations, unused_text
from .filling import fill_all
from .messages import concerning, listed
from .recipe_toml import arguments_of, document, text_and_name, toml_text
from .rule import Rules, check_text, matcher, pairs, read_rule
from .shapes import Shapes, StrPath, TensorSpec, as_shapes, others_of
from .ties import check_separate, check_tie, checked_ties, same_memory

__all__ = ["Explanation", "Explanations", "Recipe"]


#: What fills the parameters of a model of torch, and not its counters.
_PARAMETERS = "{name: p.detach() for name, p in model.named_parameters()}"
#: Patterns that every name matches.
_ALL = ("*", "re:.*")


class Recipe:
    """Which initialiser for which tensor of a model, by name.

    A recipe never changes. Two are equal if their rules and their tied names are equal, however
    they were written. They are hashable and picklable.

    Parameters
    ----------
    rules : sequence of (str, Initializer or str or callable), or dict
        Pairs of a pattern and an initialiser. A tensor is drawn by the first rule whose pattern
        matches its name. A pattern is that of the shell, as ``fnmatch`` reads it: ``*`` stands
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
    as_shapes : reads the shapes of a model.
    save : writes a model into files by a recipe.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> recipe = wi.Recipe(
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
    >>> tensors = {"emb": np.empty((100, 8)), "h.0.proj.weight": np.empty((8, 8))}
    >>> tensors["h.0.proj.bias"] = np.empty(8)
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
        self._given = plain_numbers(let or {})
        self._numbers = named_numbers(self._given)
        read, texts, matchers = [], [], []
        for number, rule in enumerate(pairs(rules), start=1):
            pattern, init, text = read_rule(number, rule, self._numbers)
            read.append((pattern, init))
            texts.append((pattern, text))
            matchers.append(matcher(number, pattern))
        self._rules = tuple(read)
        # What the rules are written as: expressions are kept, so that other numbers can be put in.
        self._texts = tuple(texts)
        self._matchers = tuple(matchers)
        self._same_as = checked_ties(same_as or {})

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
        >>> import weightinit_fast as wi
        >>> wi.Recipe({"*.bias": "zeros", "re:.*": "he_normal"}).initializer_for("fc.weight")
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
            What `as_shapes` takes.

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
        >>> import weightinit_fast as wi
        >>> recipe = wi.Recipe({"*": "xavier_normal"}, same_as={"head": "emb"})
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
            What `as_shapes` takes.

        Returns
        -------
        Explanations
            A tuple of (name, shape, pattern, initializer, law, same_as), which prints as a table.
            Its ``unused`` has the patterns of the rules that take no tensor, except a last ``*``.
            Its ``absent`` has the tied names that are not among the tensors.

        Raises
        ------
        ValueError, TypeError
            As `plan`.

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> wi.Recipe({"*.bias": "zeros", "*": "he_normal"}).explain({"fc.weight": (256, 128)})
        tensor     shape      rule  initialiser  law
        fc.weight  256 x 128  *     he_normal    normal, std 0.125
        Rules that take no tensor: *.bias
        """
        specs = as_shapes(shapes)
        taken_by = self._rules_of(specs)
        explanations = []
        for name, number in taken_by.items():
            pattern, init = self._rules[number]
            shape = specs[name].shape
            target = self._same_as.get(name)
            if target is not None:
                check_tie(name, target, specs)
            with concerning(name):
                law = init.law(shape)
            explanations.append(Explanation(name, shape, pattern, init, law, target))
        absent = {name: target for name, target in self._same_as.items() if name not in specs}
        return Explanations(explanations, self._unused(taken_by), absent)

    def fill(
        self,
        tensors: Mapping[str, Any],
        *,
        rng: RNGLike = None,
        threads: int | None = None,
    ) -> None:
        """Fill the tensors of a model, or some of them; the stream of each is its name.

        The bits of a tensor depend on the key, its name, its shape and its initialiser alone, and
        not on the other tensors. Everything is checked before anything is written. All tensors are
        one fill, whose threads share one queue of tasks.

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

        Warns
        -----
        UserWarning
            If a pattern takes none of the tensors, since it may be misspelt. A last rule ``*`` may.

        Examples
        --------
        >>> import numpy as np
        >>> import weightinit_fast as wi
        >>> weight = np.empty((10, 512), np.float32)
        >>> wi.Recipe({"*": "he_normal"}).fill({"fc.weight": weight}, rng=0)
        >>> bool((weight == wi.he_normal((10, 512), rng=0, stream="fc.weight")).all())
        True
        """
        # On many threads a small model takes no longer than the checks of its tensors, so this does
        # not explain the recipe: fill_all refuses what an initialiser cannot draw.
        if not isinstance(tensors, Mapping):
            advice = f": pass {_PARAMETERS}" if hasattr(tensors, "named_parameters") else ""
            raise TypeError(
                f"tensors must be a dict of names and arrays or tensors, not {shown(tensors)}"
                f"{advice}"
            )
        targets: dict[str, Target] = {}
        for name, tensor in tensors.items():
            check_text(name, "the name of a tensor")
            try:
                targets[name] = resolve(None, None, tensor, None)
            except (ValueError, TypeError, BufferError):
                _refuse_others(tensors)
                with concerning(name):
                    raise
        taken_by = self._rules_of(targets)
        unused = self._unused(taken_by) if targets else []
        if unused:
            warnings.warn(unused_text(unused), stacklevel=2)
        tied = {name: to for name, to in self._same_as.items() if name in targets}
        if tied:
            specs = {name: TensorSpec(t.whole, t.kind.name) for name, t in targets.items()}
            for name, to in tied.items():
                check_tie(name, to, specs)
                if same_memory(targets[name], targets[to]):
                    del targets[name]
        check_separate(targets)
        draws = [
            (self._rules[taken_by[name]][1], target, tied.get(name, name))
            for name, target in targets.items()
        ]
        fill_all(draws, rng, threads)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict that JSON and TOML can hold, with its expressions.

        Returns
        -------
        dict
            ``{"let": {name: number or expression}, "rule": [{"match": pattern, "init": text}],
            "same_as": {name: name}}``, without what is empty.

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> wi.Recipe({"*.bias": "zeros", "*": "normal(std=2 * s)"}, let={"s": 0.01}).to_dict()
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
        >>> import weightinit_fast as wi
        >>> recipe = wi.Recipe({"*": "normal(std=1 / sqrt(width))"}, let={"width": 4})
        >>> wi.Recipe.from_dict(recipe.to_dict()) == recipe
        True
        >>> wi.Recipe.from_dict(recipe.to_dict(), let={"width": 16}).rules
        (('*', initializer("normal(std=0.25)")),)
        """
        return cls(**arguments_of(content, let))

    @classmethod
    def from_toml(
        cls,
        path: StrPath | IO[str] | IO[bytes],
        *,
        let: Mapping[str, Number | str] | None = None,
    ) -> "Recipe":
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
        >>> import weightinit_fast as wi
        >>> import io
        >>> wi.Recipe.from_toml(io.StringIO('rule = [{match = "*", init = "zeros"}]'))
        Recipe([('*', 'zeros')])
        """
        text, name = text_and_name(path)
        with nullcontext() if name is None else concerning(name):
            return cls.from_toml_text(text, let=let)

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
        >>> import weightinit_fast as wi
        >>> text = '''
        ... [let]
        ... layers = 8
        ...
        ... [[rule]]
        ... match = "*.proj.weight"
        ... init = "normal(std=0.02 / sqrt(2 * layers))"
        ... '''
        >>> wi.Recipe.from_toml_text(text).rules
        (('*.proj.weight', initializer("normal(std=0.005)")),)
        >>> wi.Recipe.from_toml_text(text, let={"layers": 50}).rules
        (('*.proj.weight', initializer("normal(std=0.002)")),)
        """
        return cls.from_dict(document(text), let=let)

    def to_toml(self) -> str:
        """Return the recipe as a text in TOML, which `from_toml_text` reads.

        Returns
        -------
        str

        Examples
        --------
        >>> import weightinit_fast as wi
        >>> print(wi.Recipe({"*": "normal(std=s)"}, let={"s": 0.02}, same_as={"b": "a"}).to_toml())
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
        return toml_text(self.to_dict())

    def _rules_of(self, names: Iterable[str]) -> dict[str, int]:
        """Return name -> index of the rule that takes it; list all names that no rule takes."""
        taken_by, unmatched = {}, []
        for name in names:
            number = self._rule_for(self._same_as.get(name, name))
            if number is None:
                unmatched.append(name)
            else:
                taken_by[name] = number
        if unmatched:
            raise ValueError(self._unmatched(unmatched))
        return taken_by

    def _unused(self, taken_by: Mapping[str, int]) -> list[str]:
        """Return the patterns of rules that take no tensor, except a last rule for all others."""
        used = set(taken_by.values())
        last = len(self._rules) - 1
        return [
            pattern
            for number, (pattern, _) in enumerate(self._rules)
            if number not in used and not (number == last and pattern in _ALL)
        ]

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


def _refuse_others(tensors: Mapping[str, Any]) -> None:
    """Refuse tensors of a dtype that is never drawn, with advice; do nothing if there are none."""
    others = others_of(tensors)
    if others:
        count = "1 tensor has" if len(others) == 1 else f"{len(others):,} tensors have"
        first, dtype = next(iter(others.items()))
        raise TypeError(
            f"{count} a dtype that is never drawn, such as {shortened(first)} ({dtype}): leave "
            f"out what is no weight. For a model of torch, pass {_PARAMETERS}"
        )
