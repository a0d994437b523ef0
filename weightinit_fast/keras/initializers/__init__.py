"""The initialisers of Keras, drawn by this package: the names, arguments and laws of Keras.

Every class is derived from Keras's class of the same name, so that layers which ask for the class,
such as ``EinsumDense``, find it. It takes one argument more, ``stream=``. The names are those of
``keras.initializers``: the classes, their aliases such as ``he_normal``, and the functions.

========================  ======================================================================
``seed=``                 what a call draws, with ``stream=s`` (the default is 0)
========================  ======================================================================
an int ``n``              the values of ``f(shape, rng=n, stream=s)``, at each call, as in Keras.
                          The second call warns, since two variables would begin equal
a SeedGenerator           those of ``f(shape, rng=Key(seed | calls << 32, 0), stream=s)``, where
                          calls counts what the generator has given before
None                      the same as with a SeedGenerator of its own, whose seed is Keras's default
                          seed: ``keras.utils.set_random_seed`` makes it repeatable
========================  ======================================================================

>>> import keras, numpy as np
>>> import weightinit_fast as wi
>>> from weightinit_fast.keras import initializers
>>> kernel = initializers.RandomNormal(stddev=0.02, seed=0, stream="head")((256, 10))
>>> same = wi.normal((256, 10), std=0.02, rng=0, stream="head")
>>> bool((keras.ops.convert_to_numpy(kernel) == same).all())
True
"""

from __future__ import annotations

from typing import Any

from ..framework import keras
from .constants import Constant, Identity, Ones, Zeros
from .draws import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from .scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "deserialize",
    "get",
    "names",
    "serialize",
]

# What Keras has, and this package leaves to it.
Initializer: Any = keras.initializers.Initializer
STFT: Any = keras.initializers.STFT
stft = STFTInitializer = STFT
serialize: Any = keras.initializers.serialize
deserialize: Any = keras.initializers.deserialize

random_normal = RandomNormal
truncated_normal = TruncatedNormal
random_uniform = RandomUniform
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
he_uniform = HeUniform
he_normal = HeNormal
orthogonal = OrthogonalInitializer = Orthogonal
zeros = Zeros
ones = Ones
constant = Constant
identity = IdentityInitializer = Identity

_CLASSES: tuple[Any, ...] = (
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    LecunUniform,
    LecunNormal,
    HeUniform,
    HeNormal,
    Orthogonal,
    Zeros,
    Ones,
    Constant,
    Identity,
)


def names() -> dict[str, Any]:
    """Return the classes by the names that Keras has for them, such as ``"he_normal"``.

    Within ``keras.saving.custom_object_scope(names())``, Keras takes these classes wherever a layer
    has the name of an initialiser, which is so for all its defaults.

    Returns
    -------
    dict
        Name -> class.

    Examples
    --------
    >>> import keras
    >>> from weightinit_fast.keras import initializers
    >>> with keras.saving.custom_object_scope(initializers.names()):
    ...     layer = keras.layers.Dense(10)
    >>> isinstance(layer.kernel_initializer, initializers.GlorotUniform)
    True
    """
    known = {kind.__name__: kind for kind in _CLASSES}
    known |= {name: kind for name, kind in globals().items() if kind in _CLASSES}
    return known | {"normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros}


def get(identifier: Any) -> Any:
    """Return the initialiser that a name, a config, a class or an array stands for.

    It is ``keras.initializers.get``, except that names stand for the classes of this module.

    Parameters
    ----------
    identifier : str, dict, callable, array or None

    Returns
    -------
    Initializer, callable or None

    Examples
    --------
    >>> from weightinit_fast.keras import initializers
    >>> isinstance(initializers.get("he_normal"), initializers.HeNormal)
    True
    """
    known = names().get(identifier) if isinstance(identifier, str) else None
    return keras.initializers.get(identifier) if known is None else known()
