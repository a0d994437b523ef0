"""Shares: which bytes of a layout belong to part k of n, and which part this process is."""

import os
from collections.abc import Mapping
from itertools import accumulate
from operator import index as as_int
from typing import Literal, TypeAlias

from ..._resolve.messages import shown
from .layout import Layout
from .writer import Range

__all__ = ["Part", "part_of", "share"]

Part: TypeAlias = tuple[int, int] | Literal["auto"]

#: Shares of at least _LARGE bytes end at multiples of _LARGE_BLOCK, which suits network file
#: systems that lock or stripe files by such blocks. Others end at multiples of _BLOCK.
_LARGE, _LARGE_BLOCK, _BLOCK = 64 << 20, 1 << 20, 4096

#: The variables by which launchers tell a process its number and how many there are.
LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE"),
    "SLURM": ("SLURM_PROCID", "SLURM_NTASKS"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
}


def share(layout: Layout, k: int, n: int) -> list[Range]:
    """Return the bytes of part k of n.

    Shares are equal in bytes, whatever the tensors are, up to a block of 4 KiB (or 1 MiB, where
    shares are large). No element is cut, since offsets of elements are multiples of their size.
    Where there are as many files with tensors as parts, each part is one file, so that hosts that
    share no disk can each write their own. A chunk of Zarr has one writer.

    Examples
    --------
    >>> from weightinit_fast.models.files.layout import layout_of
    >>> layout = layout_of("x.safetensors", {"table": ((1000, 1000), None)})
    >>> for k in range(3):
    ...     print(*share(layout, k, 3))
    Range(file=0, begin=0, end=1331200)
    Range(file=0, begin=1331200, end=2666496)
    Range(file=0, begin=2666496, end=4000112)
    """
    filled = [number for number, file in enumerate(layout.files) if file.entries]
    if n > 1 and n == len(filled):
        last = len(layout.files) if k == n - 1 else filled[k + 1]
        return [Range(file, 0, layout.files[file].nbytes) for file in range(filled[k], last)]
    stops = list(accumulate(file.nbytes for file in layout.files))
    whole = layout.format == "zarr"
    begin, end = _cut(stops, k, n, whole), _cut(stops, k + 1, n, whole)
    found = []
    for number, stop in enumerate(stops):
        start = stop - layout.files[number].nbytes
        first, last = max(begin, start), min(end, stop)
        if first < last:
            found.append(Range(number, first - start, last - start))
    return found


def _cut(stops: list[int], j: int, n: int, whole: bool) -> int:
    """Return where share j begins, if all files follow each other.

    With ``whole``, it is at the beginning of a file.
    """
    total = stops[-1]
    if j == n:
        return total
    at = j * total // n
    block = _LARGE_BLOCK if total // n >= _LARGE else _BLOCK
    start = max((stop for stop in stops if stop <= at), default=0)
    return start if whole else start + (at - start) // block * block


def part_of(
    part: Part | None, variables: Mapping[str, str] | None = None
) -> tuple[int, int] | None:
    """Return (k, n) of a part= argument, or None if it is None.

    ``variables`` are those of the environment, unless a test passes others.
    """
    if part is None:
        return None
    if isinstance(part, str):
        if part != "auto":
            raise ValueError(f"part must be (k, n) or 'auto', not {shown(part)}")
        return _launched(os.environ if variables is None else variables)
    try:
        k, n = part
    except (TypeError, ValueError):
        raise TypeError(f"part must be (k, n) or 'auto', not {shown(part)}") from None
    for number in (k, n):
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"part must be two ints (k, n), not {shown(part)}")
    return _checked(as_int(k), as_int(n), f"part={shown(part)}")


def _launched(variables: Mapping[str, str]) -> tuple[int, int]:
    """Return (k, n) as the launcher of this process says."""
    for launcher, names in LAUNCHERS.items():
        texts = [variables.get(name) for name in names]
        if texts == [None, None]:
            continue
        said = ", ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))
        try:
            k, n = (int(text or "") for text in texts)
        except ValueError:
            raise ValueError(
                f"part='auto': the variables of {launcher} are no two numbers: {said}"
            ) from None
        return _checked(k, n, f"part='auto' ({said})")
    names_of_all = "; ".join(
        f"{' and '.join(names)} ({launcher})" for launcher, names in LAUNCHERS.items()
    )
    raise ValueError(
        f"part='auto' reads the variables {names_of_all}, and none of them is set: start the "
        "processes with one of these launchers, or pass part=(k, n)"
    )


def _checked(k: int, n: int, source: str) -> tuple[int, int]:
    if n < 1:
        raise ValueError(f"{source}: the number of parts must be at least 1")
    if not 0 <= k < n:
        raise ValueError(
            f"{source}: the parts of {n} are counted from 0 to {n - 1}, so {shown(k)} is none"
        )
    return k, n
