"""Looking at a file of weights: statistics of each tensor, and what looks wrong.

statistics.py   moments, extremes, counts and a histogram of elements
rows.py         equal rows, rows and columns of zeros
expected.py     the usual rules, and the comparison with the law of a recipe
findings.py     what looks wrong, in plain sentences
report.py       TensorReport: the numbers of one tensor
texts.py        numbers as texts
table.py        the table as text, and the findings below it
pictures.py     histograms, and the std by depth
frame.py        what surrounds the content of a page: head, style, policy
html.py         the page, with report.css and report.js
page_file.py    where the page may be written
inspection.py   Inspection: all tensors and findings, which prints as the table and makes the page
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...initialisers.law import Law
from ..files.progress import Progress, reporting
from ..readers import ElementReader, StoredTensor, is_readable, read_tensors
from ..readers.stored import BITS, is_lacking
from ..recipe import Recipe
from ..recipe_like import RecipeLike, recipe_and_shapes
from ..shapes import Shapes, TensorSpec, as_shapes
from .expected import compared, nearest, usual_stds
from .findings import LIMITS, Finding, findings_of, ordered, twins
from .inspection import Inspection
from .report import TensorReport
from .rows import Rows, blocks
from .statistics import Histogram, Statistics, Summary

__all__ = ["Finding", "Inspection", "TensorReport", "inspect"]

#: The most elements that are in memory at a time. With all copies they take some 2 MiB, which stay
#: in the cache: pieces four times as large, or four times as small, took half as long again.
PIECE = 1 << 16
#: Bins of a histogram.
BINS = 41
_CODED = (
    "Its uint16 may well be the bits of bfloat16, which NumPy lacks. They are read as such if "
    "shapes= says that the tensor is bfloat16."
)


def inspect(
    path: str | os.PathLike[str],
    *,
    recipe: RecipeLike | None = None,
    shapes: Shapes | None = None,
    progress: Progress = False,
) -> Inspection:
    """Look at every tensor of a file of weights, and say what looks wrong.

    The file is read once, in pieces: memory does not grow with the size of a tensor. The file may
    be of any origin; nothing in it runs as code.

    Parameters
    ----------
    path : str or path
        A ``.safetensors``, ``.npy`` or ``.npz`` file, a Hugging Face index
        (``*.safetensors.index.json``), or a folder with an index, with safetensors files or with
        ``.npy`` files.
    recipe : Recipe, Model, dict, list, str or path, optional
        The initialisers that should have drawn the tensors, as `save` takes them. Each tensor is
        then compared with its law, and differences are given in standard errors. Only tensors of
        floating-point numbers are compared: the others are never drawn. A `Model` also says the
        shapes.
    shapes : dict, str or path, optional
        The tensors that the file should hold: what `as_shapes` takes. A dtype in it says what the
        bits of integers mean: NumPy's files have no bfloat16 and no float8, and hold them as uint16
        or uint8. A ``.npy`` file does not hold the name of its tensor: if there is one shape, the
        tensor has its name.
    progress : bool or callable, optional
        True shows on a terminal how far the work is. A function is called with the number of bytes
        that have been read, and the number of all.

    Returns
    -------
    Inspection
        ``print`` shows a table of the tensors and the findings. ``findings`` has what looks wrong,
        worst first, ``tensors`` the numbers of each tensor, ``to_dict()`` the same for JSON, and
        ``write_html("report.html")`` writes a page with a histogram for each tensor.

    Raises
    ------
    FormatError
        If the file does not keep to its format. It is a ValueError.
    OSError
        If the file cannot be read.

    See Also
    --------
    Recipe : says which initialiser draws which tensor.
    verify : draws again, and compares every bit.

    Notes
    -----
    Of n elements drawn from a law of std σ and kurtosis κ, the mean has the standard error σ/√n and
    the std σ·√((κ - 1)/(4n)). A difference counts as wrong from 5 standard errors on, which chance
    passes once in 1.7 million times, if rounding to the dtype does not explain it.

    The usual rules take the fans of torch's layouts: Xavier √(2/(fan_in + fan_out)), He √(2/fan_in)
    and LeCun √(1/fan_in). Without a recipe no std is called wrong.

    Two rows are said to be equal if all their elements are, bit by bit, and chance would not make
    them so. Each is hashed, and the first pair is read again. In a table of more than 2^21 rows
    only a part of the rows is compared, chosen by their hash, which the finding says.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import weightinit_fast as wi
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
    >>> weight = wi.he_normal((256, 128), rng=0, stream="fc.weight")
    >>> weight[7] = weight[3]
    >>> np.savez(path, **{"fc.weight": weight, "fc.bias": np.zeros(256, np.float32)})
    >>> found = inspect(path)
    >>> for finding in found.findings:
    ...     print(finding.tensor, "-", finding.text)
    fc.weight - Rows 3 and 7 are equal: symmetry between them is not broken.
    >>> found.tensors[0].nearest
    'He'
    """
    if recipe is not None:
        recipe, shapes = recipe_and_shapes(recipe, shapes)
    stored = read_tensors(path)
    wanted = None if shapes is None else as_shapes(shapes)
    stored = _named(stored, wanted)
    reports, findings = [], []
    done, total = 0, sum(tensor.nbytes for tensor in stored.values())
    with reporting(progress, f"reading {Path(path).name}") as report_progress:

        def tell(nbytes: int) -> None:
            nonlocal done
            done += nbytes
            report_progress(done, total)

        for name, tensor in stored.items():
            seen = _as_meant(tensor, wanted)
            initializer, law, problem = _law(recipe, seen)
            # Of a tensor that should not be there at all, one note is enough.
            is_wanted = wanted is None or name in wanted
            findings += [problem] if problem and is_wanted else []
            report, is_coded = _report(seen, initializer, law, tell)
            reports.append(report)
            findings += findings_of(report)
            spec = (wanted or {}).get(name)
            if is_coded and (spec is None or spec.dtype is None):
                findings.append(Finding("bits", name, _CODED))
    if wanted is not None:
        findings += _beside(stored, wanted)
    findings += _equal_tensors(stored, reports, recipe)
    return Inspection(os.fspath(path), tuple(reports), ordered(findings))


def _named(
    stored: dict[str, StoredTensor], wanted: dict[str, TensorSpec] | None
) -> dict[str, StoredTensor]:
    """Return the tensors by their names: a .npy file does not tell the name of its one tensor."""
    if wanted is not None and len(stored) == len(wanted) == 1:
        (tensor,), (name,) = stored.values(), wanted
        if tensor.file.suffix == ".npy" and tensor.name == tensor.file.stem:
            return {name: tensor._replace(name=name)}
    return stored


def _as_meant(tensor: StoredTensor, wanted: dict[str, TensorSpec] | None) -> StoredTensor:
    """Return a tensor with the dtype that a table of shapes gives to integers of its size."""
    spec = (wanted or {}).get(tensor.name)
    if (
        spec is not None
        and spec.dtype is not None
        and is_lacking(spec.dtype)
        and tensor.dtype in (f"uint{BITS[spec.dtype]}", f"void{BITS[spec.dtype]}")
    ):
        return tensor._replace(dtype=spec.dtype)
    return tensor


def _law(
    recipe: Recipe | None, tensor: StoredTensor
) -> tuple[str | None, Law | None, Finding | None]:
    """Return the initialiser and the law of a tensor, or a note that says why there is none."""
    if recipe is None or "float" not in tensor.dtype:
        return None, None, None
    try:
        initializer = recipe.initializer_for(tensor.name)
    except ValueError:
        return None, None, Finding("no rule", tensor.name, "The recipe has no rule for it.")
    try:
        return str(initializer), initializer.law(tensor.shape), None
    except (ValueError, TypeError) as error:
        text = f"The recipe's {initializer} does not fit it: {error}."
        return None, None, Finding("no law", tensor.name, text)


def _report(
    tensor: StoredTensor, initializer: str | None, law: Law | None, tell: Callable[[int], None]
) -> tuple[TensorReport, bool]:
    """Read a tensor; return its numbers, and whether its integers may be the bits of bfloat16."""
    usual = usual_stds(tensor.shape)
    about = (tensor.name, tensor.dtype, tensor.shape, tensor.file.name)
    if not is_readable(tensor.dtype):
        tell(tensor.nbytes)
        return TensorReport(*about, None, None, {}, None, initializer, law, None, None), False
    is_float = "float" in tensor.dtype
    statistics = Statistics(tensor.dtype)
    rows = Rows(tensor, PIECE) if is_float else None
    for block in blocks(tensor, PIECE):
        zeros = statistics.add(block.flat)
        if rows is not None:
            rows.add(block, zeros)
        tell(block.elements.nbytes)
    summary = statistics.summary()
    comparison = None
    if law is not None:
        comparison = compared(summary, law, tensor.dtype, LIMITS.errors)
    report = TensorReport(
        *about,
        summary,
        rows.found() if rows is not None and summary.size else None,
        usual if is_float else {},
        nearest(summary, usual) if is_float else None,
        initializer,
        law,
        comparison,
        _histogram(statistics, summary, law),
        _index(tensor, statistics.first_nan),
        _index(tensor, statistics.first_inf),
    )
    is_numpy = tensor.file.suffix in (".npy", ".npz")
    return report, is_numpy and statistics.looks_like_bfloat16()


def _index(tensor: StoredTensor, place: int | None) -> tuple[int, ...] | None:
    """Return the index of the element that has this place in the order of the file."""
    if place is None:
        return None
    axes = np.unravel_index(place, tensor.shape, order="F" if tensor.fortran_order else "C")
    return tuple(int(index) for index in axes)


def _histogram(statistics: Statistics, summary: Summary, law: Law | None) -> Histogram | None:
    """Return a histogram over the law's interval, or over that of the elements."""
    if not summary.finite:
        return None
    mean, std = summary.mean, summary.std
    low, high = max(summary.low, mean - 4.5 * std), min(summary.high, mean + 4.5 * std)
    if law is not None and law.std > 0:
        low = min(low, max(law.low, law.mean - 4.5 * law.std))
        high = max(high, min(law.high, law.mean + 4.5 * law.std))
    margin = 0.02 * (high - low) or 0.5 * abs(low) or 0.5
    low, high = low - margin, high + margin
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    return statistics.histogram(low, high, BINS)


def _beside(stored: dict[str, StoredTensor], wanted: dict[str, TensorSpec]) -> list[Finding]:
    """Return how a file's tensors differ from those that it should hold."""
    findings = []
    for name, spec in wanted.items():
        if name not in stored:
            findings.append(Finding("missing", name, "The file does not hold it."))
            continue
        tensor = _as_meant(stored[name], wanted)
        if tensor.shape != spec.shape:
            text = f"Its shape is {tensor.shape}, where {spec.shape} is wanted."
            findings.append(Finding("shape", name, text))
        if spec.dtype is not None and tensor.dtype != spec.dtype:
            text = f"Its dtype is {tensor.dtype}, where {spec.dtype} is wanted."
            findings.append(Finding("dtype", name, text))
    for name, tensor in stored.items():
        # Nobody can say of integers and truths, such as the counters of batch norms, that they are
        # wanted: a table of shapes has only what is drawn.
        if name not in wanted and not tensor.dtype.startswith(("int", "bool")):
            text = "It is none of the tensors that the file should hold."
            findings.append(Finding("unexpected", name, text))
    return findings


def _equal_tensors(
    stored: dict[str, StoredTensor], reports: list[TensorReport], recipe: Recipe | None
) -> list[Finding]:
    """Return the tensors that hold the same elements, though they are not tied."""
    ties = {} if recipe is None else recipe.same_as
    return [
        Finding("equal tensors", other, f"It holds the same elements as {first}.")
        for first, other in twins(reports, ties)
        if _hold_the_same(stored[first], stored[other])
    ]


def _hold_the_same(one: StoredTensor, other: StoredTensor) -> bool:
    """Return whether two tensors of the same shape and type have the same bits."""
    if (one.fortran_order, one.big_endian) != (other.fortran_order, other.big_endian):
        return False
    with ElementReader(one) as first, ElementReader(other) as second:
        for begin in range(0, one.size, PIECE):
            count = min(PIECE, one.size - begin)
            if first.read(begin, count).tobytes() != second.read(begin, count).tobytes():
                return False
    return True
