"""Which part of each tensor this process holds: DTensors, FSDP's flat parameters, wrapped modules.

A rank draws what it holds and nothing else, without communication: an element depends on (key,
stream, index) alone. So all that is needed is the place of the local elements in the whole tensor,
which `parts_of` and `flat_parts` read from torch's own description of the sharding, and the name of
the parameter in the model without wrappers, which `clean_name` returns.
"""

from .flat import FlatTensor, flat_parts, flat_tensors
from .names import clean_name
from .parts import is_dtensor, is_flattened, part_at, parts_of

__all__ = [
    "FlatTensor",
    "clean_name",
    "flat_parts",
    "flat_tensors",
    "is_dtensor",
    "is_flattened",
    "part_at",
    "parts_of",
]
