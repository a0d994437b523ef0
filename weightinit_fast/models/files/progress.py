"""How far a long job is: a function of the caller's, a line on the terminal, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from ..._resolve.messages import shown

__all__ = ["Progress", "Report", "reporting"]

#: What a job calls with the bytes that are done, and the bytes in all.
Report: TypeAlias = Callable[[int, int], object]
#: What progress= takes: whether to show it on standard error, or a function to call.
Progress: TypeAlias = bool | Report


@contextmanager
def reporting(progress: Progress, title: str) -> Iterator[Report]:
    """Give the function that a job calls, and clear the line when the job ends."""
    if callable(progress):
        yield progress
    elif progress is False:
        yield _nothing
    elif progress is True:
        from ..._screen import Screen  # noqa: PLC0415  only where a line is shown

        with Screen().progress(title) as bar:
            yield bar or _nothing
    else:
        raise TypeError(f"progress must be True, False or a function, not {shown(progress)}")


def _nothing(done: int, total: int) -> None:
    """Show nothing."""
