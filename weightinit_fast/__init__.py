"""Weight initialisation at the speed of memory, with the same bits everywhere.

Every initialiser fills a new array, or the buffer given as ``out=``, in parallel; element i is a
pure function of (key, stream, i), whatever the threads, the processor, the layout or the shard.

>>> import numpy as np
>>> import weightinit_fast as wi
>>> w = wi.he_normal((256, 128), rng=0, stream="fc1.weight")
>>> w.shape, w.dtype
((256, 128), dtype('float32'))
>>> part = wi.he_normal((256, 128), rng=0, stream="fc1.weight", index=np.s_[10:20])
>>> bool((part == w[10:20]).all())
True
"""

from . import _load  # noqa: F401  before whatever else imports the engine
from ._core import STREAM_VERSION
from ._fans import fans, gain
from ._info import info
from ._keys import Key, key
from ._named import (
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
from ._orthogonal import delta_orthogonal, orthogonal
from ._plain import constant, normal, ones, truncated_normal, uniform, zeros
from ._scaled import fan_in_uniform, variance_scaling
from ._structured import dirac, eye, identity, sparse

__version__ = "0.1.0"

__all__ = [
    "STREAM_VERSION",
    "Key",
    "__version__",
    "constant",
    "delta_orthogonal",
    "dirac",
    "eye",
    "fan_in_uniform",
    "fans",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "info",
    "kaiming_normal",
    "kaiming_uniform",
    "key",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
