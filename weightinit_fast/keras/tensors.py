"""Draws into the tensors of Keras's backends: the same bits in all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .._core import stream_number
from .._resolve.dtypes import requested
from .._resolve.keys import Key
from .._resolve.messages import shown
from .._resolve.target import range_target
from ..initialisers.initializer import Initializer, rule_of
from ..models.filling import fill_all
from .framework import backend, keras, tensorflow, torch_device

__all__ = ["KeyOfCall", "draw", "placed_on"]

#: A function that returns the key of one call, and advances what has to advance. The key is a Key,
#: or the two words of a SeedGenerator as a tensor, if a traced function draws with it.
KeyOfCall: TypeAlias = Callable[[], Any]


def draw(
    init: Initializer,
    key: KeyOfCall,
    stream: int | str,
    shape: tuple[int, ...],
    dtype: str,
    layout: Any = None,
) -> Any:
    """Return a new tensor of the backend, drawn.

    Parameters
    ----------
    init : Initializer
    key : callable
    stream : int or str
    shape : tuple of int
    dtype : str
        The full name of a dtype.
    layout : keras.distribution.TensorLayout or jax.sharding.Sharding, optional
        How the devices of JAX share the tensor.
    """
    requested(dtype)  # refuses dtypes that are never drawn
    if backend() == "jax":
        return _jax_array(init, key, stream, shape, dtype, layout)
    _refuse_layout(layout)
    if backend() == "torch":
        return _torch_tensor(init, key, stream, shape, dtype)
    if backend() == "tensorflow":
        return _tensorflow_tensor(init, key, stream, shape, dtype)
    return keras.ops.convert_to_tensor(init(shape, dtype=dtype, rng=key(), stream=stream))


def placed_on(value: Any, layout: Any) -> Any:
    """Return a tensor that the devices of JAX share as a layout says; None leaves it as it is."""
    if layout is None:
        return value
    _refuse_layout(layout)
    jax = importlib.import_module("jax")
    sharding = _sharding_of(layout)
    if isinstance(value, jax.core.Tracer):
        return jax.lax.with_sharding_constraint(value, sharding)
    return jax.device_put(value, _over_devices(sharding))


def _refuse_layout(layout: Any) -> None:
    if layout is not None and backend() != "jax":
        raise ValueError(
            f"layout= is for Keras's backend jax, and this one is {backend()}: got {shown(layout)}"
        )


# JAX ----------------------------------------------------------------------------------------------


def _jax_array(
    init: Initializer,
    key: KeyOfCall,
    stream: int | str,
    shape: tuple[int, ...],
    dtype: str,
    layout: Any,
) -> Any:
    jax = importlib.import_module("jax")
    traced = importlib.import_module("weightinit_fast.jax.traced")
    buffers = importlib.import_module("weightinit_fast.jax.buffers")
    sharding = None if layout is None else _sharding_of(layout)
    # With jax_enable_x64 off there is no float64, and JAX makes float32.
    kind = np.dtype(jax.dtypes.canonicalize_dtype(np.dtype(requested(dtype)[1])))
    stored = requested(kind)[0]
    rule_of(init).check(range_target(shape, stored, np.empty(0, stored.storage), 0))
    drawn_with = key()
    words = _words(drawn_with)
    if isinstance(words, jax.core.Tracer):
        return traced.draw(init, words, shape, kind, sharding, stream_number(stream))
    if sharding is not None:
        sharding = _over_devices(sharding)
    pieces = buffers.Pieces(init, shape, kind, sharding)
    fill_all(((init, target, stream) for target in pieces.targets), drawn_with)
    return pieces.assemble()


def _words(key: Any) -> Any:
    """Return the four words of a key; a tracer, if a function is being traced.

    An operation of JAX on known words returns a tracer there. What is drawn has to become a part of
    the traced function: an array that is drawn now would be a constant in it.
    """
    jnp = importlib.import_module("jax.numpy")
    if isinstance(key, Key):
        halves = np.array([key.low, key.high], np.uint64)
        return jnp.bitwise_or(halves.view(np.uint32), np.uint32(0))
    return jnp.pad(key.astype(np.uint32), (0, 2))


def _sharding_of(layout: Any) -> Any:
    """Return the sharding of JAX that a layout of Keras stands for."""
    if isinstance(layout, keras.distribution.TensorLayout):
        return layout.backend_layout
    return layout


def _over_devices(sharding: Any) -> Any:
    """Return a sharding over devices that exist.

    Keras passes a sharding over a mesh without devices, and the devices are those of the mesh that
    it has set.
    """
    return importlib.import_module("weightinit_fast.jax.draw").placed(sharding)


# torch --------------------------------------------------------------------------------------------


def _torch_tensor(
    init: Initializer, key: KeyOfCall, stream: int | str, shape: tuple[int, ...], dtype: str
) -> Any:
    torch = importlib.import_module("torch")
    device, kind = torch_device(), getattr(torch, dtype)
    if str(device) == "meta":  # Keras learns the shapes of a layer's outputs
        return torch.empty(shape, dtype=kind, device=device)
    array = init(shape, dtype=dtype, rng=key(), stream=stream)
    # NumPy hands torch no bfloat16 and no float8, so torch gets integers of the same width.
    integers = array.view(f"i{array.itemsize}")
    return torch.from_numpy(integers).view(kind).to(device)


# TensorFlow ---------------------------------------------------------------------------------------


def _tensorflow_tensor(
    init: Initializer, key: KeyOfCall, stream: int | str, shape: tuple[int, ...], dtype: str
) -> Any:
    tf, drawn_with = tensorflow, key()
    if tf.executing_eagerly():
        return tf.convert_to_tensor(init(shape, dtype=dtype, rng=drawn_with, stream=stream))
    # In a graph the values would be a constant, which a saved model holds: it draws when it runs.
    if isinstance(drawn_with, Key):
        halves = np.array([drawn_with.low, drawn_with.high], np.uint64)
        words = tf.constant(halves.view(np.uint32).astype(np.int64))
    else:
        words = tf.pad(tf.cast(drawn_with, tf.int64), [[0, 2]])

    def host(words: Any) -> Any:
        low, high = np.asarray(words).astype(np.uint32).view(np.uint64).tolist()
        return init(shape, dtype=dtype, rng=Key(low, high), stream=stream)

    made = tf.numpy_function(host, [words], tf.dtypes.as_dtype(dtype))
    made.set_shape(shape)
    return made
