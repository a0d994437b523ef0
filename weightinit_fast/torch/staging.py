"""CPU memory where the elements for another device are drawn, and the copies to the device."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import torch

__all__ = ["Staging"]

#: The most bytes that are drawn before they are copied.
_PIECE_BYTES = 1 << 25


class Staging:
    """Two buffers in CPU memory, of which one is drawn into while the other is copied.

    That is so for CUDA, whose buffers are pinned. For every other device, each copy is waited for.

    Parameters
    ----------
    nbytes : int
        The most bytes of a buffer.
    """

    def __init__(self, nbytes: int = _PIECE_BYTES) -> None:
        self._nbytes = nbytes
        self._buffers: list[torch.Tensor | None] = [None, None]
        self._events: list[Any] = [None, None]
        self._turn = 0

    def boxes(
        self, tensor: torch.Tensor, storage: np.dtype
    ) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
        """Yield (box, array) for boxes that cover a tensor; what is written there is copied to it.

        A box has a slice for each axis. The array has its shape, and the type ``storage``, whose
        elements are as long as those of the tensor.
        """
        size = storage.itemsize
        plain = tensor.data  # its writes do not count as those of the tensor
        for box in _boxes(tuple(tensor.shape), max(1, self._nbytes // size)):
            shape = tuple(part.stop - part.start for part in box)
            turn = self._turn
            self._turn = 1 - turn
            staged = self._buffer(turn, prod(shape) * size, tensor.is_cuda)
            yield box, staged.numpy().view(storage).reshape(shape)
            plain[box].copy_(staged.view(tensor.dtype).view(shape), non_blocking=tensor.is_cuda)
            if tensor.is_cuda:
                self._record(turn, tensor.device)

    def copy(self, array: np.ndarray, tensor: torch.Tensor) -> None:
        """Copy elements that have been made elsewhere to a tensor."""
        source = torch.from_numpy(np.ascontiguousarray(array))
        tensor.data.copy_(source.view(tensor.dtype).view(tensor.shape))

    def finish(self) -> None:
        """Wait for all copies."""
        for event in self._events:
            if event is not None:
                event.synchronize()

    def _buffer(self, turn: int, nbytes: int, pinned: bool) -> torch.Tensor:
        """Return so many bytes that nothing reads any more."""
        event = self._events[turn]
        if event is not None:
            event.synchronize()
        buffer = self._buffers[turn]
        if buffer is None or buffer.numel() < nbytes or (pinned and not buffer.is_pinned()):
            # A buffer that is made in InferenceMode could not be written outside of it.
            with torch.inference_mode(False):
                buffer = torch.empty(nbytes, dtype=torch.uint8, device="cpu", pin_memory=pinned)
            self._buffers[turn] = buffer
        return buffer[:nbytes]

    def _record(self, turn: int, device: torch.device) -> None:
        """Remember until when a buffer is read."""
        with torch.cuda.device(device):
            event = torch.cuda.Event()  # type: ignore[no-untyped-call, unused-ignore]
            event.record()
        self._events[turn] = event


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Cut a shape into boxes of at most ``most`` elements, in C order: yield a slice an axis."""
    inner, axis = 1, len(shape)
    while axis > 0 and inner * shape[axis - 1] <= most:
        axis -= 1
        inner *= shape[axis]
    rest = tuple(slice(0, n) for n in shape[axis:])
    if axis == 0:
        yield rest
        return
    step = most // inner
    for outer in np.ndindex(*shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            here = slice(start, min(start + step, shape[axis - 1]))
            yield (*(slice(i, i + 1) for i in outer), here, *rest)
