"""The models that ``python -m weightinit_fast`` initialises, as tables of their parameters.

Each function yields a `Parameter` for every tensor, in the order of the published checkpoint. Only
the command imports this module, so that ``import weightinit_fast`` takes no time for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..initialisers.initializer import Initializer, initializer

__all__ = ["MODELS", "SHA256", "SHA256_STREAM_VERSION", "TITLES", "Parameter"]


class Parameter(NamedTuple):
    """One tensor of a model.

    Attributes
    ----------
    name : str
        The name in the published checkpoint, which is the tensor's stream.
    shape : tuple of int
    group : str
        The line of the printed table that counts the tensor.
    init : Initializer
    """

    name: str
    shape: tuple[int, ...]
    group: str
    init: Initializer


ZEROS, ONES = initializer("zeros"), initializer("ones")
CONVOLUTION = initializer("he_normal", mode="fan_out")


def gpt2() -> Iterator[Parameter]:
    """Yield GPT-2 124M: names and shapes of the Hugging Face checkpoint ``gpt2``.

    Linear layers are OpenAI's ``Conv1D``: their weights are stored (in, out). The output layer
    shares ``wte.weight`` and the causal masks are buffers, so neither is listed.
    """
    vocabulary, context, width, layers = 50257, 1024, 768, 12
    # Two projections of each block write into the residual stream, 2L in all. The GPT-2 paper
    # divides their std by the root of that number.
    residual_std = 0.02 / math.sqrt(2 * layers)
    zeros, norm_weight, norm_bias = ("biases", ZEROS), ("norms", ONES), ("norms", ZEROS)
    plain = initializer("normal", std=0.02)
    linear = ("linear weights", plain)
    residual = ("residual projections", initializer("normal", std=residual_std))

    yield Parameter("wte.weight", (vocabulary, width), "embeddings", plain)
    yield Parameter("wpe.weight", (context, width), "embeddings", plain)
    for layer in range(layers):
        block = f"h.{layer}"
        yield Parameter(f"{block}.ln_1.weight", (width,), *norm_weight)
        yield Parameter(f"{block}.ln_1.bias", (width,), *norm_bias)
        yield Parameter(f"{block}.attn.c_attn.weight", (width, 3 * width), *linear)
        yield Parameter(f"{block}.attn.c_attn.bias", (3 * width,), *zeros)
        yield Parameter(f"{block}.attn.c_proj.weight", (width, width), *residual)
        yield Parameter(f"{block}.attn.c_proj.bias", (width,), *zeros)
        yield Parameter(f"{block}.ln_2.weight", (width,), *norm_weight)
        yield Parameter(f"{block}.ln_2.bias", (width,), *norm_bias)
        yield Parameter(f"{block}.mlp.c_fc.weight", (width, 4 * width), *linear)
        yield Parameter(f"{block}.mlp.c_fc.bias", (4 * width,), *zeros)
        yield Parameter(f"{block}.mlp.c_proj.weight", (4 * width, width), *residual)
        yield Parameter(f"{block}.mlp.c_proj.bias", (width,), *zeros)
    yield Parameter("ln_f.weight", (width,), *norm_weight)
    yield Parameter("ln_f.bias", (width,), *norm_bias)


def _conv(name: str, channels_in: int, channels_out: int, kernel: int) -> Parameter:
    """Return a convolution of torchvision's ResNet: He normal with fan_out, and no bias."""
    shape = (channels_out, channels_in, kernel, kernel)
    return Parameter(f"{name}.weight", shape, "convolutions", CONVOLUTION)


def _batch_norm(name: str, channels: int) -> Iterator[Parameter]:
    yield Parameter(f"{name}.weight", (channels,), "norms", ONES)
    yield Parameter(f"{name}.bias", (channels,), "norms", ZEROS)


def resnet50() -> Iterator[Parameter]:
    """Yield ResNet-50: torchvision's names, shapes and initialisers, without running statistics.

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
    weight = initializer("he_uniform", a=math.sqrt(5))
    bound = 1 / math.sqrt(channels)
    bias = initializer("uniform", low=-bound, high=bound)
    yield Parameter("fc.weight", (1000, channels), "fc", weight)
    yield Parameter("fc.bias", (1000,), "fc", bias)


def embedding() -> Iterator[Parameter]:
    """Yield one table of the size that recommenders use: a million rows of 128, Xavier uniform."""
    yield Parameter("embedding.weight", (10**6, 128), "embedding", initializer("xavier_uniform"))


MODELS: dict[str, Callable[[], Iterator[Parameter]]] = {
    "gpt2": gpt2,
    "resnet50": resnet50,
    "embedding": embedding,
}

TITLES = {
    "gpt2": "GPT-2 124M",
    "resnet50": "ResNet-50",
    "embedding": "Embedding 1,000,000 x 128",
}

# SHA-256 of the bytes of all tensors, little-endian float32, in table order. They are drawn with
# rng=0, and the stream of each tensor is its name. Another digest for the same stream version
# breaks the contract.
SHA256_STREAM_VERSION = 1
SHA256 = {
    "gpt2": "26051b23957ef2670bec15fdd342d229d7cb4e2ddae721ab85fe8198fc04aa5b",
    "resnet50": "fc78a482c3505269192165b44ddcfe3c7279f957aa8898c025c18357bdb26c86",
    "embedding": "e25c8006e235305e591ed16785c3fa22e63e8e441eff3e572a3557fd6dcc765e",
}
