"""Compare our initialisers with those of torch, JAX and Keras: scales, fans, and draws of 16 bits.

These commands make an environment with all three frameworks in a clone, and run every section
(about 3 minutes; --help shows the options of single sections)::

    python -m venv .peers && .peers/bin/pip install -r tests/peers/requirements.txt .
    .peers/bin/python tests/peers

README.md in this folder says how a row is judged. The exit status is 1 if a row is WRONG.
Frameworks that are not installed are left out.
"""

import argparse
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from jax_pairs import jax_peer
from keras_pairs import keras_peer
from layers import NOTES
from narrow import Narrow, narrow_rows
from pairs import Peer
from rows import Row, fan_rows, rows
from torch_pairs import torch_peer

import weightinit_fast as wi

PEERS = {"torch": torch_peer, "jax": jax_peer, "keras": keras_peer}
SECTIONS = {
    "table": "the standard deviation of every initialiser on every layer",
    "fans": "the fans of every layer",
    "narrow": "draws of 16 bits",
}
Rows = list[dict[str, Any]]


def main() -> int:
    """Print the sections that are asked for; return 1 where a row is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    for section, what in SECTIONS.items():
        parser.add_argument(f"--{section}", action="store_true", help=what)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--items", type=int, default=10**7, help="draws of --narrow (10^7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows there")
    asked = parser.parse_args()
    wanted = [s for s in SECTIONS if getattr(asked, s)] or list(SECTIONS)
    names = [name for name in asked.peers if importlib.util.find_spec(name)]
    for name in set(asked.peers) - set(names):
        print(f"{name}: not installed")
    peers = [PEERS[name]() for name in names]
    print(f"weightinit_fast {wi.__version__}", *(f"{p.name} {p.version}" for p in peers), sep=" · ")
    report: dict[str, Rows] = {}
    if "fans" in wanted:
        report["fans"] = _fans(peers)
    if "table" in wanted:
        report["table"] = _table(peers)
    if "narrow" in wanted:
        report["narrow"] = _narrow(names, asked.items)
    if asked.json:
        versions = {p.name: p.version for p in peers} | {"weightinit_fast": wi.__version__}
        asked.json.write_text(json.dumps({"versions": versions, **report}, indent=1) + "\n")
    wrong = [row for found in report.values() for row in found if row["status"] == "WRONG"]
    for row in wrong:
        print("WRONG", *(value for value in row.values() if value not in (None, "WRONG")))
    print(f"\n{len(wrong)} wrong")
    return bool(wrong)


def _record(row: NamedTuple, status: str | None = None) -> dict[str, Any]:
    return row._asdict() | ({} if status is None else {"status": status})


def _notes(keys: set[str]) -> None:
    print()
    for key in NOTES:
        if key in keys:
            print(f"  {key}: {NOTES[key]}")


def _fans(peers: list[Peer]) -> Rows:
    print("\nFans: by the peer's function, by ours, and counted from the layer's connections\n")
    layout = "{:<6}{:<20}{:<14}{:>18}{:>18}{:>18}  {}"
    print(layout.format("", "layer", "stored", "peer", "ours", "layer", "").rstrip())
    found: Rows = []
    for peer in peers:
        for name, kind, shape, theirs, ours, right, key in fan_rows(peer):
            shown = [
                f if isinstance(f, str) else "{:g}, {:g}".format(*f) for f in (theirs, ours, right)
            ]
            agreed = "both refuse" if isinstance(theirs, str) else "ok"
            print(layout.format(name, kind, shape, *shown, key or agreed))
            status = "WRONG" if key == "WRONG" else "explained" if key else "ok"
            found.append(
                {
                    "peer": name, "kind": kind, "shape": shape, "fans": theirs, "ours": ours,
                    "layer": right, "status": status, "note": key,
                }
            )  # fmt: skip
    _notes({row["note"] for row in found})
    print(
        "  Where ours is told no more than a peer is, the shape and the framework, it takes the\n"
        "  peer's fans, if the peer has any. Experts: JAX is told batch_axis=(0,), and Keras\n"
        "  input_axes=[1] and output_axes=[2]. In the table, ours is told fans=(n, n) where\n"
        "  Keras has a weight of one axis."
    )
    return found


def _table(peers: list[Peer]) -> Rows:
    print("\nStandard deviations\n")
    layout = "{:<6}{:<36}{:<19}{:<14}{:>9}{:>9}{:>9}{:>8}  {}"
    head = ("", "initialiser", "layer", "stored", "formula", "peer", "ours", "ratio", "")
    print(layout.format(*head).rstrip())
    found: list[Row] = []
    for peer in peers:
        for row in rows(peer):
            values = (row.formula, row.measured, row.ours)
            shown = ["-" if value is None else f"{value:.5f}" for value in values]
            ratio = "-" if row.ratio is None else f"{row.ratio:.4f}"
            verdict = row.remark if row.status == "explained" else f"{row.status} {row.remark}"
            print(layout.format(*row[:4], *shown, ratio, verdict).rstrip(), flush=True)
            found.append(row)
    _notes({row.remark for row in found})
    _summary(found)
    return [_record(row) for row in found]


def _summary(found: list[Row]) -> None:
    print()
    for peer in dict.fromkeys(row.peer for row in found):
        mine = [row for row in found if row.peer == peer]
        status = Counter(row.status for row in mine)
        plain = Counter(row.remark for row in mine if row.status == "ok")
        measured = [r for r in mine if r.status == "ok" and r.ratio and r.formula]
        worst = max(measured, key=lambda r: abs((r.ratio or 1) - 1))
        print(
            f"{peer}: {len(mine)} rows, {status['ok']} ok ({plain['equal']} equal to the bit, "
            f"{plain['both refuse']} refused by both), {status['explained']} explained, "
            f"{status['WRONG']} wrong"
        )
        print(f"  worst ratio of those ok: {worst.ratio:.4f} ({worst.initialiser}, {worst.kind})")
        for (kind, key), count in Counter(
            (row.kind, row.remark) for row in mine if row.status == "explained"
        ).items():
            print(f"  {count:>3} {kind}: {key}")


def _narrow(names: list[str], items: int) -> Rows:
    print(f"\nNarrow dtypes, {items:.0e} draws: normal 0, 1 and uniform -0.1, 0.1\n")
    layout = "{:<9}{:<10}{:<16}{:>9}{:>10}{:>10}{:>11}{:>9}{:>9}  {}"
    head = Narrow._fields
    print(layout.format(*(h if h != "distribution" else "" for h in head)).rstrip())
    found = []
    for row in narrow_rows(names, items):
        values = (f"{row.least:.5f}", f"{row.most:.5f}", f"{row.mean:.6f}", f"{row.std:.5f}")
        shown = layout.format(*row[:4], *values, row.outside, row.remark)
        print(shown.rstrip(), flush=True)
        ours = row.source == "ours"
        bad = ours and (row.outside or (row.distribution == "normal" and "differ" in row.remark))
        found.append(_record(row, "WRONG" if bad else "ok"))
    return found


if __name__ == "__main__":
    sys.exit(main())
