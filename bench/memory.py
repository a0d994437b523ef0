"""How much memory a fill takes beyond its output: peak resident size, from Linux's own count.

    python bench/memory.py [--quick] [--size-mib N ...] [--json FILE]

Each figure comes from a fresh process. "resident" fills a buffer whose pages are all there (out=);
"new array" lets the fill allocate its output; "lazy zeros" is a new array of zeros, whose pages
must not be made at all, so that nothing is taken off for the output. The count before the fill is
taken after the import and after a key was made of a seed, which loads numpy.random (6 MiB); what
the fill makes then, threads and their stacks included, is charged to it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

DTYPES = ("float32", "float64")
RESIDENT, NEW, LAZY = "memory resident", "memory new array", "lazy zeros"
WAYS = (RESIDENT, NEW, LAZY)
LIMIT_KIB = 1024
SIZES, QUICK_SIZES = (1, 64, 2048), (64,)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="64 MiB only")
    parser.add_argument("--size-mib", type=int, nargs="+", metavar="N", help="outputs (1 64 2048)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "DTYPE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.size_mib = args.size_mib or (QUICK_SIZES if args.quick else SIZES)
    return args


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
    if way == RESIDENT:
        out = np.empty(count, dtype)
        out.fill(1.0)
        before = max(status("VmRSS"), status("VmHWM"))
        wi.normal(std=0.02, out=out, rng=key)
        return status("VmHWM") - before
    before = status("VmRSS")
    if way == LAZY:
        made, output = wi.zeros(count, dtype=dtype), 0
    else:
        made, output = wi.normal(count, std=0.02, dtype=dtype, rng=key), nbytes
    assert made.nbytes == nbytes  # and it is still there
    return status("VmHWM") - before - output // 1024


def measured(way: str, dtype: str, size_mib: int) -> int:
    """Return what a fresh process found."""
    command = [sys.executable, __file__, "--size-mib", str(size_mib), "--child", way, dtype]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(shown.stdout.split()[-1])  # an editable install may talk before


def main() -> int:
    """Measure every way in its own process; return 1 if one took more than is allowed."""
    args = arguments()
    if args.child:
        way, dtype = args.child
        print(beyond(way, dtype, args.size_mib[0] << 20))
        return 0
    if not Path("/proc/self/status").exists():
        print("not measured: this system has no /proc/self/status")
        return 0
    rows = []
    most = 0
    print("normal: KiB of peak memory beyond the output; zeros: beyond what was there before")
    cases = [(way, dtype, n) for way in WAYS for dtype in DTYPES for n in args.size_mib]
    for way, dtype, size_mib in cases:
        kib = measured(way, dtype, size_mib)
        most = max(most, kib)
        rows.append({"name": f"{way} {dtype} of {size_mib} MiB", "kib": kib})
        verdict = "ok" if kib <= LIMIT_KIB else f"more than {LIMIT_KIB}"
        print(f"{way:16} {dtype:8} {size_mib:>5} MiB {kib:>8}  {verdict}")
    if args.json:
        import machine  # noqa: PLC0415 -- the children must stay small
        import results  # noqa: PLC0415

        settings = {"quick": args.quick, "size_mib": list(args.size_mib)}
        facts = machine.describe()
        results.save(args.json, machine.document(facts, "memory", settings, rows, {}))
    return int(most > LIMIT_KIB)


if __name__ == "__main__":
    sys.exit(main())
