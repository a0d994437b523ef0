"""ViT: the vision transformer, in timm's names."""

from __future__ import annotations

from .family import Family, Rule, Table, hidden_width, limit_tensors, need_multiple

__all__ = ["VIT"]


def table(
    *,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int | None = None,
    patch: int = 16,
    image: int = 224,
    channels: int = 3,
    classes: int = 1000,
) -> Table:
    """Return the parameters of timm's ``VisionTransformer`` with a class token."""
    limit_tensors(12 * layers)
    need_multiple("width", width, "heads", heads)
    need_multiple("image", image, "patch", patch)
    derived = {"hidden": hidden_width(hidden, width, 4)}
    inner = derived["hidden"]
    patches = (image // patch) ** 2
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, patches + 1, width),
        "patch_embed.proj.weight": (width, channels, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for layer in range(layers):
        block = f"blocks.{layer}"
        shapes |= {
            f"{block}.norm1.weight": (width,),
            f"{block}.norm1.bias": (width,),
            f"{block}.attn.qkv.weight": (3 * width, width),
            f"{block}.attn.qkv.bias": (3 * width,),
            f"{block}.attn.proj.weight": (width, width),
            f"{block}.attn.proj.bias": (width,),
            f"{block}.norm2.weight": (width,),
            f"{block}.norm2.bias": (width,),
            f"{block}.mlp.fc1.weight": (inner, width),
            f"{block}.mlp.fc1.bias": (inner,),
            f"{block}.mlp.fc2.weight": (width, inner),
            f"{block}.mlp.fc2.bias": (width,),
        }
    shapes |= {
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (classes, width),
        "head.bias": (classes,),
    }
    return Table(shapes, let={"channels": channels, "patch": patch}, derived=derived)


VIT = Family(
    title="ViT",
    published="ViT-B/16",
    source=(
        "Dosovitskiy et al., An Image is Worth 16x16 Words (2020, arXiv:2010.11929); timm, "
        "VisionTransformer.init_weights and init_weights_vit_timm. timm leaves the embedding of "
        "the patches to the default of torch.nn.Conv2d"
    ),
    rules=(
        # timm's trunc_normal_ has the absolute bounds -2 and 2, which are 100 standard deviations
        # away, so that its values have the distribution of a plain normal.
        Rule("cls_token", "normal(std=1e-6)", "embeddings"),
        Rule("pos_embed", "normal(std=0.02)", "embeddings"),
        Rule("patch_embed.proj.weight", "fan_in_uniform", "patches"),
        Rule(
            "patch_embed.proj.bias",
            "uniform(low=-1 / sqrt(channels * patch**2), high=1 / sqrt(channels * patch**2))",
            "patches",
        ),
        Rule("*norm*.weight", "ones", "norms"),
        Rule("*norm*.bias", "zeros", "norms"),
        Rule("*.bias", "zeros", "biases"),
        Rule("*.weight", "normal(std=0.02)", "linear weights"),
    ),
    table=table,
)
