"""What the Python modules use of the engine."""

from collections.abc import Callable, Sequence
from typing import Any

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
OPENMP: int

def nontemporal_from(nbytes: int) -> int: ...
def select_isa(name: str) -> None: ...
def isa() -> str: ...
def isa_table() -> dict[str, tuple[bool, str | None]]: ...
def generate_block(
    key_low: int, key_high: int, counter_low: int, counter_high: int
) -> tuple[int, int, int, int]: ...
def runtime_threads() -> int: ...
def spread(transform: int, scale: float, gain: float, slope: float, fan: float) -> float: ...
def geometric_mean(a: float, b: float) -> float: ...
def register_keys(
    key_type: type,
    key_words: Callable[[Any], tuple[int, int]],
    stream_number: Callable[[Any], int],
) -> None: ...
def key_words(rng: Any) -> tuple[int, int]: ...
def pin(owner: object) -> object: ...
def check(transform: int, dtype: int, params: tuple[float, ...]) -> None: ...
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
    threads: int,
    fresh: bool = False,
    start: int = 0,
) -> None: ...
