"""JAX's keys, read as keys of the stream contract, which have the same words."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._resolve.keys import Key
from .._resolve.messages import shown

__all__ = ["key", "key_of_words", "words_of"]

#: The words of 32 bits that a key has. A key of JAX has 1 to 4 of them, and the others are 0.
WORDS = 4


def key(jax_key: Any) -> Key:
    """Return the Key that has the words of a JAX key.

    The initialisers of this module draw with it. So the functions of the package make the same
    values in NumPy's arrays.

    Parameters
    ----------
    jax_key : jax.Array
        A key as ``jax.random.key`` or ``jax.random.PRNGKey`` makes it, of any implementation whose
        keys have at most 128 bits, such as threefry2x32, rbg and unsafe_rbg.

    Returns
    -------
    Key
        Its low 64 bits are the first two words of ``jax.random.key_data(jax_key)``, the first of
        which is the lower one, and its high 64 bits are the next two. Words that the key does not
        have are 0.

    Raises
    ------
    TypeError
        If jax_key is no key of JAX, is traced by ``jax.jit`` or another transformation, or has more
        than 128 bits.
    ValueError
        If it is an array of several keys.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.jax
    >>> wi.jax.key(jax.random.key(42))
    Key(0x2a00000000, 0x0)
    >>> w = wi.jax.initializers.normal(0.02)(jax.random.key(42), (256, 128))
    >>> same = wi.normal((256, 128), std=0.02, rng=wi.jax.key(jax.random.key(42)))
    >>> bool((w == same).all())
    True
    """
    words = words_of(jax_key)
    if isinstance(words, jax.core.Tracer):
        raise TypeError(
            "the key is traced by jax.jit or another transformation, so that its words are not "
            "known: call weightinit_fast.jax.key outside of it"
        )
    return key_of_words(words)


def key_of_words(words: np.ndarray) -> Key:
    """Return the Key that has four words."""
    w0, w1, w2, w3 = words.tolist()
    return Key(w0 | w1 << 32, w2 | w3 << 32)


def words_of(jax_key: Any) -> Any:
    """Return the four words of a JAX key, as a uint32 array of shape (4,).

    It is an array of NumPy, or a tracer where the key is traced, and also where a known key is used
    while a function is traced: what is drawn then has to become a part of that function, not a
    constant in it.
    """
    dtype, shape = getattr(jax_key, "dtype", None), getattr(jax_key, "shape", None)
    if dtype is None or shape is None:
        raise TypeError(f"the key must be a key of JAX, such as jax.random.key(0){_hint(jax_key)}")
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        _refuse_several(shape, "")
        words = jax.random.key_data(jax_key)
    elif dtype == np.uint32 and len(shape) >= 1:
        _refuse_several(shape[:-1], f", the last axis of which has the {shape[-1]} words of a key")
        # An operation of JAX on the words of a known key returns a tracer if a function is traced.
        words = jnp.bitwise_or(jax_key, np.uint32(0))
    else:
        raise TypeError(
            "the key must be a key of JAX, such as jax.random.key(0), or its uint32 words, not an "
            f"array of dtype {shown(dtype)} and shape {shown(shape)}"
        )
    (count,) = words.shape
    if not 1 <= count <= WORDS:
        raise TypeError(f"the key has {count} words of 32 bits, and keys have 1 to {WORDS} here")
    if isinstance(words, jax.core.Tracer):
        return words if count == WORDS else jnp.pad(words, (0, WORDS - count))
    padded = np.zeros(WORDS, np.uint32)
    padded[:count] = words
    return padded


def _refuse_several(shape: tuple[int, ...], what: str) -> None:
    """Refuse an array of keys."""
    if shape:
        raise ValueError(
            f"one key is needed, not an array of keys of shape {shown(shape)}{what}: map the "
            "initialiser over the keys by jax.vmap"
        )


def _hint(jax_key: object) -> str:
    if isinstance(jax_key, (int, np.integer)) and not isinstance(jax_key, bool):
        return f", not {shown(jax_key)}: pass jax.random.key({shown(jax_key)})"
    if isinstance(jax_key, Key):
        return (
            ", not a Key of weightinit_fast: the functions of weightinit_fast itself take that as "
            "rng="
        )
    return f", not {shown(jax_key)}"
