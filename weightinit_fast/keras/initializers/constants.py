"""Constants and the identity matrix."""

from __future__ import annotations

from typing import Any

from .base import Set, keras_classes, public

__all__ = ["Constant", "Identity", "Ones", "Zeros"]


@public
class Zeros(Set, keras_classes.Zeros):  # type: ignore[misc]
    """Set every element to 0.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import Zeros
    >>> float(Zeros()((2, 2))[0, 0])
    0.0
    """


@public
class Ones(Set, keras_classes.Ones):  # type: ignore[misc]
    """Set every element to 1.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import Ones
    >>> float(Ones()((2, 2))[0, 0])
    1.0
    """


@public
class Constant(Set, keras_classes.Constant):  # type: ignore[misc]
    """Set every element to a value, or the tensor to an array.

    Parameters
    ----------
    value : float or array

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import Constant
    >>> float(Constant(0.5)((2, 2))[0, 0])
    0.5
    """

    def __init__(self, value: Any = 0.0) -> None:
        super().__init__(value)


@public
class Identity(Set, keras_classes.Identity):  # type: ignore[misc]
    """Set a matrix to gain on its main diagonal, and to 0 elsewhere.

    Parameters
    ----------
    gain : float, default 1.0

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import Identity
    >>> float(Identity(3.0)((2, 2))[1, 1])
    3.0
    """

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__(gain)
