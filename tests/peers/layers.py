"""The layers whose weights are compared: what they connect, and how each framework stores them."""

import math
from typing import Any, NamedTuple

Fans = tuple[float, float]


class Layer(NamedTuple):
    """A layer as its user sees it. Fans are counted from this, not from the shape of a weight."""

    kind: str
    inputs: int
    outputs: int
    kernel: tuple[int, ...] = ()
    groups: int = 1
    transposed: bool = False
    experts: int = 0

    @property
    def fans(self) -> Fans:
        """The inputs that an output sees, and the outputs that an input feeds."""
        k = math.prod(self.kernel)
        return self.inputs // self.groups * k, self.outputs // self.groups * k


class Stored(NamedTuple):
    """A weight's shape in a framework, and the options of ours that tell the fans of that shape."""

    shape: tuple[int, ...]
    options: dict[str, Any]


LAYERS = (
    Layer("linear", 300, 400),
    Layer("conv 1-D", 48, 96, (5,)),
    Layer("conv 2-D", 32, 64, (3, 3)),
    Layer("conv 3-D", 16, 32, (3, 3, 3)),
    Layer("grouped", 64, 128, (3, 3), groups=4),
    Layer("depthwise", 512, 512, (5, 5), groups=512),
    Layer("transposed", 32, 64, (3, 3), transposed=True),
    Layer("grouped transposed", 128, 64, (3, 3), groups=4, transposed=True),
    Layer("embedding", 16384, 64),
    Layer("expert batch", 96, 128, experts=8),
    Layer("1-D", 8192, 8192),
    Layer("empty", 64, 0),
    Layer("1-wide", 1, 8192),
)


def layers(framework: str) -> list[Layer]:
    """Return a framework's layers. Only torch reads the rows of an embedding as outputs."""
    found = []
    for layer in LAYERS:
        if layer.kind == "grouped transposed" and framework != "torch":
            continue  # Keras and JAX have none
        if layer.kind == "embedding" and framework == "torch":
            layer = layer._replace(inputs=layer.outputs, outputs=layer.inputs)  # noqa: PLW2901
        found.append(layer)
    return found


def stored(framework: str, layer: Layer) -> Stored:
    """Return the shape that a framework gives the layer's weight."""
    if layer.kind == "1-D":
        # Keras takes the fans (n, n) for one axis; ours is told them. torch, JAX and ours refuse.
        stated = {"fans": (layer.inputs, layer.outputs)} if framework == "keras" else {}
        return Stored((layer.inputs,), stated)
    if framework == "torch":
        return _torch(layer)
    letters = "DHW"[3 - len(layer.kernel) :]
    group = layer.inputs // layer.groups
    options: dict[str, Any] = {"layout": letters + "IO"}
    if layer.groups > 1:
        options["groups"] = layer.groups
    if layer.experts:
        return Stored((layer.experts, group, layer.outputs), {"layout": "BIO"})
    if framework == "keras" and layer.kind == "depthwise":
        # Stored as (…, channels, multiplier): the I axis is whole and the O axis is per group.
        shape = (*layer.kernel, layer.inputs, layer.outputs // layer.groups)
        return Stored(shape, options | {"transposed": True})
    if framework == "keras" and layer.transposed:
        shape = (*layer.kernel, layer.outputs, layer.inputs)
        return Stored(shape, {"layout": letters + "OI", "transposed": True})
    return Stored((*layer.kernel, group, layer.outputs), options)


def plain(framework: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the options for a weight of which nothing but the framework is known."""
    if framework == "torch" or len(shape) < 2:
        return {}
    return {"layout": "DHWXY"[: len(shape) - 2] + "IO"}


def _torch(layer: Layer) -> Stored:
    options: dict[str, Any] = {"groups": layer.groups} if layer.groups > 1 else {}
    if layer.experts:
        return Stored((layer.experts, layer.outputs, layer.inputs), {"layout": "BOI"})
    if layer.transposed:
        options |= {"layout": "IO" + "DHW"[3 - len(layer.kernel) :], "transposed": True}
        return Stored((layer.inputs, layer.outputs // layer.groups, *layer.kernel), options)
    return Stored((layer.outputs, layer.inputs // layer.groups, *layer.kernel), options)


def empty(conv: bool) -> list[Layer]:
    """Return a layer without outputs, and one without inputs."""
    kernel = (3,) if conv else ()
    return [Layer("empty", 64, 0, kernel), Layer("empty", 0, 64, kernel)]


NOTES = {
    "fans of 1-D": "Keras takes (n, n); ours refuses one axis, unless fans=(n, n) states them",
    "swapped": "the peer reads a transposed convolution's axes as a plain one's, so fans swap",
    "groups": "the peer's fan_out counts the outputs of all groups; an input feeds its own group",
    "swapped groups": "torch takes O/g·k and I·k, as in a plain convolution, for I/g·k and O/g·k",
    "depthwise": "Keras reads (…, C, m) as C inputs of each output, which sees one: fan_in is ×C",
    "experts": "torch has no batch axis; it reads experts as outputs and each expert as a kernel",
    "empty": "the peer raises, since it divides by a fan of 0 or by an axis of 0",
}


def note(framework: str, layer: Layer) -> str:
    """Return the key of the note that explains why a framework's fans are not the layer's."""
    if layer.kind == "1-D":
        return "fans of 1-D"
    if layer.kind == "empty":
        return "empty"
    if layer.experts:
        return "experts"
    if layer.transposed:
        return "swapped groups" if layer.groups > 1 else "swapped"
    if framework == "keras" and layer.kind == "depthwise":
        return "depthwise"
    return "groups" if layer.groups > 1 else ""
