"""Keras itself, and those of its parts that have no public name."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["backend", "in_stateless_scope", "keras", "tensorflow", "torch_device"]

try:
    # Taken as Any, because Keras has no annotations.
    keras: Any = importlib.import_module("keras")
except ImportError as _error:
    raise ImportError(
        "weightinit_fast.keras needs the package keras, version 3, and one of its backends: run "
        "pip install '.[keras]' in the clone, or pip install keras, and set the environment "
        f"variable KERAS_BACKEND to the backend that is installed. (`import keras` said: {_error})"
    ) from _error

if int(keras.__version__.partition(".")[0]) < 3:
    raise ImportError(
        f"weightinit_fast.keras needs the package keras of version 3, not {keras.__version__}"
    )

#: TensorFlow, if it is the backend. Tools that convert functions of TensorFlow warn of an import
#: within them.
tensorflow: Any = None
if keras.backend.backend() == "tensorflow":
    tensorflow = importlib.import_module("tensorflow")

_backend: Any = importlib.import_module("keras.src.backend")


def backend() -> str:
    """Return the name of Keras's backend, which never changes in a process."""
    name: str = keras.backend.backend()
    return name


def in_stateless_scope() -> bool:
    """Whether Keras runs code without side effects: to learn shapes, or in a traced function.

    A variable that is not initialised yet calls its initialiser there whenever it is read, and
    throws the values away.
    """
    return bool(_backend.in_stateless_scope())


def torch_device() -> Any:
    """Return the device on which the torch backend makes tensors."""
    return importlib.import_module("keras.src.backend.torch.core").get_device()
