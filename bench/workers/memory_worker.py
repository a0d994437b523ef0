"""Fill once; print how many KiB the peak was above the memory before the fill and the output.

memory_worker.py WAY DTYPE BYTES; `python -m bench memory` runs it.
"""

import sys
from pathlib import Path

RESIDENT, NEW, LAZY = "memory resident", "memory new array", "lazy zeros"
WAYS = (RESIDENT, NEW, LAZY)


def status(name: str) -> int:
    """Return a figure of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


def beyond(way: str, dtype: str, nbytes: int) -> int:
    """Fill; return how many KiB the peak was above the memory before the fill and the output."""
    import numpy as np  # noqa: PLC0415 -- memory.py, which imports WAYS, needs neither

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
    assert made.nbytes == nbytes  # the array still exists while the peak is read
    return status("VmHWM") - before - output // 1024


if __name__ == "__main__":
    print(beyond(sys.argv[1], sys.argv[2], int(sys.argv[3])))
