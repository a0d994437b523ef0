"""The tables of docs/coming-from.md, and the comparison of the two columns of a row."""

import functools
import inspect
import re
from typing import Any

import numpy as np
import pytest

import weightinit_fast as wi
from support import DOCS

Array = np.ndarray[Any, Any]
PAGE = DOCS / "coming-from.md"
#: The shape of a row's tensor, unless a function of the row needs another. The fans differ.
SHAPE = (300, 400)
SHAPES = {"dirac": (8, 4, 3), "delta_orthogonal": (3, 3, 32, 64)}


def tables(framework: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the calls of the first table of a section, and the subjects of its second table.

    The module of tests that asks for them is skipped where the page is missing.
    """
    if not PAGE.is_file():
        pytest.skip("no docs/ beside these tests", allow_module_level=True)
    text = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## From {framework}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    calls, subjects = _rows(section)
    assert len(calls) > 8
    assert len(subjects) > 8
    return calls, subjects


def _rows(section: str) -> tuple[list[tuple[str, str]], list[str]]:
    first, second = re.findall(r"(?:^\|.*\n)+", section, re.M)
    cells = [
        [[cell.strip() for cell in line.split(" | ")] for line in table.splitlines()[2:]]
        for table in (first, second)
    ]
    calls = [(code(theirs), code(ours.removesuffix("|"))) for theirs, ours in cells[0]]
    return calls, [row[0].removeprefix("|").strip() for row in cells[1]]


def code(cell: str) -> str:
    """Return the first piece of code in a cell of a table."""
    return re.findall(r"`([^`]*)`", cell)[0]


def shape_of(call: str) -> tuple[int, ...]:
    """Return the shape for a row."""
    return next((shape for name, shape in SHAPES.items() if name in call), SHAPE)


class Keyed:
    """A module whose functions are called with these keywords, if they take them."""

    def __init__(self, module: Any, **keywords: Any) -> None:
        self._module, self._keywords = module, keywords

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._module, name)
        taken = inspect.signature(member).parameters
        return functools.partial(member, **{k: v for k, v in self._keywords.items() if k in taken})


def draw_here(call: str, rng: Any = 0) -> Array:
    """Return what a call of the right column draws with a key."""
    names = {"wi": Keyed(wi, rng=rng), "shape": shape_of(call)}
    found: Array = eval(call, names)
    return found


def distance(one: Array, other: Array) -> float:
    """Return Kolmogorov's statistic of two samples of one size, times the root of half of it."""
    ours, theirs = np.sort(one, axis=None), np.sort(other, axis=None)
    at = np.concatenate([ours, theirs])
    gap = np.searchsorted(ours, at, "right") - np.searchsorted(theirs, at, "right")
    return float(np.abs(gap).max() / ours.size * np.sqrt(ours.size / 2))


def assert_same_law(theirs: Array, ours: Array, call: str, stray: int = 0) -> None:
    """Compare the distributions of two tensors. What is not drawn has to be equal.

    Of theirs, ``stray`` elements at each end may lie beyond the bounds.
    """
    assert theirs.shape == ours.shape
    theirs, ours = theirs.astype(np.float64), ours.astype(np.float64)
    if len(np.unique(theirs)) < 3:
        np.testing.assert_array_equal(theirs, ours)
        return
    # It stays below 1.95 in 999 of 1000 pairs of samples. Std and bounds tell what it does not.
    assert distance(theirs, ours) < 1.95, call
    assert abs(ours.std() / theirs.std() - 1) < 0.012, call
    if "orthogonal" in call:
        rows, columns = (matrix.reshape(-1, matrix.shape[-1]) for matrix in (theirs, ours))
        np.testing.assert_allclose(
            *(np.linalg.svd(m, compute_uv=False) for m in (rows, columns)), rtol=1e-5, atol=1e-5
        )
    elif "uniform" in call or "truncated" in call:
        for end, place in ((np.min, stray), (np.max, -1 - stray)):
            theirs_end = np.sort(theirs, axis=None)[place]
            if abs(theirs_end) < 4 * theirs.std():  # farther away nothing is cut off
                assert abs(end(ours) - theirs_end) < 0.02 * theirs.std(), call
    elif "sparse" in call:
        np.testing.assert_array_equal((theirs == 0).sum(axis=0), (ours == 0).sum(axis=0))
