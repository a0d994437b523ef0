"""What a benchmark case is, and the helpers that the cases of all libraries share."""

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
#: The fills and types of weightinit_fast. Other libraries lack some, or need two passes for them.
OUR_KINDS = (*KINDS, "truncated")
OUR_DTYPES = (*DTYPES, "float16", "bfloat16")
BOUND = 0.05  # the uniforms are from -BOUND to BOUND, where the library takes bounds
STD = 0.02  # of the normals, where the library takes a standard deviation
#: Fill -> the standard deviation of its values.
STDS = {"uniform": BOUND / 3**0.5, "normal": STD, "truncated": 0.8796256610342398 * STD}


@dataclass(frozen=True)
class Case:
    """One thing to time: a library's way to fill a buffer.

    Attributes
    ----------
    library, variant : str
        Which library, and which of its ways: an instruction set, a generator, a method.
    what, dtype : str
        What the buffer is filled with, such as "uniform" or "normal Fortran"; and the element type,
        which is "" for a store.
    threads : int
        How many threads write.
    share : float
        The part of the benchmark's buffer that is filled; it is below 1 where the case is slow.
    bind : callable
        Takes the bytes to fill, prepares everything that is not to be timed, and returns the
        function that is timed. A function that makes its own array makes one as large as these
        bytes, and returns it; a function that writes to a part of the bytes again and again returns
        that part.
    std : float or None
        The standard deviation that the values must have. If it is None, the check is only that
        every byte was written.
    samples : int
        How often the case is timed in each repetition.
    calls : int
        How many calls make a sample; more than 1 where a single call is too short to be timed.
    nbytes : int or None
        How many bytes a call fills; None if it fills the share of the buffer.
    """

    library: str
    variant: str
    what: str
    dtype: str
    threads: int
    share: float
    bind: Callable[[Buffer], Run]
    std: float | None = None
    samples: int = 1
    calls: int = 1
    nbytes: int | None = None

    @property
    def name(self) -> str:
        """The name that --only is matched with, such as "numpy PCG64 normal float32 t1"."""
        words = (self.library, self.variant, self.what, self.dtype, f"t{self.threads}")
        return " ".join(filter(None, words))


class Team:
    """Threads of our own, for libraries whose fill runs on one thread.

    Each function runs on a thread of its own, the first on the thread that calls. The functions
    must release the GIL.
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

    def bind(self, functions: Sequence[Run]) -> Run:
        """Return a function that runs all of these functions at once."""
        return lambda: self.run(functions)


def split(array: Array, parts: int) -> list[Array]:
    """Cut an array into equal parts that begin on multiples of 1024 elements."""
    step = -(-array.size // parts // 1024) * 1024
    return [array[k * step : (k + 1) * step] for k in range(parts)]


def storage(dtype: str) -> str:
    """Return the NumPy type that holds such elements, which for bfloat16 is that of its bits."""
    return "uint16" if dtype == "bfloat16" else dtype


def as_float64(array: Array, dtype: str) -> Array:
    """Return the numbers that an array holds; a bfloat16 is the upper half of a float32."""
    if dtype == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def check_filled(case: Case, buffer: Buffer, run: Run) -> None:
    """Run once on a poisoned buffer: every byte must change, and the values must look right."""
    buffer.fill(0xFF)  # NaN in every type
    made = run()
    array = made if isinstance(made, np.ndarray) else buffer.view(storage(case.dtype or "uint8"))
    problem = None
    if case.std is None:
        if (np.ascontiguousarray(array).view(np.uint32) == 0xFFFFFFFF).mean() > 1e-4:
            problem = "left a part unwritten"
    else:
        values = as_float64(array, case.dtype)
        if not np.isfinite(values).all():
            problem = "left a part unwritten, or wrote values that are not finite"
        elif abs(values.std() / case.std - 1) > 0.02:
            problem = f"gave a standard deviation of {values.std()}"
    if problem:
        raise AssertionError(f"{case.name}: {problem}")
