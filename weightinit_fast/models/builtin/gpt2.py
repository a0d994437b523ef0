"""GPT-2: the decoder of OpenAI, with the names of the Hugging Face checkpoint ``gpt2``."""

from __future__ import annotations

from .family import Family, Rule, Table, hidden_width, limit_tensors, need_multiple

__all__ = ["GPT2"]


def table(
    *,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int | None = None,
    vocabulary: int = 50257,
    context: int = 1024,
) -> Table:
    """Return the parameters of GPT-2.

    Linear layers are OpenAI's ``Conv1D``: their weights are stored (in, out). The causal masks are
    buffers, so they are not listed. The output layer shares ``wte.weight``.
    """
    limit_tensors(12 * layers)
    need_multiple("width", width, "heads", heads)
    derived = {"hidden": hidden_width(hidden, width, 4)}
    inner = derived["hidden"]
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (vocabulary, width),
        "wpe.weight": (context, width),
    }
    for layer in range(layers):
        block = f"h.{layer}"
        shapes |= {
            f"{block}.ln_1.weight": (width,),
            f"{block}.ln_1.bias": (width,),
            f"{block}.attn.c_attn.weight": (width, 3 * width),
            f"{block}.attn.c_attn.bias": (3 * width,),
            f"{block}.attn.c_proj.weight": (width, width),
            f"{block}.attn.c_proj.bias": (width,),
            f"{block}.ln_2.weight": (width,),
            f"{block}.ln_2.bias": (width,),
            f"{block}.mlp.c_fc.weight": (width, inner),
            f"{block}.mlp.c_fc.bias": (inner,),
            f"{block}.mlp.c_proj.weight": (inner, width),
            f"{block}.mlp.c_proj.bias": (width,),
        }
    shapes |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    same_as = {"lm_head.weight": "wte.weight"}
    return Table(shapes, let={"layers": layers}, same_as=same_as, derived=derived)


GPT2 = Family(
    title="GPT-2",
    published="GPT-2 124M",
    source=(
        "Radford et al., Language Models are Unsupervised Multitask Learners (2019), section 2.3; "
        "transformers, GPT2PreTrainedModel._init_weights (initializer_range=0.02)"
    ),
    rules=(
        Rule("*ln_?.weight", "ones", "norms"),
        Rule("*ln_?.bias", "zeros", "norms"),
        Rule("*.bias", "zeros", "biases"),
        # Two projections of each block write into the residual stream, 2 * layers in all. The
        # paper divides their std by the root of that number.
        Rule("*.c_proj.weight", "normal(std=0.02 / sqrt(2 * layers))", "residual projections"),
        Rule("*wte.weight", "normal(std=0.02)", "embeddings"),
        Rule("*wpe.weight", "normal(std=0.02)", "embeddings"),
        Rule("*.weight", "normal(std=0.02)", "linear weights"),
    ),
    table=table,
)
