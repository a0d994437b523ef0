"""Fans: how many inputs feed a unit and how many outputs it feeds, read from a weight's shape."""

import math
from collections.abc import Sequence
from typing import Literal, SupportsIndex, TypeAlias, get_args

import numpy as np

from . import _core
from ._numbers import finite, integer, not_negative

__all__ = [
    "Gain",
    "Mode",
    "Shape",
    "as_shape",
    "convolution_axes",
    "fan_of",
    "fans",
    "fans_of",
    "gain",
]

Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Nonlinearity: TypeAlias = Literal["linear", "conv", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
Gain: TypeAlias = Nonlinearity | float

_MODES = get_args(Mode)
_NONLINEARITIES = get_args(Nonlinearity)
_GAINS = {"linear": 1.0, "conv": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "selu": 0.75}
_GAINS["relu"] = math.sqrt(2)
_MAX_AXES = 64
_MAX_ITEMS = 1 << 63


def as_shape(shape: Shape) -> tuple[int, ...]:
    """Return shape as a tuple of ints; refuse what no array can have."""
    if isinstance(shape, np.ndarray):
        shape = shape.tolist()
    # Asking Sequence takes as long as a small fill: the usual types are asked about first.
    if isinstance(shape, (tuple, list)) or (
        not isinstance(shape, (int, str, bytes, bytearray)) and isinstance(shape, Sequence)
    ):
        axes: tuple[object, ...] = tuple(shape)
    else:  # an int; integer() names anything else, an iterator that a second look finds empty too
        axes = (shape,)
    result = []
    for n in axes:
        result.append(integer(n, "each length of shape"))
        if result[-1] < 0:
            raise ValueError(f"shape must not be negative: {shape!r}")
    if len(result) > _MAX_AXES:
        raise ValueError(f"shape has {len(result)} axes; NumPy allows {_MAX_AXES}")
    if math.prod(filter(None, result)) >= _MAX_ITEMS:
        raise ValueError(f"shape {shape!r} has 2**63 elements or more")
    return tuple(result)


def fans(
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight.

    Parameters
    ----------
    shape : int or sequence of int
        The stored shape of the whole weight.
    layout : str, optional
        What each axis is: ``O`` out, ``I`` in, ``H``, ``W``, ``D`` (or any other letter) a kernel
        axis, ``B`` or ``G`` an axis outside the fans (experts, groups).  Default ``"OI"`` followed
        by kernel axes, as torch stores weights; Keras and JAX store ``"HWIO"`` and ``"IO"``.
    groups : int
        Groups of a grouped convolution, its I axis being stored per group.
    transposed : bool
        A transposed convolution: the I axis is stored in full, the O axis per group.

    Returns
    -------
    fan_in, fan_out : int
        With k the product of the kernel axes: I·k and O·k/groups; transposed: I·k/groups and O·k.
        Without a layout a 0-D shape has fans (1, 1) and a 1-D shape (n, n).

    Raises
    ------
    ValueError
        If layout does not fit the shape, or groups does not divide the axis.

    Notes
    -----
    Glorot & Bengio (2010), eq. 12, count units; He et al. (2015), eq. 7 and 10, count connections,
    which for a convolution include the kernel.  The stride is ignored, as everywhere.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.fans((256, 128))
    (128, 256)
    >>> wi.fans((64, 3, 7, 7))
    (147, 3136)
    >>> wi.fans((7, 7, 3, 64), layout="HWIO")
    (147, 3136)
    >>> wi.fans((64, 1, 3, 3), groups=64)  # depthwise
    (9, 9)
    """
    return fans_of(as_shape(shape), layout, groups, transposed)


def fans_of(
    axes: tuple[int, ...], layout: str | None, groups: int, transposed: bool
) -> tuple[int, int]:
    """Return the fans of a shape that as_shape has seen."""
    groups = integer(groups, "groups")
    if groups < 1:
        raise ValueError(f"groups must be at least 1, not {groups}")
    if layout is None:
        if len(axes) < 2:
            n = axes[0] if axes else 1
            return n, n
        units_out, units_in, *kernel = axes
    else:
        size = _sizes_by_letter(axes, layout)
        units_out, units_in = (n for name in "OI" for letter, n in size if letter == name)
        kernel = [n for letter, n in size if letter not in "OIBG"]
    if (units_in if transposed else units_out) % groups:
        shared = "I" if transposed else "O"
        raise ValueError(f"groups={groups} does not divide axis {shared} of shape {axes!r}")
    area = math.prod(kernel)
    fan_in, fan_out = units_in * area, units_out * area
    return (fan_in // groups, fan_out) if transposed else (fan_in, fan_out // groups)


def _sizes_by_letter(axes: tuple[int, ...], layout: str) -> list[tuple[str, int]]:
    if not isinstance(layout, str):
        raise TypeError(f"layout must be a str such as 'HWIO', not {layout!r}")
    if not layout.isalpha() or layout.count("O") != 1 or layout.count("I") != 1:
        raise ValueError(f"layout must be letters with one O and one I, not {layout!r}")
    if len(layout) != len(axes):
        raise ValueError(f"layout {layout!r} has {len(layout)} letters for shape {axes!r}")
    return list(zip(layout, axes, strict=True))


def convolution_axes(axes: tuple[int, ...], layout: str | None) -> tuple[int, int, list[int]]:
    """Return which axes of a convolution's weight are O, I and its kernel."""
    if not 3 <= len(axes) <= 5:
        raise ValueError(f"shape must have 3 to 5 axes, not {axes!r}")
    letters = "OI" + "k" * (len(axes) - 2) if layout is None else layout
    _sizes_by_letter(axes, letters)
    if "B" in letters or "G" in letters:
        raise ValueError(f"layout must be O, I and kernel axes here, not {layout!r}")
    kernel = [axis for axis, letter in enumerate(letters) if letter not in "OI"]
    return letters.index("O"), letters.index("I"), kernel


def fan_of(mode: Mode, fan_in: int, fan_out: int) -> float:
    """Return the fan that a mode names."""
    if mode == "fan_in":
        return fan_in
    if mode == "fan_out":
        return fan_out
    if mode == "fan_avg":
        return (fan_in + fan_out) / 2
    if mode == "fan_geo_avg":
        return _core.geometric_mean(fan_in, fan_out)
    raise ValueError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")


def gain(nonlinearity: Gain, param: float | None = None) -> float:
    """Return the factor on std that keeps a signal's scale through a nonlinearity.

    Parameters
    ----------
    nonlinearity : {"linear", "conv", "sigmoid", "tanh", "relu", "leaky_relu", "selu"} or float
        A number is returned as it is, so that a ``gain=`` may be either.
    param : float, optional
        Slope of leaky_relu on the negative side; default 0.01.

    Returns
    -------
    float
        1 for linear, conv and sigmoid, 5/3 for tanh, √2 for relu, √(2/(1+param²)) for leaky_relu,
        3/4 for selu: the values of ``torch.nn.init.calculate_gain``.

    Raises
    ------
    ValueError
        If the nonlinearity is unknown, a number is negative or not finite, or param is not finite
        or does not apply.

    Notes
    -----
    √2 and √(2/(1+a²)) are those of He et al. (2015), eq. 10 and 15. 5/3 is torch's: it offsets
    tanh's slope below 1 away from 0. With 3/4, says torch, SELU networks train more stably than
    with the 1 that makes them self-normalising (Klambauer et al., "Self-normalizing neural
    networks", 2017).

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.gain("relu")
    1.4142135623730951
    >>> wi.gain("leaky_relu", 1)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else finite(param, "param")
        return _core.spread(_core.NORMAL, 2.0, 1.0, slope, 1.0)
    if param is not None:
        raise ValueError(f"param={param!r} belongs to leaky_relu, not to {nonlinearity!r}")
    if isinstance(nonlinearity, str):
        try:
            return _GAINS[nonlinearity]
        except KeyError:
            names = ", ".join(_NONLINEARITIES)
            raise ValueError(
                f"gain must be a number or one of {names}, not {nonlinearity!r}"
            ) from None
    return not_negative(nonlinearity, "gain")
