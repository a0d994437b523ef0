"""Workers: every one has ended when the call is over, whatever stops them."""

import threading
import time

import pytest
from support.internals import workers


def waiting(stopped, ended):
    """Return a function that takes a while to end after it was told to."""

    def work():
        stopped.wait()
        time.sleep(0.05)
        ended.append(threading.get_ident())

    return work


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_the_first_error_stops_all(error, failing):
    stopped, ended = threading.Event(), []

    def fail():
        raise error

    works = [waiting(stopped, ended) for _ in range(3)]
    works[failing] = fail
    with pytest.raises(error):
        workers.run_workers(works, stopped.set)
    assert len(ended) == 2


def test_the_first_function_runs_in_this_thread():
    idents = []
    works = [lambda: idents.append(threading.get_ident())]
    workers.run_workers(works, lambda: None)
    assert idents == [threading.get_ident()]


def test_a_thread_that_cannot_be_started_stops_the_others(monkeypatch):
    stopped, ended = threading.Event(), []
    start, started = threading.Thread.start, []

    def limited(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(RuntimeError, match="can't start"):
        workers.run_workers([waiting(stopped, ended)] * 4, stopped.set)
    assert len(ended) == 1


def test_an_interrupt_counts_more_than_an_error():
    stopped = threading.Event()

    def fail():
        raise OSError("full")

    def interrupt():
        stopped.wait()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers.run_workers([interrupt, fail], stopped.set)
