"""What a benchmark case is, and the helpers that all libraries' cases share."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[], object]
Buffer = NDArray[np.uint8]
Array = NDArray[Any]

KINDS = ("uniform", "normal")
DTYPES = ("float32", "float64")
#: Fills and types that the peers here have not, or not in one pass.
OUR_KINDS = (*KINDS, "truncated")
OUR_DTYPES = (*DTYPES, "float16", "bfloat16")
BOUND = 0.05  # of every uniform, where the library takes bounds
STD = 0.02  # of every normal, where the library takes a deviation


@dataclass(frozen=True)
class Case:
    """One thing to time: a library's way to fill a buffer.

    Attributes
    ----------
    library, variant : str
        Who, and which of its ways: instruction set, generator, method.
    what, dtype : str
        "uniform", "normal", "truncated" or "store"; the element type ("" for a store).
    threads : int
        How many threads write.
    share : float
        The part of the benchmark's buffer to fill; below 1 where the case is slow.
    bind : callable
        Takes the bytes to fill, prepares everything that is not to be timed, and returns the timed
        function.
    times : int
        Samples in each repetition.
    """

    library: str
    variant: str
    what: str
    dtype: str
    threads: int
    share: float
    bind: Callable[[Buffer], Run]
    times: int = 1

    @property
    def name(self) -> str:
        """What --only is matched with, such as "numpy PCG64 normal float32 t1"."""
        return f"{self.library} {self.variant} {self.what} {self.dtype} t{self.threads}"


class Team:
    """Threads of our own for libraries whose fill runs on one thread.

    Each function gets its own thread; the first runs in the calling one. They must release the GIL.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def run(self, functions: Sequence[Run]) -> None:
        """Run all functions at once; return when all are done."""
        if self._pool is None:
            functions[0]()
            return
        others = [self._pool.submit(function) for function in functions[1:]]
        functions[0]()
        for other in others:
            other.result()

    def bind(self, parts: Sequence[Run]) -> Run:
        """Return a function that runs these."""
        return lambda: self.run(parts)


def split(array: Array, parts: int) -> list[Array]:
    """Cut an array into equal parts that begin on multiples of 1024 elements."""
    step = -(-array.size // parts // 1024) * 1024
    return [array[k * step : (k + 1) * step] for k in range(parts)]


def as_float64(buffer: Buffer, dtype: str) -> Array:
    """Return the numbers that bytes hold; NumPy lacks bfloat16, the upper half of a float32."""
    if dtype == "bfloat16":
        return (buffer.view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return buffer.view(dtype or "float32").astype(np.float64)


def check_filled(case: Case, buffer: Buffer, run: Run) -> None:
    """Run once on a poisoned buffer: every byte must change, and the values must look right."""
    buffer.fill(0xFF)  # NaN in every type
    run()
    values = as_float64(buffer, case.dtype)
    problem = None
    if case.what == "store":
        if (buffer == 0xFF).any():
            problem = "left a part unwritten"
    elif not np.isfinite(values).all():
        problem = "left a part unwritten, or wrote values that are not finite"
    else:
        sizes = {"normal": STD, "truncated": 0.8796 * STD, "uniform": BOUND / 3**0.5}
        size = sizes[case.what]
        natural = 12**-0.5 if case.what == "uniform" else 1.0  # NumPy takes no scale with out=
        if min(abs(values.std() / s - 1) for s in (size, natural)) > 0.02:
            problem = f"gave a standard deviation of {values.std()}"
    if problem:
        raise AssertionError(f"{case.library} {case.variant} {case.what} {case.dtype}: {problem}")
