"""Llama 3: a decoder with grouped queries and a gated feed-forward layer, in Hugging Face's names.

The sizes of other decoders of this kind (Llama 2 and 3.x, Mistral, and more) can be given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .family import Family, Rule, Table, hidden_width, limit_tensors, need_multiple

__all__ = ["LLAMA3", "Shapes", "decoder"]

#: Name -> shape.
Shapes: TypeAlias = dict[str, tuple[int, ...]]


def decoder(
    layers: int,
    width: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    tied: int,
    feed_forward: Callable[[str], Shapes],
) -> tuple[Shapes, dict[str, str]]:
    """Return the shapes of a decoder with grouped queries, and its tied names.

    ``feed_forward`` returns the shapes of the layer that stands in a block of that name.
    """
    shapes: Shapes = {"model.embed_tokens.weight": (vocabulary, width)}
    for layer in range(layers):
        block = f"model.layers.{layer}"
        shapes |= _attention(block, width, heads, kv_heads)
        shapes |= feed_forward(block)
        shapes |= {
            f"{block}.input_layernorm.weight": (width,),
            f"{block}.post_attention_layernorm.weight": (width,),
        }
    shapes["model.norm.weight"] = (width,)
    if tied:
        return shapes, {"lm_head.weight": "model.embed_tokens.weight"}
    shapes["lm_head.weight"] = (vocabulary, width)
    return shapes, {}


def _attention(block: str, width: int, heads: int, kv_heads: int) -> Shapes:
    """Return the four projections of an attention layer with grouped queries, without biases.

    Raises
    ------
    ValueError
        If the width cannot be shared by the heads, or the heads by the pairs of key and value.
    """
    need_multiple("width", width, "heads", heads)
    need_multiple("heads", heads, "kv_heads", kv_heads)
    kv_width = width // heads * kv_heads
    return {
        f"{block}.self_attn.q_proj.weight": (width, width),
        f"{block}.self_attn.k_proj.weight": (kv_width, width),
        f"{block}.self_attn.v_proj.weight": (kv_width, width),
        f"{block}.self_attn.o_proj.weight": (width, width),
    }


def table(
    *,
    layers: int = 32,
    width: int = 4096,
    heads: int = 32,
    kv_heads: int = 8,
    hidden: int | None = None,
    vocabulary: int = 128256,
    tied: int = 0,
) -> Table:
    """Return the parameters of a Llama; with ``tied=1`` the output layer is the embedding.

    The frequencies of the rotary position embedding are a buffer, so they are not listed.
    """
    limit_tensors(9 * layers)
    # 7/2 is the ratio of Llama 3 8B and 70B.
    derived = {"hidden": hidden_width(hidden, width, 7, 2)}
    inner = derived["hidden"]

    def feed_forward(block: str) -> Shapes:
        return {
            f"{block}.mlp.gate_proj.weight": (inner, width),
            f"{block}.mlp.up_proj.weight": (inner, width),
            f"{block}.mlp.down_proj.weight": (width, inner),
        }

    shapes, same_as = decoder(layers, width, heads, kv_heads, vocabulary, tied, feed_forward)
    return Table(shapes, same_as=same_as, derived=derived)


LLAMA3 = Family(
    title="Llama 3",
    published="Llama 3 8B",
    source=(
        "Dubey et al., The Llama 3 Herd of Models (2024, arXiv:2407.21783), table 3, which states "
        "sizes but no initialisation; that is transformers', PreTrainedModel._init_weights "
        "(initializer_range=0.02)"
    ),
    rules=(
        Rule("*norm.weight", "ones", "norms"),
        Rule("*embed_tokens.weight", "normal(std=0.02)", "embeddings"),
        Rule("*.weight", "normal(std=0.02)", "linear weights"),
    ),
    table=table,
)
