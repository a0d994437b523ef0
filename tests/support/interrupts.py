"""Ctrl-C between any two lines of a call, by a trace function."""

import sys
import threading


def lines_of(call, wanted, stop=None):
    """Call; interrupt it at line number ``stop`` that it runs; return the lines, and the errors.

    ``wanted`` says of a code object whether its lines count. A line counts when it runs for the
    first time. Each is (function, number, file).
    """
    lines, errors = {}, []

    def at_line(frame, event, _):
        line = (frame.f_code.co_name, frame.f_lineno, frame.f_code.co_filename)
        if event == "line" and len(lines) != stop and line not in lines:
            lines[line] = None
            if len(lines) == stop:
                raise KeyboardInterrupt
        return at_line

    def at_call(frame, event, _):
        return at_line if wanted(frame.f_code) else None

    def traced():
        sys.settrace(at_call)
        try:
            call()
        except BaseException as error:
            errors.append(error)

    # In a thread of its own, since CPython 3.11 keeps the handled exception of a thread whose trace
    # function raised within an `except` clause.
    thread = threading.Thread(target=traced)
    thread.start()
    thread.join()
    return list(lines), errors
