"""Parameter tables of the models that ``python -m weightinit_fast`` initialises.

Each function yields ``(parameter name, shape, Spec)`` in the order of the published checkpoint.
Wanted means and standard deviations are written down here from the papers' formulas and the
shapes, not asked of the package, so that measuring against them also checks the package's fans.

Only ``__main__`` imports this module; ``import weightinit_fast`` does not pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["MODELS", "SHA256", "SHA256_STREAM_VERSION", "TITLES", "Row", "Spec"]


class Spec(NamedTuple):
    """How one tensor is initialised, and what should come out.

    Attributes
    ----------
    group : str
        The line of the printed table that the tensor is counted in.
    function : str
        Name of the initialiser in ``weightinit_fast``.
    options : dict
        Its own parameters.
    law : {"constant", "normal", "uniform"}
        Kind of distribution: what NumPy is asked for.
    mean, std : float
        Wanted mean and standard deviation.
    """

    group: str
    function: str
    options: dict[str, float | str]
    law: Literal["constant", "normal", "uniform"]
    mean: float
    std: float


Row: TypeAlias = tuple[str, tuple[int, ...], Spec]


def _zeros(group: str) -> Spec:
    return Spec(group, "zeros", {}, "constant", 0.0, 0.0)


def _ones(group: str) -> Spec:
    return Spec(group, "ones", {}, "constant", 1.0, 0.0)


def _normal(group: str, std: float) -> Spec:
    return Spec(group, "normal", {"std": std}, "normal", 0.0, std)


def gpt2() -> Iterator[Row]:
    """Yield GPT-2 124M: names and shapes of the Hugging Face checkpoint ``gpt2``.

    Linear layers are OpenAI's ``Conv1D``: their weights are stored (in, out). The output layer
    shares ``wte.weight`` and the causal masks are buffers, so neither is listed.
    """
    vocabulary, context, width, layers = 50257, 1024, 768, 12
    # Each block adds two projections to the residual stream, hence the root of 2L (GPT-2 paper).
    residual_std = 0.02 / math.sqrt(2 * layers)
    zeros, norm_weight, norm_bias = _zeros("biases"), _ones("norms"), _zeros("norms")
    linear = _normal("linear weights", 0.02)
    residual = _normal("residual projections", residual_std)

    yield "wte.weight", (vocabulary, width), _normal("embeddings", 0.02)
    yield "wpe.weight", (context, width), _normal("embeddings", 0.02)
    for layer in range(layers):
        block = f"h.{layer}"
        yield f"{block}.ln_1.weight", (width,), norm_weight
        yield f"{block}.ln_1.bias", (width,), norm_bias
        yield f"{block}.attn.c_attn.weight", (width, 3 * width), linear
        yield f"{block}.attn.c_attn.bias", (3 * width,), zeros
        yield f"{block}.attn.c_proj.weight", (width, width), residual
        yield f"{block}.attn.c_proj.bias", (width,), zeros
        yield f"{block}.ln_2.weight", (width,), norm_weight
        yield f"{block}.ln_2.bias", (width,), norm_bias
        yield f"{block}.mlp.c_fc.weight", (width, 4 * width), linear
        yield f"{block}.mlp.c_fc.bias", (4 * width,), zeros
        yield f"{block}.mlp.c_proj.weight", (4 * width, width), residual
        yield f"{block}.mlp.c_proj.bias", (width,), zeros
    yield "ln_f.weight", (width,), norm_weight
    yield "ln_f.bias", (width,), norm_bias


def _conv(name: str, channels_in: int, channels_out: int, kernel: int) -> Row:
    """Return a torchvision ResNet convolution: He normal, fan_out, no bias."""
    std = math.sqrt(2 / (channels_out * kernel * kernel))
    spec = Spec("convolutions", "he_normal", {"mode": "fan_out"}, "normal", 0.0, std)
    return f"{name}.weight", (channels_out, channels_in, kernel, kernel), spec


def _batch_norm(name: str, channels: int) -> Iterator[Row]:
    yield f"{name}.weight", (channels,), _ones("norms")
    yield f"{name}.bias", (channels,), _zeros("norms")


def resnet50() -> Iterator[Row]:
    """Yield ResNet-50: torchvision's names, shapes and initialisers (running statistics left out).

    torchvision leaves ``fc`` to the default of ``torch.nn.Linear``: ``kaiming_uniform_(a=sqrt(5))``
    for the weight and the same bound, 1/sqrt(fan_in), for the bias.
    """
    yield _conv("conv1", 3, 64, 7)
    yield from _batch_norm("bn1", 64)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        width = 64 << (stage - 1)
        for number in range(blocks):
            block = f"layer{stage}.{number}"
            yield _conv(f"{block}.conv1", channels, width, 1)
            yield from _batch_norm(f"{block}.bn1", width)
            yield _conv(f"{block}.conv2", width, width, 3)
            yield from _batch_norm(f"{block}.bn2", width)
            yield _conv(f"{block}.conv3", width, 4 * width, 1)
            yield from _batch_norm(f"{block}.bn3", 4 * width)
            if number == 0:
                yield _conv(f"{block}.downsample.0", channels, 4 * width, 1)
                yield from _batch_norm(f"{block}.downsample.1", 4 * width)
            channels = 4 * width
    bound = 1 / math.sqrt(channels)
    std = bound / math.sqrt(3)
    weight = Spec("fc", "he_uniform", {"a": math.sqrt(5)}, "uniform", 0.0, std)
    bias = Spec("fc", "uniform", {"low": -bound, "high": bound}, "uniform", 0.0, std)
    yield "fc.weight", (1000, channels), weight
    yield "fc.bias", (1000,), bias


def embedding() -> Iterator[Row]:
    """Yield one recommender-sized table, a million rows of 128, by Xavier uniform."""
    rows, width = 10**6, 128
    std = math.sqrt(2 / (rows + width))
    spec = Spec("embedding", "xavier_uniform", {}, "uniform", 0.0, std)
    yield "embedding.weight", (rows, width), spec


MODELS: dict[str, Callable[[], Iterator[Row]]] = {
    "gpt2": gpt2,
    "resnet50": resnet50,
    "embedding": embedding,
}

TITLES = {
    "gpt2": "GPT-2 124M",
    "resnet50": "ResNet-50",
    "embedding": "Embedding 1,000,000 x 128",
}

# SHA-256 of all tensors' bytes, little-endian float32, in table order; rng=0, each tensor on the
# stream of its name. Other digests for the same stream version would break the contract.
SHA256_STREAM_VERSION = 1
SHA256 = {
    "gpt2": "26051b23957ef2670bec15fdd342d229d7cb4e2ddae721ab85fe8198fc04aa5b",
    "resnet50": "fc78a482c3505269192165b44ddcfe3c7279f957aa8898c025c18357bdb26c86",
    "embedding": "e25c8006e235305e591ed16785c3fa22e63e8e441eff3e572a3557fd6dcc765e",
}
