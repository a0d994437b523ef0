"""The plan of a model: which initialiser draws which parameter, under which stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import escape
from typing import NamedTuple

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from ..initialisers.initializer import Initializer
from ..initialisers.named import xavier_uniform
from ..models.explanation import Explanation
from ..models.messages import concerning, listed
from ..models.recipe import Recipe
from .modules import (
    Default,
    Fans,
    check_fans,
    class_rules,
    default_of,
    has_own_reset,
    is_transformer,
)
from .parameters import Held, check_module, parameters_of, specs_of, walk

__all__ = ["Plan", "Planned", "default_rules", "misspelt", "plan_of"]


class Planned(NamedTuple):
    """What is to be done with one parameter."""

    held: Held
    explanation: Explanation
    #: The row that is zero after the draw.
    zero_row: int | None = None

    @property
    def stream(self) -> str:
        """The stream: the name of the parameter, or of the one whose values it has."""
        return self.explanation.same_as or self.held.name


class Plan(NamedTuple):
    """What is to be done with the parameters of a module."""

    planned: list[Planned]
    #: The patterns of the recipe that take no parameter.
    unused: tuple[str, ...] = ()


def misspelt(plan: Plan, held: Sequence[Held]) -> list[str]:
    """Return the patterns that take no parameter and are the name of none.

    A rule for a name that is there may be hidden on purpose, by one in front of `default_rules`.
    """
    names = {escape(name) for one in held for name in (one.name, *one.others)}
    return [pattern for pattern in plan.unused if pattern not in names]


def plan_of(
    root: nn.Module,
    held: Sequence[Held],
    chosen: Sequence[Held],
    recipe: Recipe | None,
    fans: Fans,
) -> Plan:
    """Return the plan of the chosen ones of a module's parameters.

    Raises
    ------
    ValueError, TypeError
        If a parameter has no rule, all of which are listed, or one that cannot draw it.
    """
    if recipe is None:
        return _default_plan(root, chosen, fans)
    return _recipe_plan(held, chosen, recipe)


def _recipe_plan(held: Sequence[Held], chosen: Sequence[Held], recipe: Recipe) -> Plan:
    same_as = recipe.same_as
    if same_as:
        for one in held:
            _name_by(one, same_as)
    needed = list(chosen)
    if len(chosen) < len(held):
        targets = {same_as[one.name] for one in chosen if one.name in same_as}
        here = {id(one) for one in chosen}
        needed += [one for one in held if one.name in targets and id(one) not in here]
    explanations = recipe.explain(specs_of(needed))
    planned = [Planned(*pair) for pair in zip(chosen, explanations, strict=False)]
    return Plan(planned, explanations.unused)


def _name_by(one: Held, same_as: dict[str, str]) -> None:
    """Give a tied parameter the name that the recipe draws, where it ties the first name to it."""
    names = [one.name, *one.others]
    name = next((n for n in names if same_as.get(n) not in names), one.name)
    one.others = [n for n in names if n != name]
    one.name = name


# The default recipe -------------------------------------------------------------------------------


def _default_plan(root: nn.Module, chosen: Sequence[Held], fans: Fans) -> Plan:
    defaults = _Defaults(root, fans)
    specs_of(chosen)  # refuses dtypes
    planned, unknown = [], []
    for one in chosen:
        default = defaults.rule_for(one)
        if default is None:
            unknown.append(one)
            continue
        with concerning(one.name):
            law = default.initializer.law(one.whole)
        row = default.zero_row
        source = default.source if row is None else f"{default.source}, row {row} zeros"
        explanation = Explanation(one.name, one.whole, source, default.initializer, law)
        planned.append(Planned(one, explanation, row))
    if unknown:
        raise ValueError(_unknown_text(unknown))
    return Plan(planned)


class _Defaults:
    """The default rules of all parameters of a module, by their names."""

    def __init__(self, root: nn.Module, fans: Fans) -> None:
        self._rules: dict[str, Default] = {}
        self._transformers: list[str] = []
        for path, module in walk(root):
            prefix = f"{path}." if path else ""
            if is_transformer(module):
                self._transformers.append(prefix)
            found = class_rules(module, fans)
            if found is None:
                continue
            for key in found[1]:
                # The rule of an outer module comes first and stays, since it resets its children
                # after they have been made.
                default = default_of(module, key, found)
                if default is not None:
                    self._rules.setdefault(prefix + key, default)

    def rule_for(self, one: Held) -> Default | None:
        """Return the default rule of a parameter; None if no class documents one."""
        default = self._rules.get(one.name)
        if self._transformers and len(one.whole) > 1:
            within = any(one.name.startswith(prefix) for prefix in self._transformers)
            if within and (default is None or default.initializer.function is not xavier_uniform):
                return Default(_XAVIER, "Transformer")
        return default


_XAVIER = Initializer(xavier_uniform, {})


def _unknown_text(unknown: Sequence[Held]) -> str:
    """Return the message that lists the parameters without a default rule."""
    names, parametrized, resetting = [], False, False
    for one in unknown:
        module = one.slots[0][0]
        parametrized |= isinstance(module, ParametrizationList) or _is_old_norm(one)
        resetting |= has_own_reset(module)
        names.append(f"{one.name} of {type(module).__name__}")
    count = "this parameter" if len(names) == 1 else f"these {len(names)} parameters"
    text = (
        f"no class of torch.nn documents how {count} should be initialised: {listed(names)}. Pass "
        "a recipe with a rule for each parameter, such as {'NAME': 'normal(std=0.02)', "
        "**weightinit_fast.torch.default_rules(module)}"
    )
    if resetting:
        text += (
            ". (A class that overrides reset_parameters has rules of its own: to draw by them, "
            "call reset_parameters() in a block of weightinit_fast.torch.fast_init(model=module).)"
        )
    if parametrized:
        text += (
            ". (Of a parametrized tensor, initialise the module first, and then register the "
            "parametrization, such as weight_norm.)"
        )
    return text


def _is_old_norm(one: Held) -> bool:
    """Whether a parameter is one that torch.nn.utils.weight_norm or spectral_norm has made."""
    return re.search(r"_(g|v|orig)$", one.name) is not None


def default_rules(module: nn.Module, fans: Fans = "torch") -> dict[str, Initializer]:
    """Return the default rules of a module's parameters, to be changed and passed as a recipe.

    Parameters
    ----------
    module : torch.nn.Module
    fans : {"torch", "layer"}, default "torch"
        As in `initialize`.

    Returns
    -------
    dict
        Name -> Initializer, without the parameters for which no class documents a rule. What no
        Initializer can say is not in it: that the row of ``padding_idx`` of an embedding is zero.

    Raises
    ------
    TypeError, ValueError
        If module is no module, or has uninitialised parameters.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.LayerNorm(4))
    >>> for name, rule in wi.torch.default_rules(net).items():
    ...     print(name, rule)
    0.weight fan_in_uniform
    0.bias fan_in_uniform(fans=(8, 4))
    1.weight ones
    1.bias zeros

    Another rule for one of them, and the defaults for all others:

    >>> report = wi.torch.initialize(net, wi.torch.default_rules(net) | {"0.weight": "he_normal"})
    >>> print(report[0].initializer, report[1].initializer)
    he_normal fan_in_uniform(fans=(8, 4))
    """
    defaults = _Defaults(check_module(module), check_fans(fans))
    rules = {}
    for one in parameters_of(module):
        default = defaults.rule_for(one)
        if default is not None:
            rules[escape(one.name)] = default.initializer
    return rules
