"""initializer: any initialiser of this package as one that JAX's libraries take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax.nn.initializers import Initializer

from ..initialisers.initializer import Initializer as Bound
from ..initialisers.initializer import initializer as bound
from .initializers.made import DTypeLike, MadeOf

__all__ = ["initializer"]


def initializer(
    function: Callable[..., Any] | str | Bound, dtype: DTypeLike | None = None, **own: Any
) -> Initializer:
    """Make an initialiser for JAX's libraries from any initialiser of this package.

    It serves for what the functions of `weightinit_fast.jax.initializers` lack: groups, gains, the
    normals of He and Glorot that are not truncated, ``fan_in_uniform``, ``dirac``, ``identity`` and
    ``sparse``.

    Parameters
    ----------
    function : callable or str or Initializer
        An initialiser of this package, its name, or a text such as ``"he_normal(a=0.25)"``; see
        `weightinit_fast.initializer`.
    dtype : dtype, optional
        The dtype of arrays for which the call names none; JAX's default by default.
    **own
        The function's own parameters. ``layout=`` says which axes are which: Flax and Haiku store
        "IO" and "HWIO", and the default is torch's and Equinox's "OI" and "OIHW".

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as ``function(shape, **own,
        rng=wi.jax.key(key))`` does, float32, float64, float16, bfloat16 and float8.

    Raises
    ------
    TypeError, ValueError
        Where `weightinit_fast.initializer` raises.

    Examples
    --------
    >>> import jax
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> init = wi.jax.initializer("he_normal", layout="HWIO", groups=4)
    >>> init
    initializer("he_normal(layout='HWIO', groups=4)")
    >>> w = init(jax.random.key(42), (3, 3, 16, 128))
    >>> same = wi.he_normal(w.shape, layout="HWIO", groups=4, rng=wi.jax.key(jax.random.key(42)))
    >>> bool((w == same).all())
    True
    """
    return MadeOf(bound(function, **own), dtype)
