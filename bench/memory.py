"""How much memory a fill takes beyond its output: peak resident size, from Linux's own count.

    python bench/memory.py [--size-mib 2048] [--json FILE]

Each figure comes from a fresh process. "resident" fills a buffer whose pages are all there (out=);
"new array" lets the fill allocate its output. The count before the fill is taken after the import
and after a key was made of a seed, which loads numpy.random (6 MiB); what the fill makes then,
threads and their stacks included, is charged to it.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

DTYPES = ("float32", "float64")
WAYS = ("resident", "new array")
LIMIT_KIB = 1024


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size-mib", type=int, default=2048, metavar="N", help="the output (2048)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "DTYPE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def status(name: str) -> int:
    """Return a figure of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


def beyond(way: str, dtype: str, nbytes: int) -> int:
    """Fill in this process; return the KiB of the peak beyond output and what was there before."""
    import numpy as np  # noqa: PLC0415 -- in the child only

    import weightinit_fast as wi  # noqa: PLC0415

    count, key = nbytes // np.dtype(dtype).itemsize, wi.key(0)
    if way == "resident":
        out = np.empty(count, dtype)
        out.fill(1.0)
        before = status("VmRSS")
        peak = status("VmHWM")
        wi.normal(std=0.02, out=out, rng=key)
        return status("VmHWM") - max(before, peak)
    before = status("VmRSS")
    array = wi.normal(count, std=0.02, dtype=dtype, rng=key)
    return status("VmHWM") - before - int(array.nbytes) // 1024


def main() -> int:
    """Measure every way in its own process; return 1 if one took more than is allowed."""
    args = arguments()
    nbytes = args.size_mib << 20
    if args.child:
        way, dtype = args.child
        print(beyond(way, dtype, nbytes))
        return 0
    if not Path("/proc/self/status").exists():
        print("not measured: this system has no /proc/self/status")
        return 0
    rows = []
    most = 0
    print(f"normal into {args.size_mib} MiB: KiB of peak memory beyond the output")
    for way in WAYS:
        for dtype in DTYPES:
            command = [sys.executable, __file__, "--size-mib", str(args.size_mib)]
            command += ["--child", way, dtype]
            shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            kib = int(shown.stdout.split()[-1])  # an editable install may talk before
            most = max(most, kib)
            rows.append({"way": way, "dtype": dtype, "kib_beyond_output": kib})
            verdict = "ok" if kib <= LIMIT_KIB else f"more than {LIMIT_KIB}"
            print(f"{way:10} {dtype:8} {kib:>8}  {verdict}")
    if args.json:
        args.json.write_text(json.dumps({"size_mib": args.size_mib, "rows": rows}, indent=1) + "\n")
    return int(most > LIMIT_KIB)


if __name__ == "__main__":
    sys.exit(main())
