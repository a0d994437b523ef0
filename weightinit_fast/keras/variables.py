"""The variables of a model: their names, and which of them are its parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .._resolve.dtypes import NAMES
from .._resolve.messages import did_you_mean, shown
from ..models.messages import listed
from ..models.shapes import TensorSpec
from .framework import keras

__all__ = ["Held", "parameters_of", "selected", "specs_of"]


class Held(NamedTuple):
    """A parameter of a model, and the layer that made it."""

    #: The path of the variable, such as ``"dense/kernel"``.
    name: str
    variable: Any
    layer: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole parameter."""
        return tuple(self.variable.shape)

    @property
    def dtype(self) -> str:
        """The dtype that it is stored in, whatever a layer casts it to."""
        name: str = keras.backend.standardize_dtype(self.variable._dtype)
        return name


def parameters_of(model: Any) -> list[Held]:
    """Return the parameters of a built model or layer, each once, in the order of its weights.

    A parameter is what its layer made to be trained, also where it is frozen now. Other variables
    are none, such as the moving mean of a `BatchNormalization` or the state of a `SeedGenerator`.

    Raises
    ------
    TypeError
        If model is no layer of Keras.
    ValueError
        If it is not built, or if variables share a path.
    """
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(f"model must be a keras.Model or a keras.layers.Layer, not {shown(model)}")
    owners: dict[int, Any] = {}
    layers = model._flatten_layers()
    for layer in layers:
        for variable in layer._trainable_variables:
            # A layer may list a variable of another one, as SpectralNormalization does.
            made_here = variable.path.rpartition("/")[0] == layer.path
            if made_here or id(variable) not in owners:
                owners[id(variable)] = layer
    held = [Held(v.path, v, owners[id(v)]) for v in model.weights if id(v) in owners]
    if not held:
        unbuilt = [layer.name for layer in layers if not layer.built]
        if unbuilt:
            raise ValueError(
                f"the variables are not there yet, since these layers are not built: "
                f"{listed(unbuilt)}. Call the model once, or model.build(input_shape)"
            )
    waiting = [one.name for one in held if getattr(one.variable, "_value", one) is None]
    if waiting:
        raise ValueError(
            "some variables have no values yet, since they were made in a stateless scope: "
            f"{listed(waiting)}. Call the model once outside of it"
        )
    counts = Counter(one.name for one in held)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(
            "some variables have one path, which is their stream, so that they would be drawn with "
            f"the same values: {listed(twice)}. Give the layers that have the same parent names of "
            "their own, as in Dense(10, name='head')"
        )
    return held


def selected(held: list[Held], only: str | Sequence[str] | None) -> list[Held]:
    """Return the parameters whose name matches one of the patterns, all of which must match one."""
    if only is None:
        return held
    patterns = [only] if isinstance(only, str) else only
    if not isinstance(patterns, Sequence) or not all(isinstance(p, str) for p in patterns):
        raise TypeError(f"only must be a pattern of names, or a list of them, not {shown(only)}")
    chosen: set[str] = set()
    for pattern in patterns:
        matching = [one.name for one in held if fnmatchcase(one.name, pattern)]
        if not matching:
            hint = did_you_mean(pattern, [one.name for one in held])
            raise ValueError(
                f"the pattern {shown(pattern)} of only= matches no parameter{'; ' if hint else ''}"
                f"{hint}"
            )
        chosen.update(matching)
    return [one for one in held if one.name in chosen]


def specs_of(held: Sequence[Held]) -> dict[str, TensorSpec]:
    """Return the shapes and dtypes of parameters, which must be ones that can be drawn."""
    wrong = [f"{one.name} ({one.dtype})" for one in held if one.dtype not in NAMES]
    if wrong:
        count = "this parameter has" if len(wrong) == 1 else f"these {len(wrong)} parameters have"
        raise TypeError(
            f"{count} a dtype that is never drawn: {listed(wrong)}; the dtypes are "
            f"{', '.join(NAMES)}. Leave them out by only="
        )
    return {one.name: TensorSpec(one.shape, one.dtype) for one in held}
