"""Workers: functions that run at once, and have all ended when the caller goes on."""

import threading
from collections.abc import Callable, Sequence

__all__ = ["run_workers"]


def run_workers(works: Sequence[Callable[[], None]], stop: Callable[[], None]) -> None:
    """Run the first function in this thread, and each of the others in a thread of its own.

    Parameters
    ----------
    works : sequence of callable
    stop : callable
        Makes the functions return soon. It is called if one of them fails, if a thread cannot be
        started, or if Ctrl-C is pressed.

    Raises
    ------
    BaseException
        The first error of any function, but Ctrl-C rather than an error, after all functions have
        ended: none of them may use a file that the caller closes then, since another file could
        have its descriptor by that time.
    """
    failures: list[BaseException] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            stop()

    def start_and_work() -> None:
        for thread in threads:
            thread.start()
        works[0]()

    threads = [
        threading.Thread(target=attempt, args=(work,), name="weightinit_fast") for work in works[1:]
    ]
    attempt(start_and_work)
    for thread in threads:
        while thread.is_alive():
            attempt(thread.join)  # Ctrl-C may be pressed here, also a second time
    if failures:
        interrupts = (error for error in failures if not isinstance(error, Exception))
        try:
            raise next(interrupts, failures[0])
        finally:
            failures.clear()  # an error and the list that holds it would keep each other alive
