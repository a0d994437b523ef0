"""What the classes of this folder share: the draw, the seed and the stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from ... import _core
from ..._resolve.dtypes import NAMES
from ..._resolve.keys import Key
from ..._resolve.shape import Shape, as_shape
from ...initialisers.initializer import Initializer as Rule
from ..framework import keras
from ..rules import translation_of
from ..seeds import Seed, generator_in, kept, key_of_call, key_of_generator
from ..tensors import draw, placed_on

__all__ = ["Axes", "Drawn", "SeedLike", "Set", "keras_classes", "public"]

#: What seed= takes: an int, a keras.random.SeedGenerator, its config, or None.
SeedLike: TypeAlias = Any
#: What input_axes= and output_axes= take.
Axes: TypeAlias = Sequence[int] | None

keras_classes: Any = keras.initializers
_register: Any = keras.saving.register_keras_serializable(package="weightinit_fast")


def public(kind: Any) -> Any:
    """Register a class, so that Keras saves and loads it, under the name of the public module."""
    kind.__module__ = "weightinit_fast.keras.initializers"
    return _register(kind)


class Drawn:
    """The base of the classes with a seed: it draws, where Keras's class calls keras.random."""

    translated_call = True
    seed: Any
    stream: int | str
    _init_seed: Any

    def __init__(self, *, seed: SeedLike, stream: int | str, **own: Any) -> None:
        # Versions of Keras before 3.15 have no axes.
        own = {k: v for k, v in own.items() if v is not None or not k.endswith("_axes")}
        given = generator_in(seed)
        super().__init__(seed=given, **own)  # type: ignore[call-arg]
        if isinstance(self.seed, int):
            self.seed = given if isinstance(given, Seed) else Seed(self.seed, fresh=given is None)
            if given is not None:
                self._init_seed = self.seed  # the config holds the Seed that copies share
        _core.stream_number(stream)  # refuses what is no stream
        self.stream = stream if isinstance(stream, str) else int(stream)
        self.rule_for((1,) * 32)  # refuses wrong values, whatever the axes are

    def rule_for(self, shape: Shape) -> Rule:
        """Return the `weightinit_fast.Initializer` that draws a variable of that shape."""
        rule = translation_of(self, as_shape(shape))
        assert rule is not None
        return rule

    def __call__(self, shape: Shape, dtype: Any = None, layout: Any = None) -> Any:
        """Return a tensor of the backend with drawn values.

        Parameters
        ----------
        shape : int or sequence of int
            The shape of the whole tensor.
        dtype : str, optional
            A type of floating-point numbers. The default is ``keras.config.floatx()``.
        layout : keras.distribution.TensorLayout or jax.sharding.Sharding, optional
            How the devices share the tensor, with the backend JAX. Each device is given its part,
            and nothing else is drawn.
        """
        whole = as_shape(shape)
        kind = keras.backend.standardize_dtype(dtype)
        return draw(self.rule_for(whole), self._key, self.stream, whole, kind, layout)

    def _key(self) -> Any:
        if not isinstance(self.seed, int):
            return key_of_generator(self.seed)
        if not isinstance(self.seed, Seed):  # somebody has set the attribute
            self.seed = Seed(self.seed)
        return key_of_call(self.seed, self.stream, type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as Keras saves them."""
        config = super().get_config()  # type: ignore[misc]
        if isinstance(config["seed"], dict):
            config["seed"] = kept(config["seed"], self.seed)
        # Without a stream, Keras's class reads the config too, where this package is not imported.
        return config if self.stream == 0 else {**config, "stream": self.stream}


class Set:
    """The base of the classes without a seed, which are Keras's and take a layout besides."""

    translated_call = True

    def __call__(self, shape: Shape, dtype: Any = None, layout: Any = None) -> Any:
        """Return a tensor of the backend; the arguments are those of `RandomNormal`."""
        whole = as_shape(shape)
        kind = keras.backend.standardize_dtype(dtype)
        rule = translation_of(self, whole)
        if layout is not None and rule is not None and kind in NAMES:
            # The engine refuses what Keras does not: infinite values, and those that overflow.
            with suppress(ValueError):
                return draw(rule, _no_key, 0, whole, kind, layout)
        return placed_on(super().__call__(whole, dtype=kind), layout)  # type: ignore[misc]


def _no_key() -> Key:
    return Key(0, 0)
