"""One embedding table of the size that recommenders use: a million rows of 128."""

from __future__ import annotations

from .family import Family, Rule, Table

__all__ = ["EMBEDDING"]


def table(*, rows: int = 10**6, width: int = 128) -> Table:
    """Return the only parameter."""
    return Table({"embedding.weight": (rows, width)})


EMBEDDING = Family(
    title="Embedding",
    published="Embedding 1,000,000 x 128",
    source=(
        "Glorot and Bengio, Understanding the difficulty of training deep feedforward neural "
        "networks (2010), equation 16; no published model"
    ),
    rules=(Rule("embedding.weight", "xavier_uniform", "embedding"),),
    table=table,
)
