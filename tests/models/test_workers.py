"""Workers: every one has ended when the call is over, whatever stops them."""

import threading
import time

import pytest
from support.internals import workers
from support.interrupts import lines_of


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


def counted(stop_at):
    """Run workers, interrupted at that line; return the lines, errors, and what began and ended."""
    stopped, began, ended = threading.Event(), [], []

    def work():
        began.append(None)
        stopped.wait()
        ended.append(None)

    def call():
        workers.run_workers([stopped.set, work, work], stopped.set)

    traced = (workers.__file__, threading.Thread.start.__code__.co_filename)
    wanted = ("run_workers", "work_in_thread", "start")
    lines, errors = lines_of(
        call, lambda code: code.co_filename in traced and code.co_name in wanted, stop_at
    )
    return lines, errors, began, ended


def test_an_interrupt_at_any_line_leaves_no_function_that_runs():
    """A thread whose start was interrupted is waited for, or runs no function later either."""
    all_lines, errors, began, ended = counted(None)
    assert (errors, len(began), len(ended)) == ([], 2, 2)
    for number in range(1, len(all_lines) + 1):
        lines, errors, began, ended = counted(number)
        assert [type(error) for error in errors] == [KeyboardInterrupt], lines[-1]
        count = len(began)
        assert len(ended) == count, lines[-1]
        time.sleep(0.002)
        assert len(began) == count, lines[-1]


def test_a_thread_that_begins_after_its_start_was_interrupted_does_nothing(monkeypatch):
    begin, late, ran = threading.Event(), [], []

    def start(thread):
        def later():
            begin.wait()
            thread.run()

        late.append(threading.Thread(target=later))
        launch(late[-1])
        raise KeyboardInterrupt

    launch = threading.Thread.start
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            workers.run_workers([lambda: None, lambda: ran.append(None)], lambda: None)
    begin.set()
    late[0].join()
    assert ran == []
