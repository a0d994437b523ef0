"""Signals, forks and other threads amid a fill of many tensors."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.internals import core, filling, target
from support.isolated import forks, half_written, isolated

import weightinit_fast as wi

pytestmark = [forks, pytest.mark.process, pytest.mark.usefixtures("eager")]
KEY = wi.Key(5, 6)
INIT = wi.initializer("normal")


def model(scale=1):
    """Return names and tensors of a small model: large ones, and between them many tiny ones."""
    sizes = [scale << 20, *(5 + k for k in range(200)), scale << 21, *range(1, 100), scale << 20]
    return {f"tensor {k}": np.zeros(size, "f4") for k, size in enumerate(sizes)}


def draws(tensors):
    return [(INIT, tensor, name) for name, tensor in tensors.items()]


def expected(tensors):
    return {name: wi.normal(t.size, rng=KEY, stream=name, threads=1) for name, t in tensors.items()}


def check(threads=3, scale=1):
    tensors = model(scale)
    filling.fill_all(draws(tensors), KEY, threads)
    for name, values in expected(tensors).items():
        assert np.array_equal(tensors[name], values), name


@pytest.mark.parametrize("threads", [1, 3])
def test_a_handler_that_raises(threads):
    """The fill ends by the exception; elements are right or untouched, and the next fill works."""

    def interrupted():
        core.select_isa("scalar")
        tensors = model(8)
        values = expected(tensors)

        def handler(*_):
            raise LookupError("enough")

        signal.signal(signal.SIGPROF, handler)
        total, counts = sum(t.size for t in tensors.values()), []
        for attempt in range(1, 20):
            for tensor in tensors.values():
                tensor.fill(0)
            try:
                # Of the processor time of this process, not of others on a busy machine.
                signal.setitimer(signal.ITIMER_PROF, 0.03 * attempt)
                filling.fill_all(draws(tensors), KEY, threads)
            except LookupError:
                counts.append(sum(np.count_nonzero(t) for t in tensors.values()))
                if 0 < counts[-1] < 0.9 * total:
                    break
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        assert counts, "no fill was interrupted"
        assert 0 < counts[-1] < 0.9 * total, f"{counts} of {total} elements written"
        for name, tensor in tensors.items():
            assert ((tensor == values[name]) | (tensor == 0)).all(), name
            tensor.resize(tensor.size, refcheck=False)  # nothing holds the memory any longer
        check(threads)

    isolated(interrupted)


def test_ctrl_c():
    """KeyboardInterrupt leaves elements right or untouched, long before the end."""

    def interrupted():
        core.select_isa("scalar")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tensors = model(16)
        first, *_, last = tensors.values()

        def send():
            while not first.any():
                pass
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=send, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            filling.fill_all(draws(tensors), KEY, 2)
        values = expected(tensors)
        for name, tensor in tensors.items():
            assert ((tensor == values[name]) | (tensor == 0)).all(), name
        assert not last.all()

    isolated(interrupted)


def test_a_handler_that_fills_and_uses_the_same_queue():
    """The queue that runs is empty for the handler, which fills others with it meanwhile."""

    def nested():
        core.select_isa("scalar")
        tensors, inside, calls = model(4), np.zeros(1 << 14, "f4"), []
        watched = next(iter(tensors.values()))
        queue = core.Queue()

        def handler(*_):
            if half_written(watched):
                queue.add(target.resolve(None, None, inside, None), core.NORMAL, (0.0, 1.0), 9)
                queue.run(KEY, 2)
                check()
                with pytest.raises(ValueError, match="resize"):
                    watched.resize(1, refcheck=False)
                calls.append(None)

        signal.signal(signal.SIGPROF, handler)
        for attempt in range(50):
            if calls:
                break
            for tensor in tensors.values():
                tensor.fill(0)
            for name, tensor in tensors.items():
                to = target.resolve(None, None, tensor, None)
                queue.add(to, core.NORMAL, (0.0, 1.0), name)
            signal.setitimer(signal.ITIMER_PROF, 0.005 * (1 + attempt))
            queue.run(KEY, 2)
            signal.setitimer(signal.ITIMER_PROF, 0)
        assert calls, "no signal within a fill"
        for name, values in expected(tensors).items():
            assert np.array_equal(tensors[name], values), name
        assert np.array_equal(inside, wi.normal(inside.size, rng=KEY, stream=9))

    isolated(nested)


def test_forks_after_and_during_fills():
    def forking():
        check()
        done = threading.Event()

        def work():
            while not done.is_set():
                check()

        with ThreadPoolExecutor(2) as pool:
            busy = [pool.submit(work) for _ in range(2)]
            try:
                for _ in range(10):
                    isolated(check)
            finally:
                done.set()
            for thread in busy:
                thread.result()

    isolated(forking)


def test_threads_that_share_a_queue():
    """Each tensor is filled once, whichever thread adds it and whichever runs it."""

    def shared():
        queue, tensors = core.Queue(), [np.zeros(100 + k, "f4") for k in range(400)]

        def work(part):
            for k in range(part, len(tensors), 8):
                to = target.resolve(None, None, tensors[k], None)
                queue.add(to, core.NORMAL, (0.0, 1.0), k)
                if k % 5 == 0:
                    queue.run(KEY, 2)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        queue.run(KEY, 1)
        for k, tensor in enumerate(tensors):
            assert np.array_equal(tensor, wi.normal(tensor.size, rng=KEY, stream=k)), k

    isolated(shared)
