"""What importing costs: ``import weightinit_fast`` against ``import numpy``, interleaved.

Each sample is a fresh interpreter in an empty folder. There are two figures: "import" is the
import alone, by a clock in that interpreter; "process" is the whole process, with the start and the
end of the interpreter. An editable install with a rebuild hook asks the build tool at each import,
so measure an installed wheel instead.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from ..report import results
from . import machine

MODULES = ("numpy", "weightinit_fast")
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
INSTALL = """
import importlib.metadata, json
import numpy, weightinit_fast
found = importlib.metadata.distribution("weightinit_fast")
url = json.loads(found.read_text("direct_url.json") or "{}")
editable = url.get("dir_info", {}).get("editable", False)
print(json.dumps({"weightinit_fast": found.version, "numpy": numpy.__version__,
                  "install": "editable" if editable else "wheel"}))
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--python", default=sys.executable, help="the interpreter (this one)")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="samples (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")


def run(python: str, code: str, folder: str) -> tuple[str, float]:
    """Run code in a fresh interpreter that sees no clone; return its last line and seconds."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    started = time.perf_counter()
    shown = subprocess.run(
        [python, "-I", "-c", code],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return shown.stdout.splitlines()[-1], time.perf_counter() - started


def measure(python: str, repeats: int) -> dict[str, Any]:
    """Return what is installed, and seconds by figure and module."""
    figures: dict[str, dict[str, list[float]]]
    figures = {name: {module: [] for module in MODULES} for name in ("import", "process")}
    order = list(MODULES)
    shuffle = random.Random(0).shuffle
    with tempfile.TemporaryDirectory() as folder:
        install = json.loads(run(python, INSTALL, folder)[0])  # this warms the caches as well
        for _ in range(repeats):
            shuffle(order)
            for module in order:
                inside, whole = run(python, IMPORT.format(module), folder)
                figures["import"][module].append(float(inside))
                figures["process"][module].append(whole)
    return {"install": install, "seconds": figures}


def main(args: argparse.Namespace) -> int:
    """Measure and report."""
    facts = machine.describe()
    result = measure(os.path.abspath(args.python), args.repeats)
    install = result["install"]
    print(f"{machine.processor(facts['cpu'])}; commit {facts['commit'] or 'unknown'}")
    print(
        f"weightinit_fast {install['weightinit_fast']}, {install['install']} install; "
        f"NumPy {install['numpy']}; {args.repeats} samples each"
    )
    if install["install"] == "editable":
        print("an editable install may rebuild at import: this is not what users get")
    print(f"{'':8} {'':7} {'numpy':>10} {'weightinit_fast':>16} {'ratio':>7}")
    for name, modules in result["seconds"].items():
        for figure, of in (("median", median), ("best", min)):
            base, own = (of(modules[module]) for module in MODULES)
            print(
                f"{name:8} {figure:7} {base * 1e3:>7.1f} ms {own * 1e3:>13.1f} ms "
                f"{own / base:>7.3f}"
            )
    if args.json:
        results.save(args.json, {"machine": facts, **result})
    return 0
