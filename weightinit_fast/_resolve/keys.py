"""Read rng= into a key of 128 bits, and stream= into a number."""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ForwardRef, Protocol, TypeAlias, Union

import numpy as np

from .. import _core
from .messages import shortened, shown
from .numbers import integer

__all__ = ["Key", "RNGLike", "key"]

_LIMIT = 1 << 64
_LOW32 = 0xFFFFFFFF
_LOWEST = -(1 << 63)


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A 128-bit key of the stream contract: immutable, hashable, picklable.

    A Key may be passed as ``rng`` wherever a seed or a Generator may be. It is used as it is and
    never advances, so that all calls and all processes can share one key, and other programs can
    make it from its two numbers.

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
            number = integer(getattr(self, name), f"Key: {name}")
            if not 0 <= number < _LIMIT:
                raise ValueError(f"Key: {name} must be in [0, 2**64), not {shown(number)}")
            object.__setattr__(self, name, number)

    def __repr__(self) -> str:
        return f"Key({self.low:#x}, {self.high:#x})"


class TorchGenerator(Protocol):
    """torch.Generator as a type checker knows it by its methods; torch itself is not imported."""

    def initial_seed(self) -> int:
        """Return the seed that the generator began with."""

    def manual_seed(self, seed: int, /) -> Any:
        """Begin again with a seed."""


# Importing numpy.random takes as long as importing NumPy's core. It is imported when somebody first
# passes something other than a Key or an int below 2**64. So the alias names its classes as text,
# which typing.get_type_hints resolves in this module.
if TYPE_CHECKING:
    RNGLike: TypeAlias = (
        Key
        | int
        | Sequence[int]
        | np.random.SeedSequence
        | np.random.BitGenerator
        | np.random.Generator
        | np.random.RandomState
        | TorchGenerator
        | None
    )
else:
    _CLASSES = ("SeedSequence", "BitGenerator", "Generator", "RandomState")
    _NUMPY = [ForwardRef(f"np.random.{name}", module=__name__) for name in _CLASSES]
    RNGLike = Union[(Key, int, Sequence[int], *_NUMPY, TorchGenerator, None)]


def _key_words(rng: RNGLike) -> tuple[int, int]:
    """Return the two numbers of the key for every rng that the extension does not read itself."""
    if isinstance(rng, np.random.Generator):
        raw = _ready(rng.bit_generator).random_raw(4)
    elif isinstance(rng, np.random.BitGenerator):
        raw = _ready(rng).random_raw(4)
    elif isinstance(rng, np.random.RandomState):
        raw = _ready(rng._bit_generator).random_raw(4)
    elif type(rng).__module__ == "torch._C" and type(rng).__name__ == "Generator":
        return _torch_words(rng)
    else:
        raw = _seed_words(rng)
    w0, w1, w2, w3 = raw.tolist()
    return (w0 & _LOW32) | (w1 & _LOW32) << 32, (w2 & _LOW32) | (w3 & _LOW32) << 32


def _ready(bits: Any) -> Any:
    """Return a bit generator, unless it is one of NumPy's that is not initialised.

    NumPy does not check this: random_raw would end the process.
    """
    if isinstance(bits, np.random.BitGenerator):
        # The capsule of the base class, since a subclass may define another attribute of that name.
        _core.check_bit_generator(bits, np.random.BitGenerator.capsule.__get__(bits))
    return bits


#: What each thread keeps to draw from torch's generators of the CPU.
_torch_buffer = threading.local()


def _torch_words(generator: Any) -> tuple[int, int]:
    """Draw 128 bits from a torch.Generator, which advances.

    The extension does so for generators of the CPU, once it knows the class.
    """
    _core.register_torch(type(generator), _torch_buffer, _torch_methods)
    torch = sys.modules["torch"]
    words = torch.empty(2, dtype=torch.int64, device=generator.device)
    words.random_(_LOWEST, None, generator=generator)
    low, high = words.tolist()
    return low % _LIMIT, high % _LIMIT


def _torch_methods() -> tuple[Callable[..., Any], Callable[[], list[int]], Any]:
    """Return methods that draw into two words and that read them, and torch's default generator."""
    torch = sys.modules["torch"]
    # A tensor that is made in InferenceMode cannot be drawn into outside of it.
    with torch.inference_mode(False):
        words = torch.zeros(2, dtype=torch.int64, device="cpu")
    return words.random_, words.numpy().view(np.uint64).tolist, torch.default_generator


def _seed_words(rng: object) -> np.ndarray:
    """Return four words of 32 bits from a seed, as SeedSequence makes them."""
    if isinstance(rng, (bool, np.bool_)):
        raise TypeError(f"rng must not be a bool ({rng}): pass an int, a Generator or a Key")
    if isinstance(rng, (str, bytes)):
        raise TypeError(f"rng must not be {shown(rng)}: pass a name as stream=")
    if not isinstance(rng, np.random.SeedSequence):
        numbers = None if rng is None else _flat(rng, rng)
        try:
            rng = np.random.SeedSequence(numbers)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"rng {shown(rng)} is not a seed: {shortened(str(error), 160)}"
            ) from None
    return rng.generate_state(4, np.uint32)


def _flat(seed: object, argument: object) -> int | list[int]:
    """Return a seed of ints as an int or a flat list.

    Up to NumPy 2.4 SeedSequence flattened nested seeds, and from 2.5 on it refuses them. They are
    flattened here, so that every NumPy makes the same key. ``argument`` is the whole seed, for
    messages.
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        if seed < 0:
            raise ValueError(f"rng {shown(argument)} is not a seed: it must not be negative")
        return int(seed)
    if isinstance(seed, np.ndarray) and seed.dtype.kind in "iu":
        seed = seed.tolist()
        return _flat(seed, argument)
    if isinstance(seed, str):  # SeedSequence would read the digits of a text within a sequence
        raise ValueError(f"rng {shown(argument)} is not a seed: {shown(seed)} is text")
    if not isinstance(seed, (list, tuple, range)) and not (
        isinstance(seed, Sequence) and not isinstance(seed, (bytes, bytearray, memoryview))
    ):
        raise TypeError(f"rng {shown(argument)} is not a seed{_hint(seed)}")
    numbers: list[int] = []
    for item in seed:
        flat = _flat(item, argument)
        numbers.extend(flat if isinstance(flat, list) else [flat])
    return numbers


def _hint(rng: object) -> str:
    """Return what to pass instead of a type that is no seed."""
    kind = type(rng)
    if kind.__module__ == "random" and kind.__name__ in ("Random", "SystemRandom"):
        return ": pass rng.getrandbits(64) of Python's random.Random"
    if getattr(rng, "__name__", "") in ("numpy.random", "random"):
        return ": pass a Generator, numpy.random.default_rng(), not the module"
    if kind.__module__.partition(".")[0] in ("jax", "jaxlib"):
        return (
            ": pass weightinit_fast.jax.key(key) of a JAX key, or its words as a seed, "
            "numpy.asarray(jax.random.key_data(key))"
        )
    if kind.__module__.partition(".")[0] == "torch":
        return ": pass a torch.Generator, or an int"
    return ": pass None, an int, a sequence of ints, a NumPy or torch Generator, or a Key"


def key(rng: RNGLike = None) -> Key:
    """Return the key that ``rng`` stands for.

    Parameters
    ----------
    rng : None, int, sequence of int, SeedSequence, BitGenerator, Generator, RandomState or Key
        A NumPy generator gives four ``random_raw()`` draws, of which the low 32 bits make the key.
        It advances, so that the next tensor gets another key. A ``torch.Generator`` gives two draws
        of 64 bits, and advances as well. An int or a sequence of ints, which may be nested, is the
        seed of a ``numpy.random.SeedSequence``, whose ``generate_state(4)`` is the key. None, the
        default, takes fresh entropy from the operating system. A Key is returned as it is.

    Returns
    -------
    Key
        The key, of 128 bits.

    Raises
    ------
    TypeError
        If rng is a bool, a str or another type that is no seed.
    ValueError
        If a seed is negative, or a bit generator is not initialised.

    Notes
    -----
    An int is not ``default_rng(int)``: it seeds the key directly. The key of a seed and that of a
    NumPy generator rest on what NumPy guarantees to keep (NEP 19: the streams of SeedSequence and
    of the bit generators).

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


def _stream_value(stream: object) -> int:
    """Return the number of a stream that is neither a str nor an int in [0, 2**64)."""
    if hasattr(stream, "__index__") and not isinstance(stream, (bool, np.bool_)):
        number = integer(stream, "stream")
        if not 0 <= number < _LIMIT:
            raise ValueError(f"stream must be in [0, 2**64), not {shown(number)}")
        return number
    hint = ""
    if isinstance(stream, (tuple, list)):
        hint = ": join its parts into one name, such as 'layer1.weight'"
    elif isinstance(stream, (bytes, bytearray)):
        hint = ": decode the name to a str"
    raise TypeError(f"stream must be an int or a name, not {shown(stream)}{hint}")


# The extension reads the usual arguments itself: ints in [0, 2**64), names, Keys and NumPy's own
# generators. It calls these functions for all others.
_core.register_keys(Key, _key_words, _stream_value)
