"""The parameters of a module: each once, by its name in the model without wrappers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .._resolve.messages import did_you_mean, shortened, shown
from ..models.messages import concerning, listed
from ..models.shapes import TensorSpec
from .refusals import KINDS, check
from .shards import clean_name, flat_tensors, is_flattened, parts_of
from .tensors import Part, Piece, Range, memory

__all__ = [
    "Held",
    "check_module",
    "parameters_of",
    "refuse_shared",
    "selected",
    "specs_of",
    "walk",
    "zero_row",
]


class Held:
    """A parameter of a module, with the places where modules hold it."""

    __slots__ = ("_pieces", "dtype", "name", "others", "slots", "tensor", "whole")

    def __init__(
        self,
        name: str,
        tensor: torch.Tensor | None,
        whole: tuple[int, ...],
        dtype: torch.dtype,
        slots: list[tuple[nn.Module, str]],
        pieces: list[Piece] | None = None,
    ) -> None:
        self.name: str = name
        #: The other names of a tied parameter.
        self.others: list[str] = []
        #: None for a part of a flat parameter of FullyShardedDataParallel.
        self.tensor: torch.Tensor | None = tensor
        self.whole: tuple[int, ...] = whole
        self.dtype: torch.dtype = dtype
        #: The modules that hold the parameter, and its key there.
        self.slots: list[tuple[nn.Module, str]] = slots
        self._pieces = pieces

    def pieces(self) -> list[Piece]:
        """Return what this process holds of the parameter."""
        if self._pieces is not None:
            return self._pieces
        assert self.tensor is not None
        return parts_of(self.tensor)

    def fresh(self, tensor: torch.Tensor) -> None:
        """Take the pieces from memory that is to become the parameter's."""
        self._pieces = parts_of(tensor)


def check_module(module: object) -> nn.Module:
    """Return a module, unless it is none."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {shown(module)}")
    return module


def walk(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield each module once, a parent before its children, with its name without wrappers.

    The order is that of ``named_modules()``.
    """
    seen = {id(root)}
    stack = [iter([("", root)])]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            continue
        yield following
        stack.append(_children(*following, seen))


def _children(path: str, module: nn.Module, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    """Yield the children that have not been seen."""
    for key, child in module._modules.items():
        if child is not None and id(child) not in seen:
            seen.add(id(child))
            kept = clean_name(key, module)
            yield f"{path}.{kept}" if path and kept else path or kept, child


def parameters_of(root: nn.Module) -> list[Held]:
    """Return the parameters of a module, in the order of ``named_parameters()``.

    A tied parameter, which several modules or keys hold, is one Held, whose name is the first one.

    Raises
    ------
    ValueError
        If parameters are uninitialised, or two have one name, which are all listed.
    """
    flat = flat_tensors(root)
    found: dict[int, Held] = {}
    held: list[Held] = []
    uninitialised: list[str] = []
    for path, module in walk(root):
        for key, tensor in module._parameters.items():
            if tensor is None:
                continue
            name = f"{path}.{key}" if path else key
            known = found.get(id(tensor))
            if known is not None:
                known.slots.append((module, key))
                if name != known.name:
                    known.others.append(name)
                continue
            if nn.parameter.is_lazy(tensor):
                uninitialised.append(name)
                continue
            if flat and is_flattened(tensor):
                continue
            made = Held(name, tensor, tuple(tensor.shape), tensor.dtype, [(module, key)])
            found[id(tensor)] = made
            held.append(made)
    if uninitialised:
        raise ValueError(
            f"{_counted(uninitialised)} no shape yet: {listed(uninitialised)}. Lazy modules learn "
            "theirs from a first batch: call the module once before"
        )
    for name, one in flat.items():
        held.append(
            Held(name, None, one.whole, one.dtype, [(one.module, one.name)], list(one.pieces))
        )
    if len({one.name for one in held}) < len(held):
        names = [one.name for one in held]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"without the names of wrappers, parameters have one name: {listed(twice)}"
        )
    return held


def _counted(names: Sequence[str]) -> str:
    return "1 parameter has" if len(names) == 1 else f"{len(names)} parameters have"


def selected(held: list[Held], only: str | Sequence[str] | None) -> list[Held]:
    """Return the parameters whose name matches one of the patterns, all of which must match one."""
    if only is None:
        return held
    patterns = [only] if isinstance(only, str) else only
    if not isinstance(patterns, Sequence) or not all(isinstance(p, str) for p in patterns):
        raise TypeError(f"only must be a pattern of names, or a list of them, not {shown(only)}")
    chosen: dict[int, Held] = {}
    for pattern in patterns:
        matching = [h for h in held if any(fnmatchcase(n, pattern) for n in (h.name, *h.others))]
        if not matching:
            hint = did_you_mean(pattern, [h.name for h in held])
            raise ValueError(
                f"the pattern {shown(pattern)} of only= matches no parameter{'; ' if hint else ''}"
                f"{hint}"
            )
        chosen |= {id(h): h for h in matching}
    return [h for h in held if id(h) in chosen]


def specs_of(held: Sequence[Held]) -> dict[str, TensorSpec]:
    """Return the shapes and dtypes of parameters, which must be ones that can be drawn."""
    for one in held:
        if one.tensor is not None and one.tensor.layout is not torch.strided:
            with concerning(one.name):
                check(one.tensor)  # refuses it
    wrong = [f"{h.name} ({h.dtype})" for h in held if h.dtype not in KINDS]
    if wrong:
        names = ", ".join(kind.name for kind in KINDS.values())
        raise TypeError(
            f"{_counted(wrong)} a dtype that is never drawn: {listed(wrong)}; the dtypes are "
            f"{names}. Leave them out by only= of initialize(), and make them outside of the meta "
            "device before materialize()"
        )
    return {h.name: TensorSpec(h.whole, KINDS[h.dtype].name) for h in held}


# Pieces -------------------------------------------------------------------------------------------


class _Extent(NamedTuple):
    begin: int
    end: int
    name: str
    tensor: torch.Tensor


def _tensor_of(piece: Piece) -> torch.Tensor:
    return piece.tensor if isinstance(piece, (Part, Range)) else piece


def _extent(name: str, tensor: torch.Tensor) -> _Extent:
    """Return the addresses of the first byte of a tensor and of that after its last."""
    begin = tensor.data_ptr()
    if tensor.is_contiguous():
        return _Extent(begin, begin + tensor.nbytes, name, tensor)
    reach = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return _Extent(begin, begin + (reach + 1) * tensor.element_size(), name, tensor)


def refuse_shared(pieces: Sequence[tuple[str, Piece]]) -> dict[str, str]:
    """Return the parameters that are views of the whole of another one: name -> its name.

    Such a parameter is tied as one is that two modules hold, though it is another object.

    Raises
    ------
    ValueError
        If parameters overlap otherwise, since one would overwrite what the other has drawn.
    """
    extents = [
        _extent(name, tensor)
        for name, tensor in ((name, _tensor_of(piece)) for name, piece in pieces)
        if not tensor.is_meta and tensor.numel()
    ]
    order = {name: number for number, (name, _) in enumerate(pieces)}
    extents.sort(key=lambda extent: (extent.begin, order[extent.name]))
    tied: dict[str, str] = {}
    open_until: list[_Extent] = []
    for extent in extents:
        open_until = [other for other in open_until if other.end > extent.begin]
        for other in open_until:
            if other.tensor.device != extent.tensor.device:
                continue
            if _same_elements(other.tensor, extent.tensor) and other.name != extent.name:
                tied[extent.name] = tied.get(other.name, other.name)
            elif _overlap(other.tensor, extent.tensor):
                raise ValueError(
                    f"{shortened(other.name)} and {shortened(extent.name)} share memory, so that "
                    "one would overwrite what the other has drawn: leave one out by only="
                )
        open_until.append(extent)
    return tied


def _same_elements(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(
        a.data_ptr() == b.data_ptr()
        and a.shape == b.shape
        and a.stride() == b.stride()
        and a.dtype == b.dtype
    )


def _overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors, whose extents overlap, have an element in common.

    The columns of one matrix have none. Only in CPU memory is the question worth an exact answer.
    """
    if a.device.type != "cpu":
        return True
    return bool(np.shares_memory(memory(a)[0], memory(b)[0]))


def zero_row(piece: Piece, row: int) -> None:
    """Set a row of a whole tensor to zero in a piece, which may hold it or a part of it or none."""
    with torch.no_grad():
        if isinstance(piece, Part):
            rows = range(*piece.index[0].indices(piece.whole[0]))
            if row in rows:
                piece.tensor[rows.index(row)].zero_()
        elif isinstance(piece, Range):
            width = prod(piece.whole[1:])
            begin = max(row * width - piece.first, 0)
            end = min((row + 1) * width - piece.first, piece.tensor.numel())
            if begin < end:
                piece.tensor[begin:end].zero_()
        else:
            piece[row].zero_()
