"""The default recipe: the initialisers that the layers of a model hold."""

from __future__ import annotations

from collections.abc import Sequence
from glob import escape
from typing import Any, NamedTuple

from ..initialisers.initializer import Initializer
from ..models.explanation import Explanation
from ..models.messages import concerning, listed
from .framework import keras
from .rules import initializer_of
from .variables import Held, parameters_of, specs_of

__all__ = ["Planned", "default_plan", "default_rules"]


class Planned(NamedTuple):
    """What is to be done with one parameter."""

    held: Held
    explanation: Explanation
    #: The elements that are set to one after the draw.
    ones: slice | None = None

    @property
    def stream(self) -> str:
        """The stream: the name of the parameter, or of the one whose values it has."""
        return self.explanation.same_as or self.held.name


#: Name of a variable -> the layer's attribute that has its initialiser, where the attribute is not
#: called ``<name>_initializer``.
_ATTRIBUTES = {
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "reverse_embeddings": "embeddings_initializer",
}
#: (class of the layer, name of the variable) -> what the layer passes as its initialiser. A class
#: comes before its base.
_FIXED: dict[tuple[Any, str], str] = {
    (keras.layers.AdditiveAttention, "scale"): "glorot_uniform",
    (keras.layers.Attention, "scale"): "ones",
    (keras.layers.Attention, "concat_score_weight"): "ones",
}
if hasattr(keras.layers, "RMSNormalization"):
    _FIXED[keras.layers.RMSNormalization, "scale"] = "ones"


class _Default(NamedTuple):
    initializer: Initializer
    source: str
    ones: slice | None = None


def default_plan(chosen: Sequence[Held]) -> list[Planned]:
    """Return the plan by the layers' own initialisers.

    Raises
    ------
    ValueError
        If a layer does not tell the initialiser of a parameter; all of them are listed.
    """
    specs_of(chosen)  # refuses dtypes
    planned, unknown = [], []
    for one in chosen:
        default = _default_of(one)
        if isinstance(default, str):
            unknown.append(f"{one.name} ({default})")
            continue
        with concerning(one.name):
            law = default.initializer.law(one.shape)
        explanation = Explanation(one.name, one.shape, default.source, default.initializer, law)
        planned.append(Planned(one, explanation, default.ones))
    if unknown:
        count = "this parameter" if len(unknown) == 1 else f"these {len(unknown)} parameters"
        raise ValueError(
            f"the layers do not tell how {count} should be initialised: {listed(unknown)}. Pass a "
            "recipe with a rule for each parameter, such as {'NAME': 'normal(std=0.02)', "
            "**weightinit_fast.keras.default_rules(model)}"
        )
    return planned


def _default_of(one: Held) -> _Default | str:
    """Return the default of a parameter, or why there is none."""
    layer, name = one.layer, one.variable.name
    kind = type(layer).__name__
    given = _initializer_in(layer, name)
    if given is None:
        return f"{kind} has no {name}_initializer"
    rule = initializer_of(_with_axes(given, layer, name), one.shape)
    if rule is None:
        called = getattr(given, "__name__", type(given).__name__)
        return f"{called} of {kind} is no initialiser of Keras"
    ones = None
    if name == "bias" and getattr(layer, "unit_forget_bias", False):
        # Keras sets the bias of the forget gate, the second of four, to one.
        gate = one.shape[0] // 4
        ones = slice(gate, 2 * gate)
        kind = f"{kind}, forget gate ones"
    return _Default(rule, kind, ones)


def _initializer_in(layer: Any, name: str) -> Any:
    """Return the initialiser that a layer has for a variable; None if it has none."""
    attribute = _ATTRIBUTES.get(name, f"{name}_initializer")
    given = getattr(layer, attribute, None)
    if given is None and name == "kernel":
        given = getattr(layer, "depthwise_initializer", None)
    for (kind, variable), fixed in _FIXED.items():
        if given is None and variable == name and isinstance(layer, kind):
            given = fixed
    return given if given is None else keras.initializers.get(given)


def _with_axes(given: Any, layer: Any, name: str) -> Any:
    """Return an initialiser that knows the axes of the kernel of an EinsumDense, as Keras does it.

    Keras tells it only to an initialiser that does not have both already.
    """
    if (
        name != "kernel"
        or not isinstance(layer, keras.layers.EinsumDense)
        or not isinstance(given, keras.initializers.VarianceScaling)
        or not hasattr(given, "input_axes")  # Keras before 3.15
        or not (given.input_axes is None or given.output_axes is None)
    ):
        return given
    inputs, result = layer.equation.replace("...", "").replace(" ", "").split("->")
    axes = list(enumerate(inputs.split(",")[1]))
    config = given.get_config()
    config["seed"] = None
    config["input_axes"] = [axis for axis, letter in axes if letter not in result]
    config["output_axes"] = [axis for axis, letter in axes if letter in result]
    return type(given).from_config(config)


def default_rules(model: Any) -> dict[str, Initializer]:
    """Return the default rules of a model's parameters, to be changed and passed as a recipe.

    Parameters
    ----------
    model : keras.Model or keras.layers.Layer
        It has to be built.

    Returns
    -------
    dict
        Path -> Initializer, without the parameters whose initialiser the layers do not tell. What
        no Initializer can say is not in it: that LSTM sets the bias of the forget gate to one.

    Raises
    ------
    TypeError, ValueError
        If model is no layer of Keras, or is not built.

    Examples
    --------
    >>> import keras
    >>> import weightinit_fast as wi
    >>> model = keras.Sequential(
    ...     [keras.Input((8,)), keras.layers.Dense(4, name="fc")], name="net"
    ... )
    >>> for path, rule in wi.keras.default_rules(model).items():
    ...     print(path, rule)
    net/fc/kernel variance_scaling(mode='fan_avg', distribution='uniform', fans=(8, 4))
    net/fc/bias zeros
    >>> rules = wi.keras.default_rules(model) | {"net/fc/bias": "normal(std=0.01)"}
    >>> print(wi.keras.initialize(model, rules, rng=0)[1].initializer)
    normal(std=0.01)
    """
    rules = {}
    for one in parameters_of(model):
        default = _default_of(one)
        if not isinstance(default, str):
            rules[escape(one.name)] = default.initializer
    return rules
