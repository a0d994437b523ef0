"""Write a model's files once, in one of several ways; print what that took.

save_worker.py WAY FOLDER BYTES FILES THREADS; `python -m bench save` runs it. It prints the bytes,
the seconds, the seconds of processor time, and the KiB of peak memory beyond the interpreter.
"""

import json
import mmap
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

SAVE, PLAIN, DIRECT = "save", "pwrite", "pwrite O_DIRECT"
WAYS = (SAVE, PLAIN, DIRECT)
BLOCK = 1 << 20
#: A model of bfloat16 matrices of this shape, as many as the size asks for.
MATRIX = (8192, 2048)


def peak_kib() -> int:
    """Return the peak memory of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("no VmHWM in /proc/self/status")


def model(nbytes: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model of that many bytes in bfloat16."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(max(1, nbytes // (2 * MATRIX[0] * MATRIX[1]))):
        shapes[f"layers.{k}.weight"] = MATRIX
        shapes[f"layers.{k}.bias"] = MATRIX[:1]
    return shapes


def write_ready(folder: Path, nbytes: int, files: int, threads: int, direct: bool) -> int:
    """Write bytes that are in memory already, and wait until they are on the disk."""
    folder.mkdir()
    each = nbytes // files // BLOCK * BLOCK
    ready = mmap.mmap(-1, BLOCK)  # aligned to pages, as direct writes ask for
    ready[:] = os.urandom(BLOCK)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_DIRECT if direct else 0)
    left = iter(range(files))
    lock = threading.Lock()

    def write_files() -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            descriptor = os.open(folder / str(number), flags)
            for begin in range(0, each, BLOCK):
                os.pwrite(descriptor, ready, begin)
            os.fsync(descriptor)
            os.close(descriptor)

    workers = [threading.Thread(target=write_files) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return each * files


def measured(way: str, folder: Path, nbytes: int, files: int, threads: int) -> dict[str, Any]:
    """Write once; return what that took."""
    from weightinit_fast.models.files import save  # noqa: PLC0415 -- save.py imports WAYS alone
    from weightinit_fast.models.recipe import Recipe  # noqa: PLC0415

    recipe = Recipe({"*.bias": "zeros", "*": "normal(std=0.02)"})
    shapes = model(nbytes)
    # The first call imports all that save needs.
    save(folder.parent / "small.npy", recipe, {"x.weight": 10, "x.bias": 1}, rng=0)
    before = peak_kib()
    cpu, wall = time.process_time(), time.perf_counter()
    if way == SAVE:
        options = {"dtype": "bfloat16", "max_shard_bytes": -(-nbytes // files)}
        written = save(folder, recipe, shapes, rng=0, threads=threads, **options).nbytes
    else:
        written = write_ready(folder, nbytes, files, threads, way == DIRECT)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "bytes": written,
        "seconds": wall,
        "cpu_seconds": cpu,
        "kib": peak_kib() - before,
        "files": len(list(folder.iterdir())),
    }


if __name__ == "__main__":
    name, where, *numbers = sys.argv[1:]
    print(json.dumps(measured(name, Path(where), *map(int, numbers))))
