"""Where a page may be written: never over the weights, and over a foreign file only by force."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["MARK", "refuse_place"]

#: What the first lines of each of our pages hold.
MARK = '<meta name="generator" content="weightinit_fast">'
#: The bytes of a file that are searched for the mark.
_FIRST_BYTES = 4096


def refuse_place(path: str | os.PathLike[str], weights: Iterable[Path], *, force: bool) -> None:
    """Raise FileExistsError if a page at this path would replace what nobody meant to replace.

    The file of the weights is never replaced. Another file is replaced if it is a page of this
    package, or with ``force``.
    """
    place = Path(path)
    if not place.exists():
        return
    for file in weights:
        if file.exists() and place.samefile(file):
            raise FileExistsError(f"{place} is the file that was inspected: name another page")
    if force or not place.is_file():  # a device such as /dev/stdout loses nothing
        return
    with open(place, "rb") as file_there:
        if MARK.encode() not in file_there.read(_FIRST_BYTES):
            raise FileExistsError(
                f"{place} exists and is not a page of this package: pass force=True to replace it"
            )
