"""Weight initialisation at the speed of memory, with the same bits everywhere.

Every initialiser fills a new array, or the buffer given as ``out=``, in parallel. Element i is a
pure function of (key, stream, i): it does not depend on the number of threads, the processor, the
memory layout or the part of the tensor that is asked for.

>>> import numpy as np
>>> import weightinit_fast as wi
>>> w = wi.he_normal((256, 128), rng=0, stream="fc1.weight")
>>> w.shape, w.dtype
((256, 128), dtype('float32'))
>>> part = wi.he_normal((256, 128), rng=0, stream="fc1.weight", index=np.s_[10:20])
>>> bool((part == w[10:20]).all())
True
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from . import _load  # noqa: F401  first: it loads the engine, which the other modules import
from ._core import STREAM_VERSION
from ._info import info
from ._installed import get_cmake_dir, get_include
from ._resolve.fans import fans
from ._resolve.keys import Key, key
from ._resolve.threadpools import register_when_imported
from .initialisers.gains import gain
from .initialisers.initializer import Initializer, initializer
from .initialisers.law import Law
from .initialisers.named import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    xavier_normal,
    xavier_uniform,
)
from .initialisers.orthogonal import delta_orthogonal, orthogonal
from .initialisers.plain import constant, normal, ones, truncated_normal, uniform, zeros
from .initialisers.scaled import fan_in_uniform, variance_scaling
from .initialisers.sparse import sparse
from .initialisers.structured import dirac, eye, identity

__version__ = "0.9.0"

__all__ = [
    "STREAM_VERSION",
    "FormatError",
    "Initializer",
    "Key",
    "Law",
    "Model",
    "Recipe",
    "TensorSpec",
    "__version__",
    "as_shapes",
    "constant",
    "delta_orthogonal",
    "dirac",
    "eye",
    "fan_in_uniform",
    "fans",
    "finish",
    "gain",
    "get_cmake_dir",
    "get_include",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "info",
    "initializer",
    "inspect",
    "kaiming_normal",
    "kaiming_uniform",
    "key",
    "lecun_normal",
    "lecun_uniform",
    "model",
    "normal",
    "ones",
    "orthogonal",
    "save",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "verify",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

register_when_imported()

# help() and pickles then name each object by this module, not by the private one that it is in.
# What is imported later keeps the name of its module, which is a public one.
for _name in __all__:
    if hasattr(globals().get(_name), "__module__"):
        globals()[_name].__module__ = __name__
del _name

#: Public name -> module that defines it. These modules are imported when a name of theirs is first
#: asked for, so that ``import weightinit_fast`` takes no time for them.
_LATER = {
    "FormatError": ".models.readers",
    "Model": ".models.builtin",
    "Recipe": ".models.recipe",
    "TensorSpec": ".models.shapes",
    "as_shapes": ".models.shapes",
    "finish": ".models.files.save",
    "inspect": ".models.inspect",
    "model": ".models.builtin",
    "save": ".models.files.save",
    "verify": ".models.files.verify",
}
#: The adapters, each of which imports the framework of its name.
_ADAPTERS = ("dask", "jax", "keras", "torch")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = getattr(import_module(_LATER[name], __name__), name)
    elif name in _ADAPTERS:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in _ADAPTERS if find_spec(name))]
