"""Fills of every kind, which a sanitizer watches: tests/proof/sanitize.py runs this in its builds.

python tests/proof/fills.py --items 100000 --threads 2 3 7 --process   all of them
python tests/proof/fills.py --race                                     tasks that overlap: a race

Results are compared with those of one thread. A sanitizer itself reports its findings.
"""

import argparse
import itertools
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import weightinit_fast as wi

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import internals
from support.internals import core, filling

KEY = wi.Key(3, 4)
INITIALISERS = (
    wi.initializer(wi.constant, value=0.1),
    wi.initializer(wi.uniform, low=-0.1, high=0.3),
    wi.initializer(wi.normal),
    wi.initializer(wi.truncated_normal, lower=-1, upper=3),
    wi.initializer(wi.truncated_normal),  # bounds within 2.25: by another quantile
)
STORAGE = dict(zip(core.DTYPES, ("f4", "f8", "f2", "u2", "u1", "u1"), strict=True))
WIDTH = 251


def layouts(rows, dtype):
    """Return name -> (rows, WIDTH) views of memory that nothing has written yet."""
    size = np.dtype(dtype).itemsize
    return {
        "contiguous": np.empty((rows, WIDTH), dtype),
        "misaligned": np.empty(rows * WIDTH * size + 3, "u1")[3:].view(dtype).reshape(rows, WIDTH),
        "Fortran": np.empty((WIDTH, rows), dtype).T,
        "rows": np.empty((rows, WIDTH + 9), dtype)[:, 5:-4],
        "strided": np.empty((rows, 3 * WIDTH), dtype)[:, ::3],
        "reversed": np.empty((rows, WIDTH), dtype)[::-1, ::-1],
        "swapped": np.empty((rows, WIDTH), np.dtype(dtype).newbyteorder()),
    }


def check_regions(items, threads):
    """Fill every layout with every transform of every dtype; return the number of fills."""
    fills, rows = 0, max(2, items // WIDTH)
    for init, (dtype, storage) in itertools.product(INITIALISERS, STORAGE.items()):
        call = {"dtype": dtype, "rng": KEY}
        for shape, index in (((rows, WIDTH), None), ((WIDTH, rows * 5), np.s_[::-1, 2::5])):
            wanted = init(out=np.empty(shape, storage), threads=1, **call)
            wanted = wanted if index is None else np.ascontiguousarray(wanted[index])
            for layout, view in layouts(rows, storage).items():
                if view.dtype.itemsize == 1 and layout == "swapped":
                    continue
                if not view.dtype.isnative and storage != "f4":
                    continue
                out = view if index is None else view.T
                for count in threads:
                    options = call | ({"dtype": None} if layout == "swapped" else {})
                    init(shape=shape, index=index, out=out, threads=count, **options)
                    fills += 1
                    if out.astype(storage).tobytes() != wanted.tobytes():
                        raise SystemExit(f"{init} of {dtype}, {layout}: wrong with {count} threads")
    return fills


def check_streams(items, threads):
    """Fill from several Python threads at once, some of which draw the same stream."""

    def work(stream):
        count = threads[stream % len(threads)]
        return wi.normal(items, rng=KEY, stream=stream % 5, threads=count).tobytes()

    wanted = [wi.normal(items, rng=KEY, stream=stream, threads=1).tobytes() for stream in range(5)]
    with ThreadPoolExecutor(4) as pool:
        for n, got in enumerate(pool.map(work, range(20))):
            if got != wanted[n % 5]:
                raise SystemExit(f"stream {n % 5} differs among threads")


def check_orthogonal(threads):
    """Factorise from several Python threads at once, each of which has helpers."""

    def work(number):
        count = threads[number % len(threads)]
        return wi.orthogonal((130, 70 + number % 3), rng=KEY, threads=count).tobytes()

    wanted = [wi.orthogonal((130, 70 + n), rng=KEY, threads=1).tobytes() for n in range(3)]
    with ThreadPoolExecutor(4) as pool:
        for n, got in enumerate(pool.map(work, range(12))):
            if got != wanted[n % 3]:
                raise SystemExit(f"orthogonal matrix {n % 3} differs among threads")


def check_queue(items, threads):
    """Fill tensors of many sizes, dtypes and layouts as one; return how many."""
    rows, draws = max(2, items // WIDTH), []
    for init, dtype in itertools.product(INITIALISERS, ("f4", "f8", "f2")):
        for view in layouts(rows, dtype).values():
            tiny = np.empty(1 + len(draws) % 70, dtype)
            draws += [(init, view, len(draws)), (init, tiny, len(draws) + 1)]
    for count in threads:
        filling.fill_all(draws, KEY, count)
        for init, tensor, stream in draws:
            wanted = init(out=np.empty(tensor.shape, tensor.dtype), rng=KEY, stream=stream)
            if tensor.tobytes() != wanted.tobytes():
                raise SystemExit(f"{init}, stream {stream}: wrong in a queue on {count} threads")
    return len(draws)


def check_interrupt(threads):
    """Stop a fill by a signal."""
    out = np.zeros(1 << 27, "f4")
    # A background job of a shell ignores SIGINT by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with internals.instruction_set("scalar"):
            wi.normal(out=out, rng=KEY, threads=threads)
    except KeyboardInterrupt:
        pass
    else:
        raise SystemExit("the fill was not interrupted")
    finally:
        timer.join()


def check_fork(items, threads):
    """Fill in a child of a process that has filled in parallel."""
    wanted = wi.normal(items, rng=KEY, threads=threads).tobytes()
    child = os.fork()
    if child == 0:
        os._exit(wi.normal(items, rng=KEY, threads=threads).tobytes() != wanted)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("a forked child's fill differs")
    if wi.normal(items, rng=KEY, threads=threads).tobytes() != wanted:
        raise SystemExit("a fill after a fork differs")


def race():
    """Fill a region whose four rows are the same bytes, which no public function does.

    It is filled several times, because on a busy machine one thread may do all the work of a fill.
    """
    out = np.empty(1 << 20, "f4")
    axes = [(4, 1 << 18, 0), (1 << 18, 1, 4)]
    for _ in range(20):
        core.fill(out, core.NORMAL, 0, (0.0, 1.0), KEY, 0, 0, axes, 4)


def check(arguments):
    """Fill as the options say, and print what was checked."""
    with internals.streamed_from(0):
        fills = check_regions(arguments.items, arguments.threads)
    fills += check_regions(arguments.items // 10, arguments.threads)
    print(f"{arguments.isa}: {fills} fills of {arguments.items} elements and of a tenth, all right")
    tensors = check_queue(arguments.items // 10, arguments.threads)
    print(f"{tensors} tensors as one fill: right")
    if arguments.process:
        most = max(arguments.threads)
        check_streams(arguments.items, arguments.threads)
        check_orthogonal(arguments.threads)
        print("from several Python threads at once: right")
        check_interrupt(most)
        print("interrupted by a signal: right")
        check_fork(arguments.items, most)
        print("in a forked child, and after it: right")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000, help="elements of a fill")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--isa", default=core.isa())
    parser.add_argument("--process", action="store_true", help="also threads, signals and forks")
    parser.add_argument("--race", action="store_true", help="do what a sanitizer must find")
    arguments = parser.parse_args()
    with internals.eager(), internals.instruction_set(arguments.isa):
        if arguments.race:
            race()
            print("tasks that overlap: filled")
        else:
            check(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
