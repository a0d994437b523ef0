"""What the functions of ``initializers`` return: callables that make a jax.Array."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..._resolve.dtypes import NAMES
from ..._resolve.messages import shown
from ..._resolve.shape import as_shape
from ...initialisers.initializer import Initializer
from ...initialisers.plain import constant
from .. import traced
from ..draw import OutSharding, draw, placed

__all__ = ["DTypeLike", "Made", "MadeConstant", "MadeOf", "Number", "number"]

#: A number, or an array without axes. It must be known when a function is traced.
Number: TypeAlias = Any
DTypeLike: TypeAlias = Any

_KINDS = frozenset(NAMES)
#: The functions of JAX, by name. A program may put ours into jax.nn.initializers afterwards.
_OF_JAX: dict[str, Callable[..., Any]] = {
    name: getattr(jax.nn.initializers, name)
    for name in (
        "constant",
        "delta_orthogonal",
        "normal",
        "orthogonal",
        "truncated_normal",
        "uniform",
        "variance_scaling",
    )
}


class _Absent:
    """The default of dtype=: the dtype that the initialiser was made with."""

    def __repr__(self) -> str:
        return "<its own>"


_ABSENT = _Absent()


class Made:
    """An initialiser that one of the functions has made.

    Two are equal if they were made by the same function with the same arguments, so that a model
    that holds one, as a field of a module of Flax, can be compared, hashed and pickled.

    Parameters
    ----------
    name : str
        The function.
    arguments : dict
        Its arguments, without the dtype.
    dtype : dtype, optional
        The dtype of arrays for which the call names none.
    of : callable
        Returns what is drawn into an array of some shape.
    """

    __slots__ = ("_arguments", "_dtype", "_name", "_of")

    def __init__(
        self,
        name: str,
        arguments: dict[str, Any],
        dtype: DTypeLike | None,
        of: Callable[[tuple[int, ...]], Initializer] | None,
    ) -> None:
        self._name = name
        self._arguments = arguments
        self._dtype = dtype if dtype is None or dtype is float else np.dtype(dtype)
        self._of = of

    def __call__(
        self,
        key: Any,
        shape: Any,
        dtype: DTypeLike | None = _ABSENT,
        out_sharding: OutSharding = None,
    ) -> jax.Array:
        """Draw an array.

        Parameters
        ----------
        key : jax.Array
            A key as ``jax.random.key`` or ``jax.random.PRNGKey`` makes it.
        shape : sequence of int
            The shape of the whole array.
        dtype : dtype, optional
            By default the one that the initialiser was made with. None is JAX's default type of
            floating-point numbers.
        out_sharding : jax.sharding.Sharding or jax.sharding.PartitionSpec, optional
            How the devices share the array. A PartitionSpec needs the mesh of ``jax.set_mesh``.

        Returns
        -------
        jax.Array
        """
        found = _dtype_of(self._dtype if dtype is _ABSENT else dtype)
        if self._of is None or found.name not in _KINDS:
            return self._of_jax(self._arguments, key, shape, found, out_sharding)
        # JAX takes its own arrays as shapes.
        whole = as_shape(np.asarray(shape) if isinstance(shape, jax.Array) else shape)
        return draw(self._of(whole), key, whole, found, out_sharding)

    def _of_jax(
        self,
        arguments: dict[str, Any],
        key: Any,
        shape: Any,
        dtype: np.dtype,
        out_sharding: OutSharding,
    ) -> jax.Array:
        """Return what the function of jax.nn.initializers makes."""
        theirs = _OF_JAX[self._name](**arguments)
        sharded = {} if out_sharding is None else {"out_sharding": out_sharding}
        made: jax.Array = theirs(key, shape, dtype, **sharded)
        return made

    def __repr__(self) -> str:
        texts = [f"{name}={value!r}" for name, value in self._arguments.items()]
        if self._dtype is not None:
            texts.append(f"dtype={np.dtype(self._dtype).name!r}")
        return f"{self._name}({', '.join(texts)})"

    def _identity(self) -> Hashable:
        return self._name, self._dtype, *self._arguments.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Made) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _again, (self._name, {**self._arguments, "dtype": self._dtype})


class MadeConstant(Made):
    """An initialiser that returns arrays full of a value."""

    __slots__ = ()

    def __init__(self, value: Any, dtype: DTypeLike | None) -> None:
        super().__init__("constant", {"value": value}, dtype, None)

    def _of_jax(
        self,
        arguments: dict[str, Any],
        key: Any,
        shape: Any,
        dtype: np.dtype,
        out_sharding: OutSharding,
    ) -> jax.Array:
        value = arguments["value"]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and dtype.name in _KINDS:
            # jax 0.10.2 rounds a number to float32 first, and then to a narrower type.
            with suppress(ValueError, OverflowError):  # JAX makes infinities of what overflows
                value = constant((), value=value, dtype=dtype)

        def make(value: Any) -> jax.Array:
            return super(MadeConstant, self)._of_jax({"value": value}, key, shape, dtype, None)

        if out_sharding is None:
            return make(value)
        # JAX's function takes a sharding only over explicit axes of the mesh of jax.set_mesh.
        words = jnp.zeros(4, np.uint32)
        if isinstance(value, jax.core.Tracer):
            made = traced.sharded(make, value, out_sharding)
        elif isinstance(words, jax.core.Tracer):
            made = traced.sharded(lambda _: make(value), words, out_sharding)
        elif np.ndim(value):
            made = jax.device_put(make(value), placed(out_sharding))
        else:
            made = jnp.full(shape, value, dtype, device=placed(out_sharding))
        return made

    def _identity(self) -> Hashable:
        value = self._arguments["value"]
        if isinstance(value, (int, float, complex, np.generic)):
            known: Hashable = repr(value)  # which tells -0.0 from 0.0, and nan is equal to nan
        else:
            known = id(value)  # an array has no hash
        return self._name, self._dtype, type(value), known


class MadeOf(Made):
    """An initialiser that draws an Initializer of this package, which JAX may lack."""

    __slots__ = ("_init",)

    def __init__(self, init: Initializer, dtype: DTypeLike | None) -> None:
        super().__init__("initializer", {"function": str(init)}, dtype, lambda _: init)
        self._init = init

    def _of_jax(
        self,
        arguments: dict[str, Any],
        key: Any,
        shape: Any,
        dtype: np.dtype,
        out_sharding: OutSharding,
    ) -> jax.Array:
        return draw(self._init, key, shape, dtype, out_sharding)  # refuses the dtype

    def __repr__(self) -> str:
        dtype = "" if self._dtype is None else f", dtype={np.dtype(self._dtype).name!r}"
        return f'initializer("{self._init}"{dtype})'

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return MadeOf, (self._init, self._dtype)


def _again(name: str, arguments: dict[str, Any]) -> Any:
    """Make an initialiser again, from a pickle."""
    module = importlib.import_module(__package__)
    return getattr(module, name)(**arguments)


def _dtype_of(dtype: DTypeLike | None) -> np.dtype:
    """Return a dtype as JAX would make an array of it."""
    default: np.dtype = jnp.result_type(float)
    if dtype is None or dtype is float:
        return default
    found = np.dtype(dtype)
    if found == np.float64 != default:  # where JAX has no float64, it warns, and takes float32
        made = jax.eval_shape(lambda: jax.random.normal(jax.random.key(0), (), found))
        found = np.dtype(made.dtype)
    return found


def number(value: Number, name: str) -> float:
    """Read a parameter of a distribution."""
    if isinstance(value, jax.core.Tracer):
        is_factor = name in ("scale", "stddev")
        raise TypeError(
            f"{name} is traced by jax.jit or another transformation, but the law of a draw must be "
            "known when a function is traced: pass a number"
            + (f", or draw with {name}=1 and multiply the result" if is_factor else "")
        )
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {shown(value)}") from None
