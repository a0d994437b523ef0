"""What is drawn from: keys made of NumPy's ``rng`` arguments, streams made of numbers or names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from . import _core
from ._numbers import integer

__all__ = ["Key", "RNGLike", "key", "stream_number"]

_LIMIT = 1 << 64


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A 128-bit key of the stream contract: immutable, hashable, picklable.

    Pass it as ``rng`` wherever a seed or a Generator may stand: nothing is derived from it and
    nothing advances, so that loops and ranks share one key, and other programs can make it from its
    two numbers.

    Parameters
    ----------
    low, high : int
        The key's low and high 64 bits, in [0, 2**64).

    See Also
    --------
    key : derive a Key from anything that ``rng`` takes.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> shared = wi.Key(1, 2)
    >>> shared
    Key(0x1, 0x2)
    >>> a = wi.normal(4, rng=shared, stream="a")
    >>> b = wi.normal(4, rng=shared, stream="b")
    >>> bool((a == b).any())
    False
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            object.__setattr__(self, name, _uint64(value, f"Key: {name}"))

    def __repr__(self) -> str:
        return f"Key({self.low:#x}, {self.high:#x})"


# numpy.random and hashlib are as slow to import as NumPy's core: whoever passes a generator, a seed
# that is no int below 2**64, or a name imports them with the first call.
RNGLike: TypeAlias = (
    "Key | int | Sequence[int] | np.random.SeedSequence | np.random.BitGenerator "
    "| np.random.Generator | np.random.RandomState | None"
)


@cache
def _blake2b() -> Callable[..., Any]:
    from hashlib import blake2b  # noqa: PLC0415

    return blake2b


def _uint64(value: object, name: str) -> int:
    number = integer(value, name)
    if not 0 <= number < _LIMIT:
        raise ValueError(f"{name} must be in [0, 2**64), not {number}")
    return number


def _key_words(rng: RNGLike) -> tuple[int, int]:
    """Return the key's (low, high) for what the engine does not read itself."""
    if isinstance(rng, np.random.Generator):
        raw = rng.bit_generator.random_raw(4)
    elif isinstance(rng, np.random.BitGenerator):
        raw = rng.random_raw(4)
    elif isinstance(rng, np.random.RandomState):
        raw = rng._bit_generator.random_raw(4)
    else:
        raw = _seed_words(rng)
    w0, w1, w2, w3 = raw.tolist()
    low = 0xFFFFFFFF
    return (w0 & low) | (w1 & low) << 32, (w2 & low) | (w3 & low) << 32


def _seed_words(rng: object) -> np.ndarray:
    if isinstance(rng, (bool, np.bool_)):
        raise TypeError(f"rng must not be a bool ({rng}): pass an int, a Generator or a Key")
    if isinstance(rng, (str, bytes)):
        raise TypeError(f"rng must not be {rng!r}: a name belongs into stream=")
    if not isinstance(rng, np.random.SeedSequence):
        try:
            rng = np.random.SeedSequence(rng)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise type(error)(f"rng {rng!r} is not a seed: {error}") from None
    return rng.generate_state(4, np.uint32)


def key(rng: RNGLike = None) -> Key:
    """Return the key that ``rng`` stands for.

    Parameters
    ----------
    rng : None, int, sequence of int, SeedSequence, BitGenerator, Generator, RandomState or Key
        Generators give four ``random_raw()`` draws, the low 32 bits of each, and so advance: the
        next tensor differs.  Everything else is what ``numpy.random.SeedSequence`` takes, and gives
        ``generate_state(4)``.  None takes fresh entropy from the operating system.  A Key is
        returned as it is.

    Returns
    -------
    Key

    Raises
    ------
    TypeError
        If rng is a bool, a string or another type that is no seed.
    ValueError
        If a seed is negative.

    Notes
    -----
    An int is not ``default_rng(int)``: it seeds the key itself.  Both rules rest on what NumPy
    guarantees to keep (NEP 19: the streams of SeedSequence and of the bit generators).

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> wi.key(0)
    Key(0xdb2cd7e7b0f478be, 0xabf4641a2c71ba49)
    >>> wi.key(np.random.default_rng(0)) == wi.key(0)
    False
    >>> wi.key(wi.key(0)) == wi.key(0)
    True
    """
    return rng if type(rng) is Key else Key(*_core.key_words(rng))


def stream_number(stream: int | str) -> int:
    """Return the 64-bit number of a stream given as a number or a name."""
    if isinstance(stream, str):
        return int.from_bytes(_blake2b()(stream.encode(), digest_size=8).digest(), "little")
    return _uint64(stream, "stream")


# Plain ints, Keys and NumPy's own generators never come here: most calls pass one.
_core.register_keys(Key, _key_words, stream_number)
