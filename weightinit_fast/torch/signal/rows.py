"""Row: what passed through one layer, as numbers."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

import torch

__all__ = ["Moments", "Row", "moments_of"]

#: The elements that are converted to float64 at a time: 8 MiB.
_PIECE = 1 << 20


@dataclass
class Row:
    """What passed through one layer: an output of one call of a module.

    Attributes
    ----------
    number : int
        The place in the order of execution, from 0 on.
    layer : str
        The module's qualified name; the module itself has the name of its class. A second tensor
        of the same output ends in ``[1]``, and a function in ``()``.
    output : int
        The number of the tensor within the output of the module: 0 unless there are several.
    kind : str
        The name of the module's class, or of the function.
    call : int
        1 for the first call of the module, 2 for the second one.
    shape : tuple of int
        The shape of the activations.
    mean, std : float
        The mean and the standard deviation of the activations that are finite.
    zeros : float
        The share of the activations that are exactly 0.
    nan, inf : int
        How many activations are NaN, and how many are infinite.
    gradient_std : float
        The standard deviation of the gradient with respect to the activations. It is NaN if none
        arrived.
    gradient_bad : int
        How many elements of that gradient are NaN or infinite.
    has_weights : bool
        Whether the module itself holds a parameter of two axes or more, and is no embedding.
    is_block : bool
        Whether the module consists of other modules.
    units : int
        After a ReLU, how many units there are; 0 after anything else.
    dead, always : int
        After a ReLU, how many units are 0 for the whole sample, and how many never are.
    positions : int
        After a ReLU, how many values of each unit were seen.
    """

    number: int
    layer: str
    kind: str
    call: int
    shape: tuple[int, ...]
    mean: float
    std: float
    zeros: float
    nan: int
    inf: int
    output: int = 0
    gradient_std: float = math.nan
    gradient_bad: int = 0
    has_weights: bool = False
    is_block: bool = False
    units: int = 0
    dead: int = 0
    always: int = 0
    positions: int = 0

    @property
    def name(self) -> str:
        """The layer, and which call of it, unless it is the first one."""
        return self.layer if self.call == 1 else f"{self.layer} #{self.call}"

    @property
    def place(self) -> tuple[str, str]:
        """What the layers of a series have in common: the name without numbers, and the class.

        Of h.0.ln_1 the last part keeps its number, since h.0.ln_2 is another place in each block.
        """
        path, _, last = self.layer.rpartition(".")
        if re.search(r"\d", path):
            return re.sub(r"\d+", "*", path) + f".{last}", self.kind
        return re.sub(r"\d+", "*", self.layer), self.kind

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes as values that JSON has: NaN and infinities become None."""
        values = asdict(self)
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }


@dataclass
class Moments:
    """Numbers of the elements of a tensor. The mean and the std are of those that are finite."""

    size: int = 0
    nan: int = 0
    inf: int = 0
    zeros: int = 0
    mean: float = math.nan
    std: float = math.nan


def moments_of(tensor: torch.Tensor) -> Moments:
    """Return the numbers of a tensor, which are computed in float64.

    In float32 the squares of an exploding signal would overflow long before the signal does.
    """
    values = tensor.detach()
    if values.is_complex():
        values = torch.view_as_real(values)
    found = Moments(size=values.numel())
    count, mean, squares = 0, 0.0, 0.0
    for piece in torch.split(values.reshape(-1), _PIECE):
        # Some devices, such as Apple's, have no float64.
        there = piece if piece.device.type in ("cpu", "cuda") else piece.cpu()
        numbers = there.double()
        found.zeros += numbers.numel() - int(torch.count_nonzero(numbers))
        size, middle, variance = _mean_and_variance(numbers)
        if not math.isfinite(variance):
            found.nan += int(torch.isnan(numbers).sum())
            found.inf += int(torch.isinf(numbers).sum())
            size, middle, variance = _mean_and_variance(numbers[torch.isfinite(numbers)])
        if not size:
            continue
        # Chan's rule joins the moments of pieces without a loss of digits.
        total = count + size
        squares += variance * size + (middle - mean) ** 2 * count * size / total
        mean += (middle - mean) * size / total
        count = total
    if count:
        found.mean, found.std = mean, math.sqrt(squares / count)
    return found


def _mean_and_variance(numbers: torch.Tensor) -> tuple[int, float, float]:
    if not numbers.numel():
        return 0, 0.0, 0.0
    variance, mean = torch.var_mean(numbers, correction=0)
    return numbers.numel(), float(mean), float(variance)
