"""Draws of a given scale, and orthogonal matrices."""

from __future__ import annotations

from .base import Drawn, SeedLike, keras_classes, public

__all__ = ["Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal"]


@public
class RandomNormal(Drawn, keras_classes.RandomNormal):  # type: ignore[misc]
    """Draw from a normal distribution.

    Parameters
    ----------
    mean, stddev : float
        The mean and the standard deviation.
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import RandomNormal
    >>> RandomNormal(stddev=0.02).rule_for((256, 10))
    initializer("normal(std=0.02)")
    >>> tuple(RandomNormal(stddev=0.02)((256, 10)).shape)
    (256, 10)
    """

    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 0.05,
        seed: SeedLike = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(mean=mean, stddev=stddev, seed=seed, stream=stream)


@public
class TruncatedNormal(Drawn, keras_classes.TruncatedNormal):  # type: ignore[misc]
    """Draw from a normal distribution that is cut off at two standard deviations from the mean.

    Parameters
    ----------
    mean, stddev : float
        The mean and the standard deviation before the cut.
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import TruncatedNormal
    >>> init = TruncatedNormal(stddev=0.02)
    >>> init.rule_for((256, 10)), init.rule_for((256, 10)).law((256, 10)).high
    (initializer("truncated_normal(std=0.02)"), 0.04)
    """

    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 0.05,
        seed: SeedLike = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(mean=mean, stddev=stddev, seed=seed, stream=stream)


@public
class RandomUniform(Drawn, keras_classes.RandomUniform):  # type: ignore[misc]
    """Draw from a uniform distribution.

    Parameters
    ----------
    minval, maxval : float
        The bounds, of which the lower one may be drawn and the upper one is not.
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import RandomUniform
    >>> RandomUniform().rule_for((256, 10))
    initializer("uniform(low=-0.05, high=0.05)")
    """

    def __init__(
        self,
        minval: float = -0.05,
        maxval: float = 0.05,
        seed: SeedLike = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(minval=minval, maxval=maxval, seed=seed, stream=stream)


@public
class Orthogonal(Drawn, keras_classes.Orthogonal):  # type: ignore[misc]
    """Draw gain times a matrix with orthonormal columns, or with orthonormal rows if it is wide.

    Parameters
    ----------
    gain : float, default 1.0
        The factor. All axes but the last one count the rows.
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import Orthogonal
    >>> Orthogonal(gain=2.0).rule_for((3, 3, 64, 128))
    initializer("orthogonal(gain=2.0, column_axis=-1)")
    """

    def __init__(self, gain: float = 1.0, seed: SeedLike = None, *, stream: int | str = 0) -> None:
        super().__init__(gain=gain, seed=seed, stream=stream)
