"""Time fills on several threads with the weightinit_fast of this interpreter, on request.

`python -m bench threads --against PYTHON` starts this file with two interpreters. Each process
first writes a line of JSON about itself. Then it reads lines of JSON, [name, arguments...], and
answers each with what the function of that name below returns. A process that waits for a line uses
no processor time, so that the two can be timed in turn.
"""

import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

now = time.perf_counter
BUFFERS: dict[int, Any] = {}
MEGABYTE = 1 << 20


def buffer(items: int) -> Any:
    """Return float32 memory of so many elements, whose pages exist."""
    import numpy as np  # noqa: PLC0415 -- after the output was redirected

    if not BUFFERS or max(BUFFERS) < items:
        BUFFERS.clear()
        BUFFERS[items] = np.zeros(items, np.float32)
        BUFFERS[items].fill(1)
    return BUFFERS[max(BUFFERS)][:items]


def fills(items: int, threads: int | None, count: int, pause: float) -> list[float]:
    """Return the seconds of each of so many fills of normals, between which the process sleeps."""
    import weightinit_fast as wi  # noqa: PLC0415

    out, key, seconds = buffer(items), wi.key(0), []
    for _ in range(count):
        if pause:
            time.sleep(pause)
        began = now()
        wi.normal(out=out, rng=key, threads=threads)
        seconds.append(now() - began)
    return seconds


def crowd(count: int, megabytes: int, callers: int) -> list[float]:
    """Return the fills a second of so many threads at once, and of one thread with all helpers."""
    import numpy as np  # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    key = wi.key(0)
    outs = [np.ones(megabytes * MEGABYTE // 4, np.float32) for _ in range(callers)]
    ready, done = threading.Barrier(callers + 1), threading.Barrier(callers + 1)

    def work(out: Any) -> None:
        ready.wait()
        for _ in range(count):
            wi.normal(out=out, rng=key)
        done.wait()

    workers = [threading.Thread(target=work, args=(out,)) for out in outs]
    for worker in workers:
        worker.start()
    ready.wait()
    began = now()
    done.wait()
    together = callers * count / (now() - began)
    for worker in workers:
        worker.join()
    began = now()
    for _ in range(count):
        for out in outs:
            wi.normal(out=out, rng=key)
    return [together, callers * count / (now() - began)]


def idle(items: int) -> list[float]:
    """Return the seconds of processor time in the second that begins one after a fill."""
    import weightinit_fast as wi  # noqa: PLC0415

    wi.normal(out=buffer(items), rng=0)
    time.sleep(1)
    used = time.process_time()
    time.sleep(1)
    return [time.process_time() - used]


def with_torch(count: int, threads: int | None, size: int) -> list[float]:
    """Return the seconds of fills and of matrix products of torch, alternating and each alone.

    The four numbers are those of the fills that alternate, of the products that alternate, of the
    fills alone, and of the products alone.
    """
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    key = wi.key(0)
    outs = [buffer((1 + k % 10) * MEGABYTE // 4) for k in range(count)]
    a, b = torch.rand(size, size), torch.rand(size, size)
    c = torch.empty(size, size)

    def fill(k: int) -> float:
        began = now()
        wi.normal(out=outs[k], rng=key, threads=threads)
        return now() - began

    def multiply() -> float:
        began = now()
        torch.mm(a, b, out=c)
        return now() - began

    multiply(), fill(0)
    both = [(fill(k), multiply()) for k in range(count)]
    fills_alone = sum(fill(k) for k in range(count))
    products_alone = sum(multiply() for _ in range(count))
    return [sum(f for f, _ in both), sum(p for _, p in both), fills_alone, products_alone]


def with_libraries(count: int, threads: int | None) -> list[float]:
    """Return the seconds of calls of four libraries, in turn and each alone.

    The first four numbers are the seconds of fills, of products of torch, of k-means of
    scikit-learn and of a loop of numba where these take turns; the last four are those of as many
    calls of each alone.
    """
    import numba  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    from sklearn.cluster import KMeans  # type: ignore # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    warnings.simplefilter("ignore")  # two iterations of k-means do not converge
    key, out = wi.key(0), np.ones(MEGABYTE, np.float32)
    a, b, c = torch.rand(512, 512), torch.rand(512, 512), torch.empty(512, 512)
    points = np.random.default_rng(0).random((20_000, 8))
    values, doubled = points.reshape(-1), np.empty(points.size)

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator, unused-ignore]
    def double(values: Any, doubled: Any) -> None:
        for k in numba.prange(len(values)):
            doubled[k] = 2 * np.sin(values[k])

    calls: list[Callable[[], object]] = [
        lambda: wi.normal(out=out, rng=key, threads=threads),
        lambda: torch.mm(a, b, out=c),
        lambda: KMeans(8, n_init=1, init="random", max_iter=2, random_state=0).fit(points),
        lambda: double(values, doubled),
    ]

    def timed(call: Callable[[], object]) -> float:
        began = now()
        call()
        return now() - began

    for call in calls:
        call()
    in_turn = [[timed(call) for call in calls] for _ in range(count)]
    alone = [sum(timed(call) for _ in range(count)) for call in calls]
    return [sum(column) for column in zip(*in_turn, strict=True)] + alone


FUNCTIONS = {f.__name__: f for f in (fills, crowd, idle, with_torch, with_libraries)}


def main() -> None:
    """Answer until the input ends; import torch before the package if the arguments say so."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print, such as an editable install's build, is no answer
    if sys.argv[1:] == ["torch"]:
        import torch  # noqa: F401, PLC0415
    import numpy as np  # noqa: PLC0415

    import weightinit_fast as wi  # noqa: PLC0415

    facts = {
        "weightinit_fast": wi.info(),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(FUNCTIONS[name](*arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
