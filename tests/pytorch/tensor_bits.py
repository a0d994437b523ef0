"""Bits of torch tensors, and whether a refused call has left a module as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.frameworks import Framework

torch = Framework("torch")

DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
#: Rules of each kind that draw matrices: by element, in parts, and as a whole.
MATRIX_RULES = (
    "normal(mean=1.0)",
    "he_uniform(fans=(7, 9))",
    "truncated_normal(std=0.02)",
    "constant(value=0.3)",
    "identity(gain=2.0)",
    "sparse(sparsity=0.3)",
    "orthogonal(gain=3.0)",
)


def bits(tensor: Any) -> np.ndarray:
    """Return the bits of a tensor as an array of integers."""
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    plain = tensor.detach().contiguous()
    return plain.view(integers[plain.element_size()]).numpy()


def drawn(row: Any, key: Any, dtype: str = "float32") -> np.ndarray:
    """Return the bits that the call of a report's row draws."""
    out = torch.empty(row.shape, dtype=getattr(torch, dtype))
    row.initializer(row.shape, out=out, rng=key, stream=row.same_as or row.name)
    return bits(out)


def state_of(module: Any) -> tuple[dict[str, Any], Any]:
    """Return all that a refused call must leave as it was."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    kept = {
        name: (tensor, None if tensor.is_meta else (tensor._version, bits(tensor).copy()))
        for name, tensor in tensors
    }
    return kept, torch.get_rng_state()


def assert_unchanged(module: Any, before: tuple[dict[str, Any], Any]) -> None:
    """Compare a module, and torch's generator, with what `state_of` has returned."""
    kept, random = before
    now, random_now = state_of(module)
    assert kept.keys() == now.keys()
    for name, (tensor, values) in kept.items():
        tensor_now, values_now = now[name]
        assert tensor_now is tensor, name
        assert (values is None) == (values_now is None), name
        if values is not None:
            assert values_now[0] == values[0], name
            assert (values_now[1] == values[1]).all(), name
    assert torch.equal(random, random_now)
