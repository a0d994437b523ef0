"""DLRM: a recommender with many embedding tables, in the names of Facebook's code."""

from __future__ import annotations

from .family import Family, Rule, Table

__all__ = ["DLRM"]

#: The rows of the 26 tables of Criteo's Kaggle data set, as DLRM's tools/visualize.py states them.
KAGGLE_ROWS = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)


def _perceptron(name: str, widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the layers of a perceptron; every second module is a ReLU, which has none."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (width_in, width_out) in enumerate(zip(widths, widths[1:], strict=False)):
        shapes[f"{name}.{2 * i}.weight"] = (width_out, width_in)
        shapes[f"{name}.{2 * i}.bias"] = (width_out,)
    return shapes


def table(
    *,
    tables: int | None = None,
    rows: int | tuple[int, ...] = KAGGLE_ROWS,
    width: int = 16,
    dense: int = 13,
    bottom: tuple[int, ...] = (512, 256, 64),
    top: tuple[int, ...] = (512, 256),
) -> Table:
    """Return the parameters of ``DLRM_Net``.

    ``rows`` has the rows of each table, or is one number for all of them. ``bottom`` and ``top``
    have the widths of the hidden layers. The bottom perceptron reads ``dense`` numbers and ends
    with ``width`` features. The top one reads these, and the dot product of each pair among them
    and the tables (``interaction=dot`` without the pairs of one with itself). It ends with one
    number.
    """
    if isinstance(rows, int):
        rows = (rows,) * (len(KAGGLE_ROWS) if tables is None else tables)
    if tables not in (None, len(rows)):
        raise ValueError(
            f"rows has the rows of {len(rows)} tables, but tables is {tables}: give one number as "
            "rows, for tables of equal size, or the rows of each table"
        )
    shapes: dict[str, tuple[int, ...]] = {
        f"emb_l.{i}.weight": (count, width) for i, count in enumerate(rows)
    }
    pairs = len(rows) * (len(rows) + 1) // 2
    shapes |= _perceptron("bot_l", (dense, *bottom, width))
    shapes |= _perceptron("top_l", (width + pairs, *top, 1))
    return Table(shapes, derived={"tables": len(rows)})


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
        # The bound sqrt(1/rows) is that of variance 1/(3*rows). The rows are the fan_out.
        Rule(
            "emb_l.*.weight",
            "variance_scaling(scale=1 / 3, mode='fan_out', distribution='uniform')",
            "embeddings",
        ),
        Rule("*.weight", "xavier_normal", "linear weights"),
        # The only axis of a bias counts the outputs.
        Rule("*.bias", "variance_scaling(mode='fan_out', layout='O')", "biases"),
    ),
    table=table,
)
