"""Measure the table of dtypes.md: each dtype's limits, and how many different values a fill has."""

import ml_dtypes
import numpy as np

import weightinit_fast as wi

__all__ = ["page"]

DRAWS = 10**6
#: For each dtype, whether only ml_dtypes has it, and the unsigned integers that hold its bits.
DTYPES = {
    "float64": (False, np.uint64),
    "float32": (False, np.uint32),
    "float16": (False, np.uint16),
    "bfloat16": (True, np.uint16),
    "float8_e4m3fn": (True, np.uint8),
    "float8_e5m2": (True, np.uint8),
}


def page() -> str:
    """Return the table in Markdown."""
    lines = [
        "| dtype | largest | next after 1 | smallest above 0 "
        f"| different values in {DRAWS:,} draws | zeros among them |",
        "|---|---|---|---|---|---|",
    ]
    for name, (extended, bits) in DTYPES.items():
        limits = ml_dtypes.finfo(getattr(ml_dtypes, name) if extended else name)
        draws = wi.normal(DRAWS, std=0.02, dtype=name, rng=0)
        found = np.unique(draws.view(bits)).size
        zeros = int(np.count_nonzero(draws == 0))
        lines.append(
            f"| {name} | {float(limits.max):.5g} | 1 + {float(limits.eps):.2g} "
            f"| {float(limits.smallest_subnormal):.2g} | {found:,} | {zeros:,} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page())
