"""BERT: the encoder with the heads of its pre-training, in the names of ``bert-base-uncased``."""

from __future__ import annotations

from .family import Family, Rule, Table, hidden_width, limit_tensors, need_multiple

__all__ = ["BERT"]


def _layer(name: str, width_in: int, width_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width_out, width_in), f"{name}.bias": (width_out,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def table(
    *,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int | None = None,
    vocabulary: int = 30522,
    context: int = 512,
    segments: int = 2,
) -> Table:
    """Return the parameters of transformers' ``BertForPreTraining``.

    The ids of the positions are a buffer, so they are not listed. The output layer shares the
    embedding of the words, and its bias is ``cls.predictions.bias``.
    """
    limit_tensors(16 * layers)
    need_multiple("width", width, "heads", heads)
    derived = {"hidden": hidden_width(hidden, width, 4)}
    inner = derived["hidden"]
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (vocabulary, width),
        "bert.embeddings.position_embeddings.weight": (context, width),
        "bert.embeddings.token_type_embeddings.weight": (segments, width),
    }
    shapes |= _norm("bert.embeddings.LayerNorm", width)
    for layer in range(layers):
        block = f"bert.encoder.layer.{layer}"
        shapes |= _layer(f"{block}.attention.self.query", width, width)
        shapes |= _layer(f"{block}.attention.self.key", width, width)
        shapes |= _layer(f"{block}.attention.self.value", width, width)
        shapes |= _layer(f"{block}.attention.output.dense", width, width)
        shapes |= _norm(f"{block}.attention.output.LayerNorm", width)
        shapes |= _layer(f"{block}.intermediate.dense", width, inner)
        shapes |= _layer(f"{block}.output.dense", inner, width)
        shapes |= _norm(f"{block}.output.LayerNorm", width)
    shapes |= _layer("bert.pooler.dense", width, width)
    shapes["cls.predictions.bias"] = (vocabulary,)
    shapes |= _layer("cls.predictions.transform.dense", width, width)
    shapes |= _norm("cls.predictions.transform.LayerNorm", width)
    shapes |= _layer("cls.seq_relationship", width, 2)
    same_as = {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    return Table(shapes, same_as=same_as, derived=derived)


BERT = Family(
    title="BERT",
    published="BERT base, uncased",
    source=(
        "Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language "
        "Understanding (2018, arXiv:1810.04805), section 3, which states sizes but no "
        "initialisation; that is transformers', BertPreTrainedModel._init_weights "
        "(initializer_range=0.02), a plain normal where Google's code, modeling.py of "
        "github.com/google-research/bert, draws one that is truncated at two standard deviations"
    ),
    rules=(
        Rule("*LayerNorm.weight", "ones", "norms"),
        Rule("*LayerNorm.bias", "zeros", "norms"),
        Rule("*.bias", "zeros", "biases"),
        Rule("*_embeddings.weight", "normal(std=0.02)", "embeddings"),
        Rule("*.weight", "normal(std=0.02)", "linear weights"),
    ),
    table=table,
)
