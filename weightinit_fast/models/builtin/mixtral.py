"""Mixtral: a decoder whose feed-forward layers are mixtures of experts, in its published names."""

from __future__ import annotations

from .family import Family, Rule, Table, hidden_width, limit_tensors
from .llama3 import Shapes, decoder

__all__ = ["MIXTRAL"]


def table(
    *,
    layers: int = 32,
    width: int = 4096,
    heads: int = 32,
    kv_heads: int = 8,
    hidden: int | None = None,
    experts: int = 8,
    vocabulary: int = 32000,
    tied: int = 0,
) -> Table:
    """Return the parameters of a Mixtral; with ``tied=1`` the output layer is the embedding.

    These are the tensors of the published files, which hold three matrices for each expert. In
    memory, transformers 5 keeps the experts of a layer in two tensors, ``mlp.experts.gate_up_proj``
    and ``mlp.experts.down_proj``. It splits and joins them when it writes and reads such files. The
    recipe draws these as well.
    """
    limit_tensors(layers * (3 * experts + 7))
    derived = {"hidden": hidden_width(hidden, width, 7, 2)}
    inner = derived["hidden"]

    def feed_forward(block: str) -> Shapes:
        shapes: Shapes = {f"{block}.block_sparse_moe.gate.weight": (experts, width)}
        for number in range(experts):
            expert = f"{block}.block_sparse_moe.experts.{number}"
            shapes |= {
                f"{expert}.w1.weight": (inner, width),
                f"{expert}.w2.weight": (width, inner),
                f"{expert}.w3.weight": (inner, width),
            }
        return shapes

    shapes, same_as = decoder(layers, width, heads, kv_heads, vocabulary, tied, feed_forward)
    return Table(shapes, same_as=same_as, derived=derived)


MIXTRAL = Family(
    title="Mixtral",
    published="Mixtral 8x7B",
    source=(
        "Jiang et al., Mixtral of Experts (2024, arXiv:2401.04088), table 1, which states sizes "
        "but no initialisation; that is transformers', MixtralPreTrainedModel._init_weights "
        "(initializer_range=0.02)"
    ),
    rules=(
        Rule("*norm.weight", "ones", "norms"),
        Rule("*embed_tokens.weight", "normal(std=0.02)", "embeddings"),
        Rule("*.gate.weight", "normal(std=0.02)", "routers"),
        Rule("*.experts.*", "normal(std=0.02)", "experts"),
        Rule("*.weight", "normal(std=0.02)", "linear weights"),
    ),
    table=table,
)
