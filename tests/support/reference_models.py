"""Built-in models as their frameworks build them, from the sizes of `weightinit_fast.models`.

Nothing is downloaded: a configuration builds a model, and the framework draws its weights.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .frameworks import Framework, Torchvision

# transformers asks no server for anything that is built from a configuration; this makes sure.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

torch = Framework("torch")
torchvision = Torchvision("torchvision")
transformers = Framework("transformers", after=torchvision)
timm = Framework("timm", after=torchvision)

Sizes = dict[str, Any]


class Reference(NamedTuple):
    """How a framework builds a model, and the sizes at which its weights are measured.

    Attributes
    ----------
    package : str
        The package that defines the model.
    published : callable
        Builds the published model, from the framework's own defaults where it has them.
    build : callable
        Sizes -> the model.
    small : dict
        The sizes at which the weights are measured.
    repeats : int
        How many models are drawn and measured.
    """

    package: str
    published: Callable[[Sizes], Any]
    build: Callable[[Sizes], Any]
    small: Sizes
    repeats: int = 1


def _gpt2(s: Sizes) -> Any:
    config = transformers.GPT2Config(
        n_layer=s["layers"],
        n_embd=s["width"],
        n_head=s["heads"],
        n_inner=s["hidden"],
        vocab_size=s["vocabulary"],
        n_positions=s["context"],
    )
    return transformers.GPT2Model(config)


def _decoder(s: Sizes) -> dict[str, Any]:
    return {
        "num_hidden_layers": s["layers"],
        "hidden_size": s["width"],
        "num_attention_heads": s["heads"],
        "num_key_value_heads": s["kv_heads"],
        "intermediate_size": s["hidden"],
        "vocab_size": s["vocabulary"],
        "tie_word_embeddings": bool(s["tied"]),
    }


def _llama3(s: Sizes) -> Any:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**_decoder(s)))


def _mixtral(s: Sizes) -> Any:
    config = transformers.MixtralConfig(**_decoder(s), num_local_experts=s["experts"])
    return transformers.MixtralForCausalLM(config)


def _bert(s: Sizes) -> Any:
    config = transformers.BertConfig(
        num_hidden_layers=s["layers"],
        hidden_size=s["width"],
        num_attention_heads=s["heads"],
        intermediate_size=s["hidden"],
        vocab_size=s["vocabulary"],
        max_position_embeddings=s["context"],
        type_vocab_size=s["segments"],
    )
    return transformers.BertForPreTraining(config)


def _vit(s: Sizes) -> Any:
    return timm.models.vision_transformer.VisionTransformer(
        depth=s["layers"],
        embed_dim=s["width"],
        num_heads=s["heads"],
        mlp_ratio=s["hidden"] / s["width"],
        patch_size=s["patch"],
        img_size=s["image"],
        in_chans=s["channels"],
        num_classes=s["classes"],
    )


def _resnet(depth: int) -> Reference:
    def build(s: Sizes) -> Any:
        return getattr(torchvision.models, f"resnet{depth}")(num_classes=s["classes"])

    return Reference("torchvision", build, build, {"classes": 300})


def _dlrm(s: Sizes) -> Any:
    """Build DLRM_Net of github.com/facebookresearch/dlrm, which no package installs.

    Names, shapes and draws follow create_emb and create_mlp of dlrm_s_pytorch.py at commit
    090956ee2319ddd349a42232958aefccfe3f7b0a, for one device and interaction=dot.
    """

    seed = torch.randint(2**31, (), device="cpu")  # so that torch.manual_seed holds for all models
    generator = np.random.default_rng(int(seed))

    def drawn(parameter: Any, draw: Callable[..., Any], *arguments: float) -> Any:
        if parameter.is_meta:
            return parameter
        values = draw(*arguments, size=tuple(parameter.shape)).astype(np.float32)
        return torch.nn.Parameter(torch.from_numpy(values))

    def create_emb(m: int, ln: tuple[int, ...]) -> Any:
        emb_l = torch.nn.ModuleList()
        for n in ln:
            table = torch.nn.EmbeddingBag(n, m, mode="sum", sparse=True)
            bound = np.sqrt(1 / n)
            table.weight = drawn(table.weight, generator.uniform, -bound, bound)
            emb_l.append(table)
        return emb_l

    def create_mlp(ln: list[int]) -> Any:
        layers = torch.nn.ModuleList()
        for n, m in pairwise(ln):
            layer = torch.nn.Linear(n, m, bias=True)
            layer.weight = drawn(layer.weight, generator.normal, 0, np.sqrt(2 / (m + n)))
            layer.bias = drawn(layer.bias, generator.normal, 0, np.sqrt(1 / m))
            layers.append(layer)
            layers.append(torch.nn.ReLU())
        return torch.nn.Sequential(*layers)

    features = len(s["rows"]) + 1
    net = torch.nn.Module()
    net.emb_l = create_emb(s["width"], s["rows"])
    net.bot_l = create_mlp([s["dense"], *s["bottom"], s["width"]])
    net.top_l = create_mlp([features * (features - 1) // 2 + s["width"], *s["top"], 1])
    return net


REFERENCES = {
    "gpt2": Reference(
        "transformers",
        lambda _: transformers.GPT2Model(transformers.GPT2Config()),
        _gpt2,
        {"layers": 3, "width": 192, "heads": 4, "vocabulary": 1000, "context": 200},
    ),
    "llama3": Reference(
        "transformers",
        _llama3,  # the defaults of LlamaConfig are Llama 2 7B
        _llama3,
        {"layers": 2, "width": 256, "heads": 8, "kv_heads": 2, "hidden": 400, "vocabulary": 1000},
    ),
    "mixtral": Reference(
        "transformers",
        lambda _: transformers.MixtralForCausalLM(transformers.MixtralConfig()),
        _mixtral,
        {"layers": 2, "width": 256, "heads": 4, "kv_heads": 2, "hidden": 300, "vocabulary": 999},
        repeats=2,
    ),
    "bert": Reference(
        "transformers",
        lambda _: transformers.BertForPreTraining(transformers.BertConfig()),
        _bert,
        {"layers": 2, "width": 192, "heads": 4, "vocabulary": 1000, "context": 100},
    ),
    "vit": Reference(
        "timm",
        lambda _: timm.create_model("vit_base_patch16_224"),
        _vit,
        {"layers": 1, "width": 1024, "heads": 8, "hidden": 512, "image": 48, "classes": 200},
        repeats=4,
    ),
    **{f"resnet{depth}": _resnet(depth) for depth in (18, 34, 50, 101, 152)},
    "dlrm": Reference(
        "torch",
        _dlrm,
        _dlrm,
        {"rows": (10_000, 3, 200, 20_000), "width": 32, "bottom": (512, 256), "top": (300,)},
        repeats=4,  # each bias has a rule of its own, and few elements
    ),
}


@contextmanager
def quietly() -> Iterator[None]:
    """Build models without the warnings and the progress bars of the frameworks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parameters_of(model: Any) -> dict[str, Any]:
    """Return the parameters of a model, tied ones once, as its framework writes them into a file.

    transformers splits the experts of Mixtral, which it has joined in memory.
    """
    parameters = dict(model.named_parameters())
    if model.__class__.__name__.startswith("Mixtral"):
        loading = import_module("transformers.core_model_loading")
        parameters = loading.revert_weight_conversion(model, parameters)
    return {name: tensor.detach() for name, tensor in parameters.items()}


def tied_names(model: Any) -> set[str]:
    """Return the names of a model's state that share a parameter of another name."""
    own = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    return set(model.state_dict()) - own
