"""What the statistical proofs share: a key, options, and the verdict on all p-values."""

import argparse
import json
import platform
import sys
import time

import numpy as np
from provenance import heading
from pvalues import smallest_p, uniform_p
from threadpoolctl import threadpool_limits

import weightinit_fast as wi

KEY = wi.Key(0x243F6A8885A308D3, 0x13198A2E03707344)  # digits of pi
SLAB = 1 << 22
#: A run fails where a perfect source would be as bad with less than this probability. Every draw is
#: fixed, so that a run fails always or never.
LIMIT = 1e-4


class Results:
    """P-values, which are printed as they come."""

    def __init__(self):
        self.rows = []

    def add(self, group, name, statistic, p, *, independent=True):
        """Print a test; only `independent` p-values enter the test of their spread."""
        p = p if p >= 0 else 0.0  # NaN proves nothing
        row = {"group": group, "name": name, "statistic": float(statistic), "p": float(p)}
        self.rows.append(row | {"independent": independent})
        print(f"{group:<33} {name:<27} {statistic:>13.6g}   p {p:.4g}", flush=True)

    def verdict(self):
        """Print what all p-values together say; return a summary."""
        p = [row["p"] for row in self.rows]
        alone = [row["p"] for row in self.rows if row["independent"]]
        least = min(self.rows, key=lambda row: row["p"])
        overall, spread = smallest_p(least["p"], len(p)), uniform_p(alone)
        failed = min(overall, spread) < LIMIT
        print(
            f"\n{len(p)} p-values, the smallest {least['p']:.3g}: {least['group']}, {least['name']}"
        )
        print(f"a smallest one like this or smaller among {len(p)}: p {overall:.3g}")
        print(f"even spread of the {len(alone)} independent p-values (Kolmogorov): p {spread:.3g}")
        print("FAILED" if failed else "passed", f"(limit {LIMIT:g} for the last two)")
        return {"count": len(p), "smallest": overall, "spread": spread, "failed": failed}


def run(doc, examine, n, quick):
    """Parse the options, examine(results, n), print the verdict and exit with it."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=n, help=f"elements or pairs a test, {n:,}")
    parser.add_argument("--quick", action="store_true", help=f"as --n {quick}")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    options = parser.parse_args()
    n = quick if options.quick else options.n
    began = time.perf_counter()
    info = wi.info()
    print(*heading(), sep="\n")
    print(
        f"weightinit_fast {info['version']}, stream version {info['stream_version']}, "
        f"{info['isa']}; NumPy {np.__version__}; {platform.machine()}; n = {n:,}\n"
    )
    results = Results()
    with threadpool_limits(1, "blas"):  # sums are the same everywhere
        examine(results, n)
    summary = results.verdict()
    print(f"{time.perf_counter() - began:.0f} s")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"n": n, "info": info, "results": results.rows, **summary}, file, indent=1)
    sys.exit(summary["failed"])
