"""The Initializer of this package that draws what an initialiser of Keras says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .._resolve.messages import shown
from ..initialisers.initializer import Initializer
from ..initialisers.orthogonal import orthogonal
from ..initialisers.plain import constant, normal, ones, truncated_normal, uniform, zeros
from ..initialisers.scaled import variance_scaling
from ..initialisers.structured import identity
from .framework import keras

__all__ = ["fans_of", "initializer_of", "translation_of"]


def initializer_of(given: Any, shape: tuple[int, ...]) -> Initializer | None:
    """Return the Initializer that draws a variable of that shape.

    Parameters
    ----------
    given : keras.initializers.Initializer
        An initialiser of Keras or of this package.
    shape : tuple of int
        The shape of the whole variable.

    Returns
    -------
    Initializer or None
        None if it is no class of Keras or of this package, or one that overrides ``__call__``, or
        a `Constant` whose value is an array.
    """
    # The class that defines __call__ has to be one of Keras's that are known here, or one of this
    # package, which says so by an attribute of its own.
    for kind in type(given).__mro__:
        if "__call__" in vars(kind):
            if kind not in _RULES and "translated_call" not in vars(kind):
                return None
            break
    return translation_of(given, shape)


def translation_of(given: Any, shape: tuple[int, ...]) -> Initializer | None:
    """Return what `initializer_of` does, also for a class that overrides ``__call__``."""
    for kind, rule in _RULES.items():
        if isinstance(given, kind):
            return rule(given, shape)
    return None


def fans_of(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Return (fan_in, fan_out) as Keras reads them from a shape, or from the axes if both are told.

    >>> fans_of((3, 3, 64, 128)), fans_of((10,)), fans_of(()), fans_of((512, 8, 64), [0], [1, 2])
    ((576, 1152), (10, 10), (1, 1), (512, 512))
    """
    if input_axes is not None and output_axes is not None:
        return prod(shape[axis] for axis in input_axes), prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return prod(shape), prod(shape)
    area = prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except Exception:  # whatever the backends raise for tensors that are no numbers
        raise TypeError(f"{name} must be a number, not {shown(value)}") from None


def _normal(given: Any, shape: tuple[int, ...]) -> Initializer:
    own = {"mean": _number(given.mean, "mean"), "std": _number(given.stddev, "stddev")}
    return Initializer(normal, own)


def _truncated_normal(given: Any, shape: tuple[int, ...]) -> Initializer:
    own = {"mean": _number(given.mean, "mean"), "std": _number(given.stddev, "stddev")}
    return Initializer(truncated_normal, own)


def _uniform(given: Any, shape: tuple[int, ...]) -> Initializer:
    own = {"low": _number(given.minval, "minval"), "high": _number(given.maxval, "maxval")}
    return Initializer(uniform, own)


def _variance_scaling(given: Any, shape: tuple[int, ...]) -> Initializer:
    axes = getattr(given, "input_axes", None), getattr(given, "output_axes", None)
    own = {
        "scale": _number(given.scale, "scale"),
        "mode": given.mode,
        "distribution": given.distribution.replace("untruncated_normal", "normal"),
        "fans": fans_of(shape, *axes),
    }
    return Initializer(variance_scaling, own)


def _orthogonal(given: Any, shape: tuple[int, ...]) -> Initializer:
    # Keras flattens all axes but the last one, whose elements count the columns.
    return Initializer(orthogonal, {"gain": _number(given.gain, "gain"), "column_axis": -1})


def _identity(given: Any, shape: tuple[int, ...]) -> Initializer:
    return Initializer(identity, {"gain": _number(given.gain, "gain")})


def _constant(given: Any, shape: tuple[int, ...]) -> Initializer | None:
    value = given.value
    if np.ndim(value) or isinstance(value, (str, complex)):
        return None
    return Initializer(constant, {"value": _number(value, "value")})


#: Class of Keras -> its translation. The order does not matter, since none is derived from another.
_RULES: dict[Any, Callable[[Any, tuple[int, ...]], Initializer | None]] = {
    keras.initializers.RandomNormal: _normal,
    keras.initializers.TruncatedNormal: _truncated_normal,
    keras.initializers.RandomUniform: _uniform,
    keras.initializers.VarianceScaling: _variance_scaling,
    keras.initializers.Orthogonal: _orthogonal,
    keras.initializers.Identity: _identity,
    keras.initializers.Constant: _constant,
    keras.initializers.Zeros: lambda given, shape: Initializer(zeros, {}),
    keras.initializers.Ones: lambda given, shape: Initializer(ones, {}),
}
