"""Draws scaled by the fans of the shape."""

from __future__ import annotations

from .base import Axes, Drawn, SeedLike, keras_classes, public

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "VarianceScaling",
]


@public
class VarianceScaling(Drawn, keras_classes.VarianceScaling):  # type: ignore[misc]
    """Draw with mean 0 and variance scale/fan.

    Parameters
    ----------
    scale : float, default 1.0
        The variance times the fan, > 0.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        Which fan to use.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        The distribution. As in Keras, "normal" is another name of "truncated_normal".
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import VarianceScaling
    >>> VarianceScaling(2, "fan_out", "untruncated_normal").rule_for((3, 3, 64, 128))
    initializer("variance_scaling(scale=2.0, mode='fan_out', fans=(576, 1152))")
    >>> VarianceScaling(input_axes=[0], output_axes=[1, 2]).rule_for((512, 8, 64)).own["fans"]
    (512, 512)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(
            scale=scale,
            mode=mode,
            distribution=distribution,
            seed=seed,
            input_axes=input_axes,
            output_axes=output_axes,
            stream=stream,
        )


@public
class GlorotUniform(Drawn, keras_classes.GlorotUniform):  # type: ignore[misc]
    """Draw from a uniform distribution of variance 2/(fan_in + fan_out).

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import GlorotUniform
    >>> print(GlorotUniform(seed=0).rule_for((256, 128)))
    variance_scaling(mode='fan_avg', distribution='uniform', fans=(256, 128))
    >>> tuple(GlorotUniform(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)


@public
class GlorotNormal(Drawn, keras_classes.GlorotNormal):  # type: ignore[misc]
    """Draw from a truncated normal distribution of variance 2/(fan_in + fan_out).

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import GlorotNormal
    >>> print(GlorotNormal(seed=0).rule_for((256, 128)))
    variance_scaling(mode='fan_avg', distribution='truncated_normal', fans=(256, 128))
    >>> tuple(GlorotNormal(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)


@public
class LecunUniform(Drawn, keras_classes.LecunUniform):  # type: ignore[misc]
    """Draw from a uniform distribution of variance 1/fan_in.

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import LecunUniform
    >>> print(LecunUniform(seed=0).rule_for((256, 128)))
    variance_scaling(distribution='uniform', fans=(256, 128))
    >>> tuple(LecunUniform(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)


@public
class LecunNormal(Drawn, keras_classes.LecunNormal):  # type: ignore[misc]
    """Draw from a truncated normal distribution of variance 1/fan_in.

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import LecunNormal
    >>> print(LecunNormal(seed=0).rule_for((256, 128)))
    variance_scaling(distribution='truncated_normal', fans=(256, 128))
    >>> tuple(LecunNormal(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)


@public
class HeUniform(Drawn, keras_classes.HeUniform):  # type: ignore[misc]
    """Draw from a uniform distribution of variance 2/fan_in.

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import HeUniform
    >>> print(HeUniform(seed=0).rule_for((256, 128)))
    variance_scaling(scale=2.0, distribution='uniform', fans=(256, 128))
    >>> tuple(HeUniform(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)


@public
class HeNormal(Drawn, keras_classes.HeNormal):  # type: ignore[misc]
    """Draw from a truncated normal distribution of variance 2/fan_in.

    Parameters
    ----------
    seed : int or keras.random.SeedGenerator, optional
        As in Keras; see the table of the module.
    input_axes, output_axes : list of int, optional
        The axes of the shape whose lengths make fan_in and fan_out. ``EinsumDense`` fills them in.
    stream : int or str, default 0
        The stream: initialisers with one seed and other streams draw other values.

    Examples
    --------
    >>> from weightinit_fast.keras.initializers import HeNormal
    >>> print(HeNormal(seed=0).rule_for((256, 128)))
    variance_scaling(scale=2.0, distribution='truncated_normal', fans=(256, 128))
    >>> tuple(HeNormal(seed=0)((256, 128)).shape)
    (256, 128)
    """

    def __init__(
        self,
        seed: SeedLike = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
        *,
        stream: int | str = 0,
    ) -> None:
        super().__init__(seed=seed, input_axes=input_axes, output_axes=output_axes, stream=stream)
