"""Symmetric units: units with equal weights that also get equal gradients, and so stay equal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import nn

from ..._resolve.keys import Key
from ...initialisers.plain import normal

__all__ = ["Symmetric", "symmetric_units"]

#: The most difference of two gradients that count as equal, relative to the largest element of the
#: first one. Gradients of equal units differ by rounding alone, which in bfloat16 is 0.4 % an
#: element. Gradients of units that differ do so by their own size.
_ROUNDING = 0.01
#: The weights of each unit that are looked at first.
_FIRST = 64
#: The elements that are converted to float64 at a time.
_PIECE = 1 << 20


class Symmetric(NamedTuple):
    """Units of one layer that equal an earlier unit of it.

    ``learning`` says whether their gradients differ from 0.
    """

    layer: str
    symmetric: int
    units: int
    learning: bool


def symmetric_units(
    modules: Mapping[str, nn.Module], gradients: Mapping[int, torch.Tensor]
) -> list[Symmetric]:
    """Return the layers that have symmetric units, with the gradients of the parameters by id."""
    found = []
    for name, part in modules.items():
        for weights in _unit_weights(part):
            if any(id(p) not in gradients for p, _ in weights):
                continue
            values = [_rows(p, axis) for p, axis in weights]
            slopes = [_rows(gradients[id(p)], axis) for p, axis in weights]
            result = _in_layer(values, slopes)
            if result:
                found.append(Symmetric(name, result[0], values[0].shape[0], result[1]))
    return found


def _rows(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    """Return a matrix with a row for each unit."""
    values = tensor.detach().movedim(axis, 0)
    values = torch.view_as_real(values) if values.is_complex() else values
    return values.reshape(tensor.shape[axis], -1)


def _unit_weights(part: nn.Module) -> Iterator[list[tuple[torch.Tensor, int]]]:
    """Yield for each group of units their parameters, each with the axis that has the units."""
    owned = {name: p for name, p in part._parameters.items() if p is not None and p.ndim}
    if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
        # weight_ih_l0, weight_hh_l0, bias_ih_l0 and bias_hh_l0 have the same units; a cell's names
        # lack the number of the layer.
        layers: dict[str, list[tuple[torch.Tensor, int]]] = {}
        for name, p in owned.items():
            layer = re.fullmatch(r"(?:weight|bias)_[ih]h(.*)", name)
            if layer:
                layers.setdefault(layer[1], []).append((p, 0))
        yield from layers.values()
        return
    if isinstance(part, nn.MultiheadAttention):
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if name in owned:
                yield [(owned[name], 0)]
        return
    weight = owned.get("weight")
    if weight is None or weight.ndim < 2 or isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
        return
    axis = 0
    if isinstance(part, nn.modules.conv._ConvTransposeNd):
        if part.groups > 1:
            return
        axis = 1
    elif type(part).__name__ == "Conv1D" and hasattr(part, "nf"):  # transformers stores (in, out)
        axis = 1
    bias = owned.get("bias")
    group: list[tuple[torch.Tensor, int]] = [(weight, axis)]
    if bias is not None and bias.shape == weight.shape[axis : axis + 1]:
        group.append((bias, 0))
    yield group


def _in_layer(values: list[torch.Tensor], gradients: list[torch.Tensor]) -> tuple[int, bool] | None:
    """Return how many units equal an earlier one, and whether some of them have a gradient."""
    if values[0].shape[0] < 2 or not values[0].numel():
        return None
    # Units that differ do so in their first weights, as a rule. The others are read in full.
    alike = _alike(sum(_projections(value[:, :_FIRST]) for value in values))
    if not len(alike):
        return None
    values = [value[alike] for value in values]
    gradients = [gradient[alike] for gradient in gradients]
    hashes = sum(_projections(value) for value in values)
    assert isinstance(hashes, torch.Tensor)
    order = torch.argsort(hashes, stable=True)
    ordered = hashes[order]
    _, sizes = torch.unique_consecutive(ordered, return_counts=True)
    count, learning, at = 0, False, 0
    for size in sizes.tolist():
        run, at = order[at : at + size], at + size
        if size == 1:
            continue
        same = torch.ones(size - 1, dtype=torch.bool)
        moved = torch.zeros(size - 1, dtype=torch.bool)
        for value in values:
            same &= (value[run[1:]] == value[run[0]]).all(1).cpu()
        for gradient in gradients:
            first, others = gradient[run[0]].double(), gradient[run[1:]].double()
            same &= ((others - first).abs().amax(1) <= _ROUNDING * first.abs().max()).cpu()
            moved |= (others != 0).any(1).cpu()
        count += int(same.sum())
        learning = learning or bool((same & moved).any())
    return (count, learning) if count else None


def _alike(hashes: torch.Tensor | int) -> torch.Tensor:
    """Return the places of hashes that occur more than once."""
    assert isinstance(hashes, torch.Tensor)
    _, inverse, counts = torch.unique(hashes, return_inverse=True, return_counts=True)
    return torch.nonzero(counts[inverse] > 1).flatten()


def _projections(matrix: torch.Tensor) -> torch.Tensor:
    """Return the product of each row and one vector, in float64: equal rows have equal products."""
    columns = matrix.shape[1]
    vector = torch.from_numpy(normal(columns, dtype="float64", rng=Key(0, 0), stream="rows"))
    step = max(1, _PIECE // max(1, columns))
    products = [(piece.cpu().double() * vector).sum(1) for piece in torch.split(matrix, step)]
    return torch.cat(products)
