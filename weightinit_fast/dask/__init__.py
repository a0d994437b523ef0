"""Lazy Dask arrays of weights: `array`. It needs the package dask, and is imported on demand.

A chunk is a part of the tensor, and an element depends on (key, stream, index) alone. So the chunks
can be of any shape, any worker can make any of them, and the values are always those of the same
call without Dask.

>>> import weightinit_fast as wi
>>> import weightinit_fast.dask  # `wi.dask` is imported when it is first used
>>> table = wi.dask.array("normal(std=0.02)", (10**10, 256), rng=0, stream="emb")  # 10 TB
>>> row = wi.normal((10**10, 256), std=0.02, rng=0, stream="emb", index=123_456_789)
>>> bool((table[123_456_789].compute() == row).all())
True
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _core
from .._resolve.dtypes import DType, requested
from .._resolve.index import BasicIndex
from .._resolve.keys import Key, RNGLike, key
from .._resolve.messages import shown
from .._resolve.numbers import integer
from .._resolve.shape import Shape, as_shape
from ..initialisers.initializer import Initializer
from ..initialisers.initializer import initializer as as_initializer
from ..initialisers.orthogonal import delta_orthogonal, orthogonal
from ..initialisers.plain import constant, ones, zeros
from ..initialisers.structured import dirac, identity

try:
    # Taken as Any, because most functions of dask have no annotations.
    _da: Any = importlib.import_module("dask.array")
    _core_of_da: Any = importlib.import_module("dask.array.core")
    _layers: Any = importlib.import_module("dask.layers")
    _tokenize: Any = importlib.import_module("dask.base").tokenize
    _parse_bytes: Any = importlib.import_module("dask.utils").parse_bytes
except ImportError as _error:
    raise ImportError(
        "weightinit_fast.dask needs the package dask: run pip install '.[dask]' in the clone, or "
        "pip install 'dask[array]'"
    ) from _error

if TYPE_CHECKING:
    # Type checkers also run where dask is not installed. The type is Any there.
    from dask.array import Array  # type: ignore[import-not-found, unused-ignore]
else:
    Array = _da.Array

__all__ = ["Chunks", "array"]

_AxisChunks: TypeAlias = int | str | tuple[int, ...] | list[int] | None
#: What chunks= takes, which is what the functions of dask.array take.
Chunks: TypeAlias = (
    _AxisChunks | tuple[_AxisChunks, ...] | list[_AxisChunks] | Mapping[int, _AxisChunks]
)

#: The lengths of the chunks along each axis.
_Axes: TypeAlias = tuple[tuple[int, ...], ...]

#: The initialisers whose index= cuts no matrix, since every element depends on all the others.
_WHOLE = (orthogonal, delta_orthogonal)
#: The initialisers that read neither rng nor stream.
_WITHOUT_KEY = (constant, dirac, identity, ones, zeros)

#: The most chunks of an array. Dask keeps an int and a sum for each chunk of an axis: on two busy
#: cores, an array of 10^7 chunks of one axis took 5 s to make and 1 GB of memory, one of 10^6 took
#: 0.6 s and 0.15 GB. (10^7 chunks of the usual 128 MiB hold 1.3 PB.) A table of 2^62 elements in
#: such chunks would have 10^11, and Dask would list them until the memory ends.
_MOST_CHUNKS = 10**7


def array(
    initializer: Callable[..., Any] | str | Initializer,
    shape: Shape,
    chunks: Chunks = "auto",
    dtype: DType | None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
) -> Array:
    """Make a lazy Dask array whose chunks are parts of one tensor.

    Parameters
    ----------
    initializer : callable or str or Initializer
        An initialiser of this package, a text such as ``"he_normal(a=0.25)"``, or an Initializer;
        see `weightinit_fast.initializer`.
    shape : int or sequence of int
        The shape of the whole tensor, from which the fans are read.
    chunks : int, str, tuple or dict, default "auto"
        How the tensor is cut, as in ``dask.array.from_array``. It does not change the values.
        ``orthogonal`` and ``delta_orthogonal`` take one chunk, because every element depends on all
        the others.
    dtype : dtype, optional
        As in `normal`: float32 by default. bfloat16 and the float8 types need ml_dtypes.
    rng, stream
        As in `normal`. They are read now: None takes fresh entropy once for the array, and a
        Generator advances once.

    Returns
    -------
    dask.array.Array
        One layer, of which Dask makes only the chunks that a result needs. Its name is a function
        of the arguments, in every process. Each chunk is filled on one thread, since the schedulers
        of Dask run as many tasks at a time as there are cores.

    Raises
    ------
    ValueError, TypeError
        Where the initialiser raises, if the chunks do not fit the shape, and if there are more than
        10**7 of them. Everything is checked now and not in a worker.

    Examples
    --------
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.dask
    >>> x = wi.dask.array(wi.he_normal, (1000, 300), chunks=(256, 100), rng=0, stream="fc1.weight")
    >>> x.numblocks, x.dtype
    ((4, 3), dtype('float32'))
    >>> w = wi.he_normal((1000, 300), rng=0, stream="fc1.weight")
    >>> bool((x.compute() == w).all())
    True
    >>> x.rechunk((500, 300))[::2].std().compute().round(4)
    np.float32(0.0817)
    """
    init = as_initializer(initializer)
    whole = as_shape(shape)
    kind, _ = requested("float32" if dtype is None else dtype)
    axes = _axes_of(chunks, whole, kind.storage)
    sample = _sample(init, whole, dtype, axes)
    name = kind.name if kind.extended else sample.dtype.str
    if init.function in _WITHOUT_KEY:
        fill = _Fill(init, whole, name, Key(0, 0), 0)
    else:
        number = _core.stream_number(stream)
        fill = _Fill(init, whole, name, key(rng), number)
    order = tuple(range(len(whole)))
    result: Array = _da.blockwise(
        fill,
        order,
        _layers.ArraySliceDep(axes),
        order,
        name=f"{init.function.__name__}-{_tokenize(fill, axes)}",
        dtype=sample.dtype,
        meta=sample,
        align_arrays=False,  # otherwise dask takes the slices for an array
    )
    return result


class _Fill:
    """The function of every task: it makes the part of the tensor that some slices select."""

    __slots__ = ("_dtype", "_init", "_key", "_stream", "_whole")

    def __init__(
        self, init: Initializer, whole: tuple[int, ...], dtype: str, key: Key, stream: int
    ) -> None:
        self._init = init
        self._whole = whole
        self._dtype = dtype
        self._key = key
        self._stream = stream

    def __call__(self, slices: tuple[slice, ...]) -> Any:
        # With the Ellipsis, the part of a tensor without axes is an array and not a scalar.
        index: BasicIndex = None if self._init.function in _WHOLE else (*slices, ...)
        return self._init(
            self._whole,
            dtype=self._dtype,
            rng=self._key,
            stream=self._stream,
            index=index,
            threads=1,
        )

    def _content(self) -> tuple[str, tuple[int, ...], str, int, int, int]:
        key = self._key
        return str(self._init), self._whole, self._dtype, key.low, key.high, self._stream

    def __reduce__(self) -> tuple[Callable[..., _Fill], tuple[Any, ...]]:
        # Each task is pickled by itself, and five plain values are shorter than the objects.
        return _fill_of, self._content()

    def __dask_tokenize__(self) -> object:
        return "weightinit_fast", _core.STREAM_VERSION, *self._content()


def _fill_of(
    text: str, whole: tuple[int, ...], dtype: str, low: int, high: int, stream: int
) -> _Fill:
    return _Fill(as_initializer(text), whole, dtype, Key(low, high), stream)


def _sample(
    init: Initializer, whole: tuple[int, ...], dtype: DType | None, axes: _Axes
) -> np.ndarray:
    """Return an array without elements as the chunks will be; refuse what a chunk would refuse."""
    none = (slice(0, 0),) * len(whole)
    if init.function not in _WHOLE:
        made: np.ndarray = init(whole, dtype=dtype, rng=Key(0, 0), index=(*none, ...), threads=1)
        return made
    name = init.function.__name__
    if prod(map(len, axes)) != 1:
        raise ValueError(
            f"{name} needs the whole tensor in one chunk, because every element depends on all the "
            f"others, but chunks= cuts shape {shown(whole)} into {prod(map(len, axes))}: pass "
            "chunks=-1, and rechunk the array where smaller chunks are needed"
        )
    init.law(whole)  # refuses a shape
    small: np.ndarray = init((1,) * len(whole), dtype=dtype, rng=Key(0, 0), threads=1)
    return small[none]


# Chunks -------------------------------------------------------------------------------------------


def _axes_of(chunks: Chunks, whole: tuple[int, ...], dtype: np.dtype) -> _Axes:
    """Return the lengths of the chunks along each axis, as dask.array would cut the tensor.

    Dask itself takes some wrong values without an error, such as a negative length, and it lists
    the chunks before it could be known that there are too many to list.
    """
    lengths = _lengths_of(chunks, whole)
    limits = {n for n in lengths if isinstance(n, str)}
    if limits:
        if len(limits) > 1:
            raise ValueError(f"chunks={shown(chunks)} has more than one size in bytes")
        (limit,) = limits
        auto = tuple("auto" if isinstance(n, str) else n for n in lengths)
        nbytes = None if limit == "auto" else _parse_bytes(limit)
        if nbytes is not None and nbytes < 1:
            raise ValueError(f"chunks={shown(chunks)}: a size in bytes must be positive")
        lengths = list(_core_of_da.auto_chunks(auto, whole, nbytes, dtype))
    count = prod(
        len(n) if isinstance(n, tuple) else max(1, -(-whole[axis] // n))
        for axis, n in enumerate(lengths)
    )
    if count > _MOST_CHUNKS:
        raise ValueError(
            f"chunks={shown(chunks)} cuts shape {shown(whole)} into {count} chunks, and "
            f"{_MOST_CHUNKS} are the most: pass longer chunks"
        )
    return tuple(
        n if isinstance(n, tuple) else (n,) * (whole[axis] // n) + _rest(whole[axis], n)
        for axis, n in enumerate(lengths)
    )


def _rest(n: int, length: int) -> tuple[int, ...]:
    """Return the chunk that is left at the end of an axis, if any. An empty axis has one of 0."""
    return () if n and n % length == 0 else (n % length,)


def _lengths_of(chunks: Chunks, whole: tuple[int, ...]) -> list[Any]:
    """Return for each axis a length of chunks, a tuple of all lengths, or a str for Dask."""
    given: Any = chunks.tolist() if isinstance(chunks, np.ndarray) else chunks
    if isinstance(given, Mapping):
        axes: list[Any] = [None] * len(whole)
        for axis, value in given.items():
            if not hasattr(axis, "__index__") or not -len(whole) <= axis < len(whole):
                raise ValueError(
                    f"chunks={shown(chunks)}: {shown(axis)} is no axis of shape {shown(whole)}"
                )
            axes[axis] = value
    elif not isinstance(given, (tuple, list)):
        axes = [given] * len(whole)
    elif len(whole) == 1 and len(given) > 1 and all(hasattr(n, "__index__") for n in given):
        axes = [given]
    else:
        axes = list(given)
        if len(axes) != len(whole):
            raise ValueError(
                f"chunks={shown(chunks)} is for {len(axes)} axes, but shape {shown(whole)} has "
                f"{len(whole)}"
            )
    return [_length_of(value, n, chunks) for value, n in zip(axes, whole, strict=True)]


def _length_of(value: Any, n: int, chunks: object) -> int | str | tuple[int, ...]:
    """Read the chunks of one axis, of length n."""
    if isinstance(value, str):
        if value != "auto":
            _parse_bytes(value)
        return value
    if isinstance(value, (tuple, list)):
        listed = tuple(integer(item, "a length in chunks") for item in value)
        if min(listed, default=-1) < 0 or sum(listed) != n:
            raise ValueError(
                f"chunks={shown(chunks)}: {shown(listed)} must be lengths >= 0 whose sum is {n}"
            )
        return listed
    length = n if value is None else integer(value, "a length in chunks")
    if length == -1:
        length = n
    if length < 0 or (length == 0 and n):
        raise ValueError(
            f"chunks={shown(chunks)}: a length must be positive, or -1 for the whole axis"
        )
    return max(1, min(length, n))
