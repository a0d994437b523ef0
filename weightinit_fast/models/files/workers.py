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
    abandoned: set[int] = set()

    def work_in_thread(number: int) -> None:
        if number in abandoned:
            return
        try:
            works[number]()
        except BaseException as error:
            failures.append(error)
            stop()

    threads = [
        threading.Thread(target=work_in_thread, args=(number,), name="weightinit_fast")
        for number in range(1, len(works))
    ]
    begun, started, ended = False, 0, False
    while not ended:
        try:  # Ctrl-C may be pressed anywhere here, also a second time
            if not begun:
                begun = True
                for thread in threads:
                    thread.start()
                    started += 1
                works[0]()
            # Ctrl-C in `start` may leave a thread that is not alive yet, but begins in a moment. It
            # is alive before it looks here, so that it does nothing, or is waited for.
            abandoned.update(range(started + 1, len(works)))
            for thread in threads:
                if thread.is_alive():
                    thread.join()
            ended = True
        except BaseException as error:
            failures.append(error)
            stop()
    if failures:
        interrupts = (error for error in failures if not isinstance(error, Exception))
        try:
            raise next(interrupts, failures[0])
        finally:
            failures.clear()  # an error and the list that holds it would keep each other alive
