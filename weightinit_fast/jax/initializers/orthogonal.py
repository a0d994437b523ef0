"""orthogonal and delta_orthogonal, which the host makes as a whole."""

from __future__ import annotations

from jax.nn.initializers import Initializer

from ..._resolve.messages import shown
from ...initialisers.initializer import Initializer as Bound
from ...initialisers.initializer import initializer as bound
from ...initialisers.orthogonal import delta_orthogonal as _delta_orthogonal
from ...initialisers.orthogonal import orthogonal as _orthogonal
from .made import DTypeLike, Made, Number, number

__all__ = ["delta_orthogonal", "orthogonal"]

#: The letters of a convolution's axes by their number, as JAX stores its weight.
_LAYOUTS = {3: "WIO", 4: "HWIO", 5: "DHWIO"}


def orthogonal(
    scale: Number = 1.0, column_axis: int = -1, dtype: DTypeLike | None = None
) -> Initializer:
    """Make an initialiser that draws scale times a random orthogonal matrix.

    Parameters
    ----------
    scale : float, default 1.0
        The factor on the matrix, >= 0.
    column_axis : int, default -1
        The axis of the matrix's columns. The other axes are flattened to its rows. A matrix that is
        not square has orthonormal rows or columns, whichever are fewer.
    dtype : dtype, optional
        As in `uniform`.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``. It draws as ``wi.orthogonal(shape,
        gain=scale, column_axis=column_axis, rng=wi.jax.key(key))`` does, in the memory of the host:
        a matrix that several devices share is made once as a whole and then cut.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.orthogonal()(jax.random.key(42), (100, 300))
    >>> bool(abs(w @ w.T - jnp.eye(100)).max() < 1e-5)
    True
    """
    gain = number(scale, "scale")
    init = bound(_orthogonal, gain=gain, column_axis=column_axis)
    arguments = {"scale": gain, "column_axis": column_axis}
    return Made("orthogonal", arguments, dtype, lambda _: init)


def delta_orthogonal(
    scale: Number = 1.0, column_axis: int = -1, dtype: DTypeLike | None = None
) -> Initializer:
    """Make an initialiser that draws an orthogonal matrix at the centre of a convolution's kernel.

    Parameters
    ----------
    scale : float, default 1.0
        The factor on the matrix, >= 0.
    column_axis : int, default -1
        JAX's argument, which changes nothing: the rows of the matrix, one for each input, are
        orthonormal for either axis, and the matrix is uniformly distributed among all of these.
    dtype : dtype, optional
        As in `uniform`.

    Returns
    -------
    callable
        ``init(key, shape, dtype, out_sharding=None)``, for shapes of 3 to 5 axes, the last two of
        which are the inputs and at least as many outputs. It draws as
        ``wi.delta_orthogonal(shape, gain=scale, layout="HWIO", rng=wi.jax.key(key))`` does, in the
        memory of the host.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import weightinit_fast as wi, weightinit_fast.jax
    >>> w = wi.jax.initializers.delta_orthogonal()(jax.random.key(42), (3, 3, 4, 8))
    >>> bool(abs(w[1, 1] @ w[1, 1].T - jnp.eye(4)).max() < 1e-5), int((w != 0).sum())
    (True, 32)
    """
    gain = number(scale, "scale")

    def of(whole: tuple[int, ...]) -> Bound:
        layout = _LAYOUTS.get(len(whole))
        if layout is None:
            raise ValueError(
                f"Delta orthogonal initializer requires a 3D, 4D or 5D shape, not {shown(whole)}"
            )
        return bound(_delta_orthogonal, gain=gain, layout=layout)

    arguments = {"scale": gain, "column_axis": column_axis}
    return Made("delta_orthogonal", arguments, dtype, of)
