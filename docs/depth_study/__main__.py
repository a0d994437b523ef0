"""Run the depth study: measure what each initialisation does to 30 layers, and to trained nets.

    python docs/depth_study [--quick] [--only propagation|training|pictures] [--out DIR]

The numbers go to results.json, and the tables of docs/depth-study.md to tables/, both beside this
file. The pictures go to docs/_static/depth_study/. With --quick nothing is kept unless --out says
where.
"""

import argparse
import json
import platform
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import propagation
import report
import sklearn
import threadpoolctl
import training

import weightinit_fast as wi

HERE = Path(__file__).resolve().parent
PARTS = {"propagation": propagation, "training": training}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python docs/depth_study", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that everything runs"
    )
    parser.add_argument(
        "--only",
        choices=(*PARTS, "pictures"),
        help="run one part, and take the others from results.json",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write all files to DIR instead")
    return parser.parse_args()


def versions() -> dict[str, Any]:
    """Return the versions that the last digits of a result may depend on."""
    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    # SciPy, which scikit-learn imports, may bring a second BLAS, which does nothing here.
    blas = [pool for pool in blas if "numpy" in pool["filepath"]] or blas
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "weightinit_fast": wi.__version__,
        "stream_version": wi.STREAM_VERSION,
        "scikit-learn": sklearn.__version__,
        "machine": platform.machine(),
        "blas": [
            {k: pool.get(k) for k in ("internal_api", "version", "architecture", "num_threads")}
            for pool in blas
        ],
    }


def rounded(value: Any) -> Any:
    """Return a value with six significant digits, since more would differ between machines."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value


def compute(results: dict[str, Any], only: str | None, quick: bool) -> None:
    """Run the parts that are asked for, and put what they find into ``results``."""
    start = time.perf_counter()

    def say(what: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {what}", flush=True)

    for name, part in PARTS.items():
        if only in (None, name):
            settings = part.QUICK if quick else part.Settings()
            begin = time.process_time()
            found = part.run(settings, say)
            results[name] = {
                "versions": versions(),
                "settings": asdict(settings),
                "cpu_minutes": round((time.process_time() - begin) / 60, 1),
                **found,
            }


def main() -> None:
    """Do what the command line asks for."""
    args = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        keep = args.out or (Path(scratch) if args.quick else None)
        tables, images = (keep, keep) if keep else (HERE, HERE.parent / "_static" / "depth_study")
        tables.mkdir(parents=True, exist_ok=True)
        images.mkdir(parents=True, exist_ok=True)
        stored = tables / "results.json"
        if args.only and not stored.exists():
            stored = HERE / "results.json"
        results = json.loads(stored.read_text(encoding="utf-8")) if args.only else {}
        # One thread, because a sum that BLAS splits among threads is added in another order, and
        # training amplifies the difference.
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
            compute(results, args.only, args.quick)
        text = json.dumps(rounded(results), indent=1, ensure_ascii=False, allow_nan=False)
        (tables / "results.json").write_text(text + "\n", encoding="utf-8")
        results = json.loads(text)
        fragments = report.write(results, tables)
        pictures.draw(results, images)
        if args.quick:
            print("\n\n".join(path.read_text(encoding="utf-8") for path in fragments))


if __name__ == "__main__":
    main()
