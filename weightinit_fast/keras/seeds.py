"""What the argument seed= of an initialiser of Keras means, and the key of each call."""

from __future__ import annotations

import sys
import warnings
from itertools import count
from typing import Any

import numpy as np

from .._resolve.keys import Key
from .._resolve.keys import key as key_of
from .framework import in_stateless_scope, keras

__all__ = ["Seed", "generator_in", "kept", "key_of_call", "key_of_generator"]

_LOW32 = 0xFFFFFFFF


class Seed(int):
    """The int seed of an initialiser, which knows how often it has been drawn with.

    Copies of the initialiser share the object. Layers copy their initialisers:
    ``MultiHeadAttention`` makes its projections from ``from_config(get_config())``, and
    ``EinsumDense`` puts the attribute ``seed`` into the config. Ints and texts in a config are not
    copied, so that the object comes along. Files hold it as the int that it is.

    Parameters
    ----------
    value : int
    fresh : bool
        Whether every call draws other values. It is so where the user gave no seed.
    """

    fresh: bool
    _calls: count[int]

    def __new__(cls, value: int, fresh: bool = False) -> Seed:
        """Make the seed, with which nothing has been drawn yet."""
        made = super().__new__(cls, value)
        made.fresh = fresh
        made._calls = count()
        return made

    def next_call(self) -> int:
        """Return how many calls there have been before this one."""
        return next(self._calls)

    def __copy__(self) -> Seed:
        return self

    def __deepcopy__(self, memo: Any) -> Seed:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Seed, (int(self), self.fresh)


class _ClassName(str):
    """The name of the class SeedGenerator in a config, which also keeps the generator itself."""

    generator: Any

    def __deepcopy__(self, memo: Any) -> _ClassName:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def kept(config: dict[str, Any], generator: Any) -> dict[str, Any]:
    """Return the config of a SeedGenerator, which keeps the generator for copies of an initialiser.

    A copy that is made in the same process then shares the generator, and draws what comes next. A
    copy by Keras begins with the first seed again. So the query, the key and the value projections
    of a ``MultiHeadAttention`` would be equal, and the two layers of a ``Bidirectional``.
    """
    name = _ClassName(config["class_name"])
    name.generator = generator
    return {**config, "class_name": name}


def generator_in(seed: Any) -> Any:
    """Return the generator that a config has kept; anything else is returned as it is."""
    name = seed.get("class_name") if isinstance(seed, dict) else None
    return name.generator if isinstance(name, _ClassName) else seed


def key_of_call(seed: Seed, stream: int | str, name: str) -> Key:
    """Return the key of a call of an initialiser with an int as its seed, or with none.

    Warns
    -----
    UserWarning
        If an int seed is drawn with for the second time.
    """
    # A call whose values are thrown away does not count: how many of them there are depends on the
    # backend.
    call = 0 if in_stateless_scope() else seed.next_call()
    if seed.fresh:
        return Key(int(seed) | call << 32, 0)
    if call == 1:
        warnings.warn(_repeats(seed, stream, name), stacklevel=_level_of_user())
    return key_of(int(seed))


def _level_of_user() -> int:
    """Return the stacklevel of the first caller outside of this package, Keras and its backends."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("weightinit_fast", "keras", "tensorflow", "jax"):
            break
        frame, level = frame.f_back, level + 1
    return level


def _repeats(seed: Seed, stream: int | str, name: str) -> str:
    given = f"seed={int(seed)}" + (f", stream={stream!r}" if stream != 0 else "")
    return (
        f"{name}({given}) has been called before, and gives the same values again: variables that "
        "share it begin equal, and so do those of its copies. For other values at each call pass "
        f"seed=None or seed=keras.random.SeedGenerator({int(seed)}); for other values in each "
        "layer pass each an initialiser with a stream= of its own; or draw the whole model by "
        f"weightinit_fast.keras.initialize(model, rng={int(seed)})"
    )


def key_of_generator(generator: Any) -> Any:
    """Return the key of the next call of a SeedGenerator, which advances.

    Its two words are its seed and a count. Where a traced function draws with it, they are returned
    as the tensor that they are, since their values are not known yet.
    """
    state = generator.next()
    try:
        words = np.asarray(keras.ops.convert_to_numpy(state)).astype(np.int64)
    except Exception:  # whatever the backends raise for a traced tensor
        return state
    seed, calls = (word & _LOW32 for word in words.tolist())
    return Key(seed | calls << 32, 0)
