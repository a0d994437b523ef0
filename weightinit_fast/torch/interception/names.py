"""The names of a model's tensors: which name, and which elements of it, a drawn tensor stands for.

Code that initialises a model may draw into the parameter itself, into ``p.data``, which shares its
memory, into slices of it, and into flattened or transposed views. An element of such a view gets
the value that it has in the whole parameter. So a parameter that is drawn slice by slice has the
values of one that is drawn at once, and no two slices have the same values.
"""

from __future__ import annotations

import torch

from ... import _core
from ..._resolve.memory import check_strides
from ..._resolve.target import Target, region_target
from ..refusals import KINDS
from ..shards import clean_name
from ..tensors import memory, target_of

__all__ = ["Names"]

#: Where a tensor is in its module: the dict that holds it, its key there, its id, its address.
_Place = tuple[dict[str, torch.Tensor | None], str, int, int]
#: The stream of a name, and the tensor of that name.
_Named = tuple[int, torch.Tensor]


class Names:
    """The qualified names of the parameters and buffers of a model.

    A tensor that is there under several names has the first of them. Modules may replace their
    parameters while the block runs, as ``to_empty`` does. So a tensor that has no name here makes
    the model be looked at again, if any of its tensors is no longer what or where it was.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._read()

    def _read(self) -> None:
        # id -> (stream, tensor); address -> the same of all tensors that begin there. The tensors
        # are held so that no other tensor gets their ids.
        self._tensors: dict[int, _Named] = {}
        self._addresses: dict[int, list[_Named]] = {}
        self._places: list[_Place] = []
        for prefix, module in self._model.named_modules():
            for held in (module._parameters, module._buffers):
                for key, tensor in held.items():
                    if tensor is None:
                        continue
                    address = _address(tensor)
                    self._places.append((held, key, id(tensor), address))
                    if id(tensor) in self._tensors:
                        continue
                    full = f"{prefix}.{key}" if prefix else key
                    named = (_core.stream_number(clean_name(full, self._model)), tensor)
                    self._tensors[id(tensor)] = named
                    if address:
                        self._addresses.setdefault(address, []).append(named)

    def _is_stale(self) -> bool:
        for held, key, number, address in self._places:
            tensor = held.get(key)
            if id(tensor) != number or tensor is None or _address(tensor) != address:
                return True
        return False

    def stream_of(self, tensor: torch.Tensor) -> int | None:
        """Return the stream of a parameter or a buffer itself."""
        named = self._tensors.get(id(tensor))
        if named is None and self._is_stale():
            self._read()
            named = self._tensors.get(id(tensor))
        return None if named is None else named[0]

    def find(self, tensor: torch.Tensor) -> tuple[Target | None, int | None]:
        """Return which elements of which name a tensor stands for, and the stream of that name.

        The stream is None where there is no name. The Target is None where the tensor stands for
        the whole of the name, or for itself.

        Raises
        ------
        ValueError
            If elements of the tensor share memory.
        """
        found = self._found(tensor)
        if found is None and self._is_stale():
            self._read()
            found = self._found(tensor)
        return (None, None) if found is None else found

    def _found(self, tensor: torch.Tensor) -> tuple[Target | None, int] | None:
        named = self._tensors.get(id(tensor))
        if named is not None:
            return None, named[0]
        stream = self._alias(tensor)
        if stream is not None:
            return None, stream
        base = tensor._base
        if base is None:
            return None
        named = self._tensors.get(id(base))
        stream = self._alias(base) if named is None else named[0]
        if stream is None:
            return None
        target = _target_of_view(tensor, base)
        return None if target is None else (target, stream)

    def _alias(self, tensor: torch.Tensor) -> int | None:
        """Return the stream of the tensor that has the same elements in the same memory."""
        for stream, named in self._addresses.get(tensor.data_ptr(), ()):
            if (
                named.dtype == tensor.dtype
                and named.shape == tensor.shape
                and named.stride() == tensor.stride()
                # The memory at this address may have been freed and be that of another tensor now.
                and named.data_ptr() == tensor.data_ptr()
            ):
                return stream
        return None


def _address(tensor: torch.Tensor) -> int:
    """Return where a tensor's memory begins; 0 for one that has no memory of its own."""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return 0
    return tensor.data_ptr()


def _target_of_view(view: torch.Tensor, base: torch.Tensor) -> Target | None:
    """Return the elements of a base that a view holds; None where that is no simple region."""
    if view.dtype != base.dtype:
        return None
    strides = view.stride()
    check_strides(tuple(view.shape), strides, 1, "the view")
    if view.numel() == base.numel():
        return target_of(base)
    if not base.is_contiguous():
        return None
    # In a contiguous base, the number of an element is its place in memory.
    first = int(view.storage_offset() - base.storage_offset())
    size = view.element_size()
    axes: list[tuple[int, int, int]] = []
    for step, n in sorted(zip(strides, view.shape, strict=True), reverse=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == n * step:
            axes[-1] = (axes[-1][0] * n, step, step * size)
        else:
            axes.append((n, step, step * size))
    array, _ = memory(view)
    return region_target(tuple(base.shape), KINDS[view.dtype], array, (axes, first, 0))
