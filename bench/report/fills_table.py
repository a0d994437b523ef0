"""The table of fills: rates, and their ratios to the stores and to NumPy."""

from typing import Any

from ..cases.case import OUR_DTYPES, OUR_KINDS
from ..cases.ours import LIBRARY
from ..cases.peers import BASELINE
from ..cases.store_limit import MEMSET, NON_TEMPORAL
from .results import Row


def add_ratios(rows: list[Row]) -> None:
    """Add to each row its ratios to the store limits and to NumPy."""
    known = {
        (row["library"], row["variant"], row["what"], row["dtype"], row["threads"]): row
        for row in rows
    }
    stores = {(row["library"], row["threads"]): row for row in rows if row["what"] == "store"}
    for row in rows:
        divisors = {
            "nt": stores.get((f"store {NON_TEMPORAL}", row["threads"])),
            "memset": stores.get((f"store {MEMSET}", row["threads"])),
            "numpy": known.get(("numpy", BASELINE, row["what"], row["dtype"], 1)),
        }
        for name, divisor in divisors.items():
            for figure in ("median", "best", "cpu"):
                ratio = divisor and row[f"{figure}_gbs"] / divisor[f"{figure}_gbs"]
                row[f"{figure}_to_{name}"] = ratio


def table(all_rows: list[Row], every_peer: bool = False) -> str:
    """Return the table, with the fastest variant of each other library or with every variant."""
    shown = all_rows if every_peer else _fastest_variants(all_rows)
    lines = [_HEAD, _UNITS]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in shown:
        groups.setdefault((row["what"], row["dtype"]), []).append(row)
    for name in sorted(groups, key=_place):
        lines.append("")
        lines += [_line(row) for row in sorted(groups[name], key=_order)]
    return "\n".join(lines)


def _place(group: tuple[str, str]) -> tuple[int, ...]:
    """Return where a group stands: stores, then plain fills by kind and type, then the others."""
    known = ("store", *OUR_KINDS), ("", *OUR_DTYPES)
    return tuple(
        names.index(name) if name in names else len(names)
        for names, name in zip(known, group, strict=True)
    )


def _fastest_variants(all_rows: list[Row]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in all_rows:
        alone = row["variant"] if row["library"] in (LIBRARY, "numpy") else None
        name = (row["library"], row["what"], row["dtype"], row["threads"], alone)
        groups.setdefault(name, []).append(row)
    result = []
    for group in groups.values():
        best = max(group, key=lambda row: row["best_gbs"])
        note = f"{best['variant']} (of {len(group)})" if len(group) > 1 else best["variant"]
        result.append(best | {"variant": note})
    return result


def _order(row: Row) -> tuple[Any, ...]:
    return (row["threads"], row["library"] != LIBRARY, -row["median_gbs"])


_LAYOUT = (
    "{:22} {:8} {:18} {:26} {:>3} {:>4}  {:>6} {:>6}  {:>5} {:>5} {:>5}  {:>5} {:>5}  "
    "{:>6} {:>6}  {:>4}"
)
_HEAD = _LAYOUT.format(
    "fill", "type", "library", "instruction set, method", "thr", "MiB", "median", "best",
    "/store", "", "", "/mset", "", "xNumPy", "", "busy",
)  # fmt: skip
_UNITS = _LAYOUT.format(
    "", "", "", "", "", "", "GB/s", "GB/s", "med", "best", "cpu", "med", "best", "med", "best",
    "%",
)  # fmt: skip


def _line(row: Row) -> str:
    def number(name: str, digits: int) -> str:
        return "-" if row[name] is None else f"{row[name]:.{digits}f}"

    return _LAYOUT.format(
        row["what"],
        row["dtype"],
        row["library"],
        row["variant"],
        row["threads"],
        f"{row['bytes'] / 2**20:.0f}",
        number("median_gbs", 2),
        number("best_gbs", 2),
        number("median_to_nt", 3),
        number("best_to_nt", 3),
        number("cpu_to_nt", 3),
        number("median_to_memset", 2),
        number("best_to_memset", 2),
        number("median_to_numpy", 1),
        number("best_to_numpy", 1),
        f"{100 * row['median_busy']:.0f}",
    ).rstrip()
