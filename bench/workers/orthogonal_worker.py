"""Make orthogonal matrices by one library; print how many KiB the peak was above the matrices.

orthogonal_worker.py LIBRARY COUNT ROWS COLUMNS THREADS; `python -m bench orthogonal` runs it. The
matrices lie in memory that has been touched before, and a small matrix has been made, so that the
figure is what the factorisation takes.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = "weightinit_fast"
Run = Callable[[], Any]
Shape = tuple[int, int, int]  # the number of matrices, their rows and their columns


def _ours(shape: Shape, threads: int) -> Run:
    import numpy as np  # noqa: PLC0415 -- as in every maker: a process imports what it measures

    import weightinit_fast as wi  # noqa: PLC0415

    out = np.ones(shape, np.float32)
    draw = wi.initializer(wi.orthogonal, layout="BOI")
    return lambda: draw(out=out, rng=0, threads=threads)


def _torch(shape: Shape, threads: int) -> Run:
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    out = torch.ones(shape)

    def run() -> None:
        torch.set_num_threads(threads)
        for matrix in out:
            torch.nn.init.orthogonal_(matrix)

    return run


def _lapack(
    shape: Shape, threads: int, factor: Callable[[Any], tuple[Any, Any]]
) -> Callable[[], None]:
    import numpy as np  # noqa: PLC0415
    import threadpoolctl  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    out = np.ones(shape, np.float32)
    generator = np.random.default_rng(0)

    def run() -> None:
        with threadpoolctl.threadpool_limits(threads, "blas"):
            for matrix in out:
                tall = matrix if shape[1] >= shape[2] else matrix.T
                q, r = factor(generator.standard_normal(tall.shape, np.float32))
                tall[...] = q * np.sign(np.diagonal(r))

    return run


def _scipy(shape: Shape, threads: int) -> Run:
    import scipy.linalg  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

    return _lapack(shape, threads, lambda a: scipy.linalg.qr(a, mode="economic", overwrite_a=True))


def _numpy(shape: Shape, threads: int) -> Run:
    import numpy as np  # noqa: PLC0415

    return _lapack(shape, threads, np.linalg.qr)


#: The libraries, the modules that each needs, and what makes a call that makes matrices.
LIBRARIES: dict[str, tuple[tuple[str, ...], Callable[[Shape, int], Run]]] = {
    OURS: ((), _ours),
    "torch": (("torch",), _torch),
    "SciPy": (("scipy", "threadpoolctl"), _scipy),
    "NumPy": (("threadpoolctl",), _numpy),
}


def status(name: str) -> int:
    """Return a figure of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


def peak(library: str, shape: Shape, threads: int) -> int:
    """Return how many KiB the peak of a call lies above the memory before it."""
    make = LIBRARIES[library][1]
    make((1, 40, 40), threads)()
    run = make(shape, threads)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of before is forgotten
    before = status("VmRSS")
    run()
    return status("VmHWM") - before


if __name__ == "__main__":
    count, rows, columns, number = map(int, sys.argv[2:])
    print(peak(sys.argv[1], (count, rows, columns), number))
