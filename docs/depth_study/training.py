"""Train nets of 2 to 30 layers on the digits, every scheme tuned in the same way."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import digits
import numpy as np
import schemes
from nets import Net, conv_net, cross_entropy, dense_net, relu_factor
from propagation import VGG

import weightinit_fast as wi

CLASSES = 10
#: The loss of a net that only knows how frequent the classes are.
CHANCE = math.log(CLASSES)
#: A net trains if its median training loss has fallen below half of that.
TRAINS = CHANCE / 2


@dataclass(frozen=True)
class Settings:
    """The sizes of the experiment."""

    width: int = 64
    channels: int = 16
    depths: tuple[int, ...] = (2, 4, 8, 16, 30)
    factor_depths: tuple[int, ...] = (2, 4, 6, 8, 10, 12, 16, 20, 24, 30)
    #: Factors of a layer: those of sigma = 0.01 at 64, 128, 256 and 512 filters, and round numbers.
    factors: tuple[float, ...] = (*(relu_factor(0.01, 9 * c) for c in (64, 128, 256, 512)), 0.7, 1)
    vgg: tuple[str, ...] = tuple(VGG)
    #: Steps of half a decade where nets train. The two decades below are for nets that explode.
    rates: tuple[float, ...] = (1e-6, 1e-5, *(10 ** (k / 2) for k in range(-8, 1)))
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    tuning_seeds: tuple[int, ...] = (100, 101)
    conv_tuning_seeds: tuple[int, ...] = (100,)
    epochs: int = 20
    conv_epochs: int = 10
    batch: int = 64
    momentum: float = 0.9


QUICK = Settings(
    width=16,
    channels=4,
    depths=(2, 4),
    factor_depths=(2, 4),
    vgg=("A",),
    rates=(0.01, 0.1),
    seeds=(0, 1),
    tuning_seeds=(100,),
    epochs=2,
    conv_epochs=1,
)

Array = np.ndarray
Data = tuple[digits.Part, digits.Part, digits.Part]


@dataclass(frozen=True)
class Family:
    """One kind of net: how to build it, which data it learns, and how it is tuned."""

    build: Callable[[Any, Sequence[int]], Net]
    data: Data
    rates: tuple[float, ...]
    tuning_seeds: tuple[int, ...]
    epochs: int


def train(net: Net, family: Family, rates: Array, seeds: Sequence[int], s: Settings) -> None:
    """Train a stack of nets, each at its own rate and with its own seed's order of minibatches."""
    part = family.data[0]
    steps = len(part.x) // s.batch
    for epoch in range(family.epochs):
        shuffled = {k: digits.order(len(part.x), k, f"epoch{epoch}") for k in set(seeds)}
        batches = np.stack([shuffled[k][: steps * s.batch] for k in seeds])
        for i in range(steps):
            pick = batches[:, i * s.batch : (i + 1) * s.batch]
            logits = net.forward(part.x[pick])[-1]
            net.backward(cross_entropy(logits, part.y[pick])[1])
            net.step(rates, s.momentum)


def score(net: Net, part: digits.Part) -> tuple[Array, Array]:
    """Return the loss and accuracy of every net on one part of the data."""
    nets = len(net.layers[0].weight)
    logits = net.forward(np.broadcast_to(part.x, (nets, *part.x.shape)))[-1]
    labels = np.broadcast_to(part.y, (nets, len(part.y)))
    loss = cross_entropy(logits, labels)[0]
    right = (logits.argmax(axis=-1) == labels).mean(axis=-1)
    # A net that diverged has no finite loss; it always guesses one class.
    return np.where(np.isfinite(loss), loss, np.inf), right


def unit_gaps(net: Net) -> list[list[float]]:
    """Return the greatest difference between a unit's weights and those of the first unit.

    The outer list counts the hidden layers, the inner lists count the nets.
    """
    gaps = []
    for layer, above in zip(net.layers, net.layers[1:], strict=False):
        own = np.abs(layer.weight - layer.weight[..., :1]).max(axis=(1, 2))
        bias = np.abs(layer.bias - layer.bias[..., :1]).max(axis=(1, 2))
        out = np.abs(above.weight - above.weight[:, :1]).max(axis=(1, 2))
        gaps.append(np.maximum(np.maximum(own, bias), out).tolist())
    return gaps


def tuned(family: Family, scheme: Any, s: Settings, gaps: bool = False) -> dict[str, Any]:
    """Choose the rate by validation loss on the tuning seeds, then train the other seeds at it."""
    grid = np.repeat(np.array(family.rates, np.float32), len(family.tuning_seeds))
    seeds = list(family.tuning_seeds) * len(family.rates)
    # Nets that explode overflow, which their loss shows; NumPy need not warn.
    with np.errstate(all="ignore"):
        net = family.build(scheme, seeds)
        train(net, family, grid, seeds, s)
        valid = score(net, family.data[1])[0].reshape(len(family.rates), -1).mean(axis=1)
        best = int(np.argmin(valid))
        rates = np.full(len(s.seeds), family.rates[best], np.float32)
        net = family.build(scheme, s.seeds)
        train(net, family, rates, s.seeds, s)
        loss, _ = score(net, family.data[0])
        _, accuracy = score(net, family.data[2])
    found = {
        "rate": family.rates[best],
        "rate_at_edge": best in (0, len(family.rates) - 1),
        "validation_loss_by_rate": finite(valid),
        "training_loss": finite(loss),
        "test_accuracy": accuracy.tolist(),
        "trains": bool(np.median(loss) < TRAINS),
    }
    if gaps:
        found["unit_gap"] = max(max(row) for row in unit_gaps(net))
    return found


def finite(values: Array) -> list[float | None]:
    """Return a list with None in the place of infinities, which JSON cannot hold."""
    return [float(v) if np.isfinite(v) else None for v in values]


def dense_family(depth: int, activation: str, data: Data, s: Settings) -> Family:
    """Return the family of fully connected nets with ``depth`` weight layers."""
    widths = [data[0].x.shape[-1], *[s.width] * (depth - 1), CLASSES]
    names = [*[activation] * (depth - 1), "linear"]
    return Family(
        lambda scheme, seeds: dense_net(widths, scheme, names, seeds, "float32"),
        data,
        s.rates,
        s.tuning_seeds,
        s.epochs,
    )


def conv_family(depth: int, data: Data, s: Settings) -> Family:
    """Return nets of ``depth - 1`` convolutions on 4x4 maps and one fully connected layer."""
    channels = [4, *[s.channels] * (depth - 1)]
    names = [*["relu"] * (depth - 1), "linear"]
    maps = tuple(digits.Part(digits.as_maps(part.x), part.y) for part in data)
    head = (16 * s.channels, CLASSES)
    return Family(
        lambda scheme, seeds: conv_net(channels, scheme, names, seeds, "float32", "wrap", head),
        maps,
        s.rates,
        s.conv_tuning_seeds,
        s.conv_epochs,
    )


def vgg_scheme(model: str, width: int) -> list[wi.Initializer]:
    """Return for each layer the sigma that multiplies a signal as 0.01 does at VGG's widths."""
    channels = VGG[model]
    factors = [1.0, *(relu_factor(0.01, 9 * c) for c in channels)]  # conv1 reads the image
    return [schemes.fixed(schemes.factor_std(f, width)) for f in factors]


def run(s: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Train everything and return the results."""
    data = digits.load()
    found: dict[str, Any] = {"dense_relu": {}, "dense_tanh": {}, "conv_relu": {}}
    for depth in s.depths:
        for name, family, fan_in in (
            ("dense_relu", dense_family(depth, "relu", data, s), s.width),
            ("dense_tanh", dense_family(depth, "tanh", data, s), s.width),
            ("conv_relu", conv_family(depth, data, s), 9 * s.channels),
        ):
            used = schemes.study(fan_in)
            found[name][str(depth)] = {k: tuned(family, v, s) for k, v in used.items()}
            say(f"training: {name}, depth {depth} done")
    found["factors"] = {
        f"{factor:.2f}": {
            str(depth): tuned(
                dense_family(depth, "relu", data, s),
                schemes.fixed(schemes.factor_std(factor, s.width)),
                s,
            )
            for depth in s.factor_depths
        }
        for factor in s.factors
    }
    say("training: factors done")
    found["vgg"] = {
        model: tuned(
            dense_family(len(VGG[model]) + 1, "relu", data, s), vgg_scheme(model, s.width), s
        )
        for model in s.vgg
    }
    found["symmetry"] = {
        activation: {
            name: {
                str(depth): tuned(dense_family(depth, activation, data, s), scheme, s, gaps=True)
                for depth in s.depths[:3]
            }
            for name, scheme in (
                ("zeros", schemes.ZEROS),
                ("constant", schemes.constant(1 / s.width)),
                ("he", schemes.he()),
            )
        }
        for activation in ("relu", "tanh")
    }
    say("training: vgg and symmetry done")
    return found
