"""DLRM: a recommender with many embedding tables, in the names of Facebook's code."""

from __future__ import annotations

from itertools import pairwise

from .family import Family, Rule, Size, Table, limit_tensors

__all__ = ["DLRM"]

#: The rows of the 26 tables of Criteo's Kaggle data set, as DLRM's tools/visualize.py states them.
KAGGLE_ROWS = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)


def _perceptron(name: str, widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the layers of a perceptron; every second module is a ReLU, which has none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (width_in, width_out) in enumerate(pairwise(widths)):
        shapes[f"{name}.{2 * i}.weight"] = (width_out, width_in)
        shapes[f"{name}.{2 * i}.bias"] = (width_out,)
    return shapes


def _several(size: Size) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else size


def table(
    *,
    tables: int | None = None,
    rows: Size = KAGGLE_ROWS,
    width: int = 16,
    dense: int = 13,
    bottom: Size = (512, 256, 64),
    top: Size = (512, 256),
) -> Table:
    """Return the parameters of ``DLRM_Net``.

    ``rows`` has the rows of each table, or is one number for all of them. ``bottom`` and ``top``
    have the widths of the hidden layers. The bottom perceptron reads ``dense`` numbers and ends
    with ``width`` features. The top one reads these, and the dot product of each pair among them
    and the tables (``interaction=dot`` without the pairs of one with itself). It ends with one
    number.
    """
    if isinstance(rows, int):
        tables = len(KAGGLE_ROWS) if tables is None else tables
        limit_tensors(tables)
        rows = (rows,) * tables
    if not rows:
        raise ValueError("rows must have the rows of one table or more")
    if tables not in (None, len(rows)):
        raise ValueError(
            f"rows has the rows of {len(rows)} tables, but tables is {tables}: give one number as "
            "rows, for tables of equal size, or the rows of each table"
        )
    shapes: dict[str, tuple[int, ...]] = {
        f"emb_l.{i}.weight": (count, width) for i, count in enumerate(rows)
    }
    pairs = len(rows) * (len(rows) + 1) // 2
    shapes |= _perceptron("bot_l", (dense, *_several(bottom), width))
    shapes |= _perceptron("top_l", (width + pairs, *_several(top), 1))
    # Each bias has its own std, which the shape of one axis does not tell: it has no fan_out.
    rules = tuple(
        Rule(name, f"normal(std=1 / sqrt({shape[0]}))", "biases")
        for name, shape in shapes.items()
        if name.endswith(".bias")
    )
    return Table(shapes, derived={"tables": len(rows)}, rules=rules)


DLRM = Family(
    title="DLRM",
    published="DLRM, Criteo Kaggle",
    source=(
        "Naumov et al., Deep Learning Recommendation Model for Personalization and Recommendation "
        "Systems (2019, arXiv:1906.00091); github.com/facebookresearch/dlrm, dlrm_s_pytorch.py, "
        "DLRM_Net.create_emb (uniform within sqrt(1/rows)) and create_mlp (weights of variance "
        "2/(inputs + outputs), biases of variance 1/outputs); sizes of "
        "bench/dlrm_s_criteo_kaggle.sh"
    ),
    rules=(
        # The bound is 1/sqrt(fan_in). A table is a linear layer whose inputs are its rows.
        Rule("emb_l.*.weight", "fan_in_uniform(layout='IO')", "embeddings"),
        Rule("*.weight", "xavier_normal", "linear weights"),
    ),
    table=table,
)
