"""Networks in plain NumPy: forward and backward passes of many nets of one shape at a time.

The first axis of every tensor counts the nets, so that all seeds and learning rates share one
batched product.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import schemes

import weightinit_fast as wi

Array = np.ndarray

#: Each name stands for a function of z, and for its derivative as a function of that value.
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda z: np.maximum(z, 0), lambda h: (h > 0).astype(h.dtype)),
    "prelu": (
        lambda z: np.where(z > 0, z, z.dtype.type(schemes.SLOPE) * z),
        lambda h: np.where(h > 0, h.dtype.type(1), h.dtype.type(schemes.SLOPE)),
    ),
}


class Dense:
    """A fully connected layer of many nets: weight (nets, in, out), bias (nets, 1, out)."""

    def __init__(self, weight: Array) -> None:
        self.weight = weight
        self.bias = np.zeros((len(weight), 1, weight.shape[-1]), weight.dtype)

    def forward(self, x: Array) -> Array:
        """Return the pre-activations. Maps are flattened first."""
        self._shape = x.shape
        self._x = x.reshape(*x.shape[:2], -1)
        return self._x @ self.weight + self.bias

    def backward(self, dz: Array, inputs: bool = True) -> Array | None:
        """Keep the gradients of weight and bias; return the input's gradient if ``inputs``."""
        self.dweight = self._x.swapaxes(1, 2) @ dz
        self.dbias = dz.sum(axis=1, keepdims=True)
        return (dz @ self.weight.swapaxes(1, 2)).reshape(self._shape) if inputs else None


class Conv:
    """A 3x3 convolution with stride 1, on maps (nets, images, height, width, channels).

    ``padding`` is "wrap" (periodic, so that every unit has all of its fan_in inputs) or "constant"
    (zeros).
    """

    def __init__(self, weight: Array, padding: str) -> None:
        self.weight = weight  # (nets, 3, 3, in, out)
        self.bias = np.zeros((len(weight), 1, weight.shape[-1]), weight.dtype)
        self.padding = padding

    def _columns(self, maps: Array) -> Array:
        """Return each output's inputs (im2col): (nets, images * height * width, 9 * channels)."""
        ring = ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))
        padded = np.pad(maps, ring, mode=self.padding)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        windows = windows.transpose(0, 1, 2, 3, 5, 6, 4)
        return windows.reshape(len(maps), -1, 9 * maps.shape[-1])

    def forward(self, x: Array) -> Array:
        """Return the pre-activations."""
        self._x = self._columns(x)
        flat = self.weight.reshape(len(self.weight), -1, self.weight.shape[-1])
        return (self._x @ flat + self.bias).reshape(*x.shape[:-1], -1)

    def backward(self, dz: Array, inputs: bool = True) -> Array | None:
        """Keep the gradients of weight and bias; return the input's gradient if ``inputs``."""
        flat = dz.reshape(len(dz), -1, dz.shape[-1])
        self.dweight = (self._x.swapaxes(1, 2) @ flat).reshape(self.weight.shape)
        self.dbias = flat.sum(axis=1, keepdims=True)
        if not inputs:
            return None
        # The transpose of a convolution is one with the kernel rotated by 180 degrees and its input
        # and output channels exchanged.
        rotated = self.weight[:, ::-1, ::-1].swapaxes(3, 4)
        rotated = rotated.reshape(len(rotated), -1, rotated.shape[-1])
        return (self._columns(dz) @ rotated).reshape(*dz.shape[:-1], -1)


class Net:
    """Layers with an activation after each of them, the last one included."""

    def __init__(self, layers: Sequence[Dense | Conv], activations: Sequence[str]) -> None:
        self.layers = layers
        self.activations = activations
        self._velocity = [(np.zeros_like(la.weight), np.zeros_like(la.bias)) for la in layers]

    def forward(self, x: Array) -> list[Array]:
        """Return the input and the activations of every layer."""
        self.values = [x]
        for layer, name in zip(self.layers, self.activations, strict=True):
            self.values.append(ACTIVATIONS[name][0](layer.forward(self.values[-1])))
        return self.values

    def backward(self, dh: Array, keep: bool = False) -> list[Array]:
        """Carry a gradient of the last activations down through the layers.

        With ``keep``, return the gradients of the activations of every layer.
        """
        kept = [dh]
        for i in reversed(range(len(self.layers))):
            name = self.activations[i]
            dz = dh if name == "linear" else dh * ACTIVATIONS[name][1](self.values[i + 1])
            dh = self.layers[i].backward(dz, inputs=i > 0)
            if keep and i > 0:
                kept.append(dh)
        return kept[::-1]

    def step(self, rates: Array, momentum: float) -> None:
        """Take one step of SGD with momentum, each net at its own learning rate."""
        for layer, (vw, vb) in zip(self.layers, self._velocity, strict=True):
            for value, velocity, slope in (
                (layer.weight, vw, layer.dweight),
                (layer.bias, vb, layer.dbias),
            ):
                by_net = rates.reshape(-1, *[1] * (slope.ndim - 1))
                velocity[...] = momentum * velocity - by_net * slope
                value[...] += velocity


def cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return each net's mean loss, and its gradient with respect to the logits.

    The logits have the shape (nets, n, classes).
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    truth = (labels[..., None] == np.arange(logits.shape[-1])).astype(logits.dtype)
    loss = -(log_p * truth).sum(axis=-1).mean(axis=-1)
    return loss, (np.exp(log_p) - truth) / logits.dtype.type(labels.shape[-1])


def draw_stack(scheme: wi.Initializer, shape: tuple[int, ...], layout: str, how: dict) -> Array:
    """Return a stack of weights, one for each seed, drawn from (seed, stream)."""
    seeds = how["seeds"]
    stack = np.empty((len(seeds), *shape), how["dtype"])
    for weight, seed in zip(stack, seeds, strict=True):
        schemes.fill(scheme, weight, layout, rng=seed, stream=how["stream"])
    return stack


def dense_net(
    widths: Sequence[int],
    scheme: Sequence[wi.Initializer] | wi.Initializer,
    activations: Sequence[str],
    seeds: Sequence[int],
    dtype: str,
) -> Net:
    """Build one fully connected net for each seed.

    ``scheme`` is one scheme for all layers, or a sequence with one for each.
    """
    depth = len(widths) - 1
    each = [scheme] * depth if isinstance(scheme, wi.Initializer) else scheme
    layers = []
    for i in range(depth):
        how = {"seeds": seeds, "dtype": dtype, "stream": f"dense{i + 1}.weight"}
        layers.append(Dense(draw_stack(each[i], (widths[i], widths[i + 1]), "IO", how)))
    return Net(layers, activations)


def conv_net(
    channels: Sequence[int],
    scheme: wi.Initializer,
    activations: Sequence[str],
    seeds: Sequence[int],
    dtype: str,
    padding: str,
    head: tuple[int, int] | None = None,
) -> Net:
    """Build one net of 3x3 convolutions for each seed.

    ``head`` is (inputs, classes) of a fully connected last layer.
    """
    layers: list[Dense | Conv] = []
    for i in range(len(channels) - 1):
        how = {"seeds": seeds, "dtype": dtype, "stream": f"conv{i + 1}.weight"}
        shape = (3, 3, channels[i], channels[i + 1])
        layers.append(Conv(draw_stack(scheme, shape, "HWIO", how), padding))
    if head is not None:
        how = {"seeds": seeds, "dtype": dtype, "stream": "head.weight"}
        layers.append(Dense(draw_stack(scheme, head, "IO", how)))
    return Net(layers, activations)


def relu_factor(std: float, fan: int) -> float:
    """Return the factor by which a ReLU layer multiplies a signal's scale: std * sqrt(fan / 2)."""
    return std * math.sqrt(fan / 2)
