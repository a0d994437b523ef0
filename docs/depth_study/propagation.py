"""Measure the std of activations and gradients, layer by layer, before any training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import schemes
from nets import Net, conv_net, dense_net, relu_factor

import weightinit_fast as wi

DTYPE = "float64"  # so that no result depends on underflow
#: A scheme holds if the std of the last layer over that of the first lies in this interval.
HOLDS = (0.5, 2.0)
#: A tanh unit whose absolute value is above this counts as saturated: its slope is below 0.02.
SATURATED = 0.99

#: The channels of the convolutions of VGG's configurations (Simonyan & Zisserman 2015, table 1). B
#: is the model that He et al. (2015, section 2.2) compute with.
VGG = {
    "A": (64, 128, 256, 256, 512, 512, 512, 512),
    "B": (64, 64, 128, 128, 256, 256, 512, 512, 512, 512),
    "D": (64, 64, 128, 128, *[256] * 3, *[512] * 6),
    "E": (64, 64, 128, 128, *[256] * 4, *[512] * 8),
}


@dataclass(frozen=True)
class Settings:
    """The sizes of the measurement."""

    width: int = 512
    uneven: tuple[int, int] = (256, 1024)
    depth: int = 30
    batch: int = 128
    seeds: int = 10
    conv_channels: int = 256
    conv_maps: tuple[int, ...] = (4, 8, 16)
    vgg: tuple[str, ...] = tuple(VGG)
    vgg_map: int = 8
    images: int = 2
    conv_seeds: int = 5


QUICK = Settings(
    width=64,
    uneven=(32, 128),
    batch=32,
    seeds=2,
    conv_channels=8,
    conv_maps=(4,),
    vgg=("A",),
    vgg_map=4,
    images=1,
    conv_seeds=1,
)


def measure(build: Callable[[int], Net], shape: Sequence[int], seeds: int) -> dict[str, Any]:
    """Return the std of each layer's activations and of their gradients, summarised over the seeds.

    The inputs are standard normals, and so is the gradient that enters at the last activations.
    """
    activations, gradients, saturated = [], [], []
    for seed in range(seeds):
        net = build(seed)
        values = net.forward(wi.normal((1, *shape), dtype=DTYPE, rng=seed, stream="input"))
        top = wi.normal(values[-1].shape, dtype=DTYPE, rng=seed, stream="top gradient")
        slopes = net.backward(top, keep=True)
        activations.append([float(h.std()) for h in values[1:]])
        gradients.append([float(dh.std()) for dh in slopes])
        saturated.append(float((np.abs(values[-1]) > SATURATED).mean()))
    found = {"activation": summary(activations), "gradient": summary(gradients, backward=True)}
    if net.activations[-1] == "tanh":
        found["saturated"] = float(np.median(saturated))
    return found


def summary(rows: list[list[float]], backward: bool = False) -> dict[str, Any]:
    """Return the median and range of each layer, and the ratio of the far end over the near end.

    The near end is the first layer, and backward the last one.
    """
    table = np.array(rows)
    near, far = (table[:, -1], table[:, 0]) if backward else (table[:, 0], table[:, -1])
    ratio = np.divide(far, near, out=np.zeros_like(far), where=near > 0)
    low, high = HOLDS
    median = float(np.median(ratio))
    return {
        "median": np.median(table, axis=0).tolist(),
        "low": table.min(axis=0).tolist(),
        "high": table.max(axis=0).tolist(),
        "ratio": {"median": median, "low": float(ratio.min()), "high": float(ratio.max())},
        "holds": bool(low <= median <= high),
        "seeds_that_hold": int(((low <= ratio) & (ratio <= high)).sum()),
        "factor": float(median ** (1 / (table.shape[1] - 1))),
    }


def slope(std: Sequence[float], first: int) -> float:
    """Return the exponent of a power law in the layer's number, fitted from ``first`` on."""
    layers = np.arange(first, len(std) + 1)
    return float(np.polyfit(np.log(layers), np.log(std[first - 1 :]), 1)[0])


def dense(s: Settings) -> dict[str, Any]:
    """Measure every scheme under every activation, with all layers of one width."""
    widths = [s.width] * (s.depth + 1)
    found: dict[str, Any] = {}
    for activation in ("linear", "tanh", "relu", "prelu"):
        used = schemes.study(s.width)
        if activation == "prelu":
            used["he_relu"] = used["he"]  # a = 0 is ReLU's rule, here used under a PReLU
            used["he"] = schemes.he(schemes.SLOPE)
        names = [activation] * s.depth
        found[activation] = {
            name: measure(
                lambda seed, scheme=scheme, names=names: dense_net(
                    widths, scheme, names, [seed], DTYPE
                ),
                (s.batch, s.width),
                s.seeds,
            )
            for name, scheme in used.items()
        }
    tanh = found["tanh"]["xavier"]["activation"]
    tanh["power_of_layer"] = slope(tanh["median"], first=s.depth // 3)
    return found


def uneven(s: Settings) -> dict[str, Any]:
    """Measure Xavier's and He's rules where narrow and wide layers alternate."""
    widths = [s.uneven[i % 2] for i in range(s.depth + 1)]
    cases = {
        "xavier_linear": (schemes.XAVIER, "linear"),
        "he_relu": (schemes.he(), "relu"),
    }
    return {
        name: measure(
            lambda seed, scheme=scheme, kind=kind: dense_net(
                widths, scheme, [kind] * s.depth, [seed], DTYPE
            ),
            (s.batch, widths[0]),
            s.seeds,
        )
        for name, (scheme, kind) in cases.items()
    }


def padding(s: Settings) -> dict[str, Any]:
    """Measure He under ReLU in deep convolutional nets, for each padding and size of the maps."""
    channels = [s.conv_channels] * (s.depth + 1)
    names = ["relu"] * s.depth
    return {
        f"{mode} {size}": measure(
            lambda seed, mode=mode: conv_net(channels, schemes.he(), names, [seed], DTYPE, mode),
            (s.images, size, size, channels[0]),
            s.conv_seeds,
        )
        for mode in ("wrap", "constant")
        for size in s.conv_maps
    }


def vgg(s: Settings) -> dict[str, Any]:
    """Measure sigma = 0.01 and He at the widths of the VGG models, from conv1 to the last."""
    found: dict[str, Any] = {}
    for model in s.vgg:
        channels = VGG[model]
        # The signal that leaves conv1 goes through conv2 and all later ones. Their fan_in counts
        # on the way forward, their fan_out on the way back.
        forward = [relu_factor(0.01, 9 * c) for c in channels[:-1]]
        backward = [relu_factor(0.01, 9 * c) for c in channels[1:]]
        found[model] = {
            "channels": list(channels),
            "reckoned": {"activation": math.prod(forward), "gradient": math.prod(backward)},
        }
        for name, scheme, mode in (
            ("sigma_small", schemes.fixed(0.01), "wrap"),
            ("sigma_small_zero_padding", schemes.fixed(0.01), "constant"),
            ("he", schemes.he(), "wrap"),
        ):
            found[model][name] = measure(
                lambda seed, scheme=scheme, mode=mode, channels=channels: conv_net(
                    (3, *channels), scheme, ["relu"] * len(channels), [seed], DTYPE, mode
                ),
                (s.images, s.vgg_map, s.vgg_map, 3),
                s.conv_seeds,
            )
    return found


def run(s: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything and return the results."""
    found = {}
    for part in (dense, uneven, padding, vgg):
        found[part.__name__] = part(s)
        say(f"propagation: {part.__name__} done")
    return found
