"""Contents: the bytes that the files of a layout must have, any range of them at a time.

`save` writes these bytes. Whoever checks a file compares it with them.
"""

import sys
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._resolve.keys import Key
from ...initialisers.initializer import Initializer
from ...initialisers.ranges import fill_range, needs_whole
from ..messages import concerning
from .layout import Entry, FileLayout, Layout

__all__ = ["Contents"]


class Contents:
    """The bytes of a model's files.

    Parameters
    ----------
    layout : Layout
    plan : mapping
        Name -> `Initializer`, for every tensor of the layout.
    key : Key

    Attributes
    ----------
    layout, plan, key
        As they were given.
    """

    def __init__(self, layout: Layout, plan: Mapping[str, Initializer], key: Key) -> None:
        self.layout: Layout = layout
        self.plan: Mapping[str, Initializer] = plan
        self.key: Key = key
        self._begins = [[entry.begin for entry in file.entries] for file in layout.files]

    def check(self) -> None:
        """Raise the error that drawing would raise, for any tensor, without drawing anything."""
        seen = set()
        for file in self.layout.files:
            for entry in file.entries:
                if entry.name in seen:  # one of many chunks
                    continue
                seen.add(entry.name)
                init = self.plan[entry.name]
                with concerning(entry.name):
                    init.law(entry.shape)
                    if not needs_whole(init):
                        nothing = np.empty(0, entry.kind.storage)
                        fill_range(init, entry.shape, entry.kind, nothing, 0, self.key, entry.name)

    def entries(self, file: int, begin: int, end: int) -> tuple[Entry, ...]:
        """Return the tensors that have bytes in that range of a file."""
        entries = self.layout.files[file].entries
        first = max(bisect_right(self._begins[file], begin) - 1, 0)
        found = []
        for entry in entries[first:]:
            if entry.begin >= end:
                break
            if entry.nbytes and entry.begin + entry.nbytes > begin:
                found.append(entry)
        return tuple(found)

    def draw(self, file: int, begin: int, out: np.ndarray, threads: int = 1) -> None:
        """Write the bytes of a file from the offset ``begin`` on into an array.

        Parameters
        ----------
        file : int
            The number of the file in the layout.
        begin : int
            The offset of the first byte. An offset within a tensor must be the beginning of an
            element, and so must the end of the range.
        out : ndarray
            1-D and contiguous, of uint8.
        threads : int, optional
            How many threads draw.

        Notes
        -----
        The whole of a tensor is made for any range of it if its initialiser needs that
        (`needs_whole`), so such a tensor should be drawn in one range.
        """
        about: FileLayout = self.layout.files[file]
        end = begin + out.size
        if begin < len(about.header):
            text = np.frombuffer(about.header, np.uint8)[begin:end]
            out[: text.size] = text
        if about.entries:  # zeros may follow the last tensor
            out[max(about.entries[-1].begin + about.entries[-1].nbytes - begin, 0) :] = 0
        for entry in self.entries(file, begin, end):
            kind = entry.kind
            width = kind.storage.itemsize
            first = max(entry.begin, begin)
            last = min(entry.begin + entry.nbytes, end)
            elements: np.ndarray[Any, Any] = out[first - begin : last - begin].view(kind.storage)
            fill_range(
                self.plan[entry.name],
                entry.shape,
                kind,
                elements,
                entry.first + (first - entry.begin) // width,
                self.key,
                entry.name,
                threads,
            )
            if sys.byteorder == "big":  # files are little-endian
                elements.byteswap(inplace=True)
