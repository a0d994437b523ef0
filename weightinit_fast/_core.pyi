"""Types of the extension module, which tests and benchmarks use too."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy import ndarray

_T = TypeVar("_T")

WORDS: int
CONSTANT: int
UNIFORM: int
NORMAL: int
TRUNCATED: int
DTYPES: tuple[str, ...]

ISAS: tuple[str, ...]
ISAS_BUILT: tuple[str, ...]
ISAS_RUNNABLE: tuple[str, ...]
ISA_FORCED: str | None
STREAM_VERSION: int
COMPILER: str
THREADS_WAIT_BY: str | None
c_api: object  # a capsule; see weightinit_fast_python.h

def keep_forever(value: _T) -> _T: ...
def nontemporal_from(nbytes: int) -> int: ...
def chunks_per_wake(chunks: int) -> int: ...
def worth_threads(chunks: int) -> bool: ...
def cgroup_cpus(root: bytes, own: bytes) -> int: ...
def select_isa(name: str) -> None: ...
def isa() -> str: ...
def isa_table() -> dict[str, tuple[bool, str | None]]: ...
def generate_block(
    key_low: int, key_high: int, counter_low: int, counter_high: int
) -> tuple[int, int, int, int]: ...
def spread(transform: int, scale: float, gain: float, slope: float, fan: float) -> float: ...
def truncation_interval(lower: float, upper: float, word_bits: int) -> tuple[float, ...]: ...
def geometric_mean(a: float, b: float) -> float: ...
def register_keys(
    key_type: type,
    key_words: Callable[[Any], tuple[int, int]],
    stream_value: Callable[[Any], int],
) -> None: ...
def register_torch(
    generator_type: type,
    buffer: Any,
    methods: Callable[[], tuple[Callable[..., Any], Callable[[], list[int]], Any]],
) -> None: ...
def stream_number(stream: Any) -> int: ...
def check_bit_generator(bits: Any, capsule: Any) -> None: ...
def dlpack_memory(out: Any) -> tuple[Any, str | None]: ...
def key_words(rng: Any) -> tuple[int, int]: ...
def register_shown(function: Callable[[object], str]) -> None: ...
def integer(value: object, name: str) -> int: ...
def real(value: object, name: str) -> float: ...
def finite(value: object, name: str) -> float: ...
def not_negative(value: object, name: str) -> float: ...
def flag(value: object, name: str) -> bool: ...
def register_shapes(function: Callable[[Any], tuple[int, ...]]) -> None: ...
def as_shape(shape: Any) -> tuple[int, ...]: ...
def address(buffer: object) -> int: ...
def pin(owner: object) -> object: ...
def check(transform: int, dtype: int, params: tuple[float, ...]) -> None: ...
def orthogonal(
    buffer: object,
    dtype: int,
    gain: float,
    rng: Any,
    stream: int | str,
    rows: int,
    columns: int,
    transposed: bool,
    batch: list[tuple[int, int, int]],
    first: int,
    axes: list[tuple[int, int, int]],
    start: int,
    threads: int | None,
    clear: Callable[[], None] | None,
) -> None: ...
def orthogonal_scratch(dtype: int, rows: int, columns: int, matrices: int, threads: int) -> int: ...
def narrow(source: object, buffer: object, dtype: int) -> None: ...
def fill(
    buffer: object,
    transform: int,
    dtype: int,
    params: tuple[float, ...],
    rng: Any,
    stream: Any,
    first: int,
    axes: Sequence[tuple[int, int, int]] | None,
    threads: int | None,
    fresh: bool = False,
    start: int = 0,
    ids: ndarray | None = None,
) -> None: ...
def register_tensors(
    tensor_type: type,
    parameter_type: type,
    overrides: Callable[[Any], bool],
    modes: Callable[[], int],
    written: Callable[[Any], None],
) -> None: ...
def fill_tensor(
    tensor: Any,
    transform: int,
    params: tuple[float, ...],
    rng: Any,
    stream: Any,
    threads: Any,
    in_kernel: bool = False,
) -> bool: ...
def register_target(
    kinds: dict[Any, Any],
    count: Callable[[int | None, int], int],
    interval_of: Callable[[float, float, int], tuple[float, ...]],
) -> None: ...
def plain_target(array: object, result: object) -> Target | None: ...
def register_lent(kinds: dict[int, Any]) -> None: ...

class Target:
    array: ndarray
    kind: Any
    region: tuple[Sequence[tuple[int, int, int]] | None, int, int]
    whole: tuple[int, ...]
    part: Any
    fresh: bool
    zeroed: bool
    result: Any
    swapped: bool
    scalar: bool
    pinned: object
    ids: ndarray | None
    def __init__(
        self,
        array: ndarray,
        kind: Any,
        region: tuple[Sequence[tuple[int, int, int]] | None, int, int],
        whole: tuple[int, ...],
        part: Any,
        fresh: bool,
        zeroed: bool,
        result: Any,
        swapped: bool,
        scalar: bool,
        pinned: object,
        ids: ndarray | None = None,
    ) -> None: ...
    def check(self, transform: int, params: tuple[float, ...]) -> None: ...
    def draw(
        self, transform: int, params: tuple[float, ...], rng: Any, stream: Any, threads: Any
    ) -> Any: ...
    def write(
        self, transform: int, params: tuple[float, ...], rng: Any, stream: Any, threads: Any
    ) -> None: ...
    def finish(self) -> Any: ...

class Queue:
    def add(
        self, target: Target, transform: int, params: tuple[float, ...], stream: Any
    ) -> None: ...
    def run(self, rng: Any, threads: Any) -> None: ...
