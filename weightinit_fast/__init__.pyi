# Made by src/derive/stubs.py from the functions' own signatures: change those, and run the script.

from typing import Any, Final, TypeVar, overload

from numpy.typing import NDArray

from . import dask as dask
from . import jax as jax
from . import keras as keras
from . import torch as torch
from ._info import info as info
from ._installed import get_cmake_dir as get_cmake_dir
from ._installed import get_include as get_include
from ._resolve.dtypes import DType
from ._resolve.fans import Fans, Mode
from ._resolve.fans import fans as fans
from ._resolve.index import BasicIndex
from ._resolve.keys import Key as Key
from ._resolve.keys import RNGLike
from ._resolve.keys import key as key
from ._resolve.rows import RowIds
from ._resolve.shape import Shape
from .initialisers.gains import Gain
from .initialisers.gains import gain as gain
from .initialisers.initializer import Initializer as Initializer
from .initialisers.initializer import initializer as initializer
from .initialisers.law import Law as Law
from .initialisers.rules import Distribution
from .models.builtin import Model as Model
from .models.builtin import model as model
from .models.files.save import finish as finish
from .models.files.save import save as save
from .models.files.verify import verify as verify
from .models.inspect import inspect as inspect
from .models.readers import FormatError as FormatError
from .models.recipe import Recipe as Recipe
from .models.shapes import TensorSpec as TensorSpec
from .models.shapes import as_shapes as as_shapes

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

STREAM_VERSION: Final[int]
__version__: Final[str]

_T = TypeVar("_T")

def __dir__() -> list[str]: ...
@overload
def xavier_uniform(
    shape: Shape,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def xavier_uniform(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def xavier_normal(
    shape: Shape,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def xavier_normal(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def he_uniform(
    shape: Shape,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def he_uniform(
    shape: Shape | None = None,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def he_normal(
    shape: Shape,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def he_normal(
    shape: Shape | None = None,
    *,
    a: float = 0.0,
    mode: Mode = "fan_in",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def lecun_uniform(
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def lecun_uniform(
    shape: Shape | None = None,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def lecun_normal(
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def lecun_normal(
    shape: Shape | None = None,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def orthogonal(
    shape: Shape,
    *,
    gain: Gain = 1.0,
    column_axis: int = 0,
    layout: str | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def orthogonal(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    column_axis: int = 0,
    layout: str | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> _T: ...
@overload
def delta_orthogonal(
    shape: Shape,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def delta_orthogonal(
    shape: Shape | None = None,
    *,
    gain: Gain = 1.0,
    layout: str | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> _T: ...
@overload
def constant(
    shape: Shape,
    *,
    value: float,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def constant(
    shape: Shape | None = None,
    *,
    value: float,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def zeros(
    shape: Shape,
    *,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def zeros(
    shape: Shape | None = None,
    *,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def ones(
    shape: Shape,
    *,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def ones(
    shape: Shape | None = None,
    *,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def uniform(
    shape: Shape,
    *,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def uniform(
    shape: Shape | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def normal(
    shape: Shape,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def normal(
    shape: Shape | None = None,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def truncated_normal(
    shape: Shape,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    lower: float = -2.0,
    upper: float = 2.0,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def truncated_normal(
    shape: Shape | None = None,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    lower: float = -2.0,
    upper: float = 2.0,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def variance_scaling(
    shape: Shape,
    *,
    scale: float = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "normal",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def variance_scaling(
    shape: Shape | None = None,
    *,
    scale: float = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "normal",
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def fan_in_uniform(
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def fan_in_uniform(
    shape: Shape | None = None,
    *,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    fans: Fans | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    rows: RowIds | None = None,
    threads: int | None = None,
) -> _T: ...
@overload
def identity(
    shape: Shape,
    *,
    gain: float = 1.0,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def identity(
    shape: Shape | None = None,
    *,
    gain: float = 1.0,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> _T: ...
@overload
def dirac(
    shape: Shape,
    *,
    groups: int = 1,
    layout: str | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def dirac(
    shape: Shape | None = None,
    *,
    groups: int = 1,
    layout: str | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> _T: ...
@overload
def sparse(
    shape: Shape,
    *,
    sparsity: float,
    std: float = 0.01,
    layout: str | None = None,
    dtype: DType | None = None,
    out: None = None,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def sparse(
    shape: Shape | None = None,
    *,
    sparsity: float,
    std: float = 0.01,
    layout: str | None = None,
    dtype: DType | None = None,
    out: _T,
    rng: RNGLike = None,
    stream: int | str = 0,
    index: BasicIndex = None,
    threads: int | None = None,
) -> _T: ...

eye = identity
glorot_normal = xavier_normal
glorot_uniform = xavier_uniform
kaiming_normal = he_normal
kaiming_uniform = he_uniform
