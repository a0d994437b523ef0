# Runs the chunks of a queue on threads, and lets signal handlers run meanwhile.
import threading

from cpython.pythread cimport PyThread_get_thread_ident


cdef extern from "Python.h":
    ctypedef struct PyThreadState
    PyThreadState *PyThreadState_Get()
    PyThreadState *PyEval_SaveThread() noexcept nogil
    void PyEval_RestoreThread(PyThreadState *) noexcept nogil
    # Declared as in C.  The declaration in cpython.exc raises, while check_signals has to leave the
    # exception set until the end of the fill.
    int PyErr_CheckSignals() noexcept nogil


cdef enum:
    # A smaller fill takes less time than it takes to release the GIL and to take it again.
    RELEASE_GIL_ITEMS = 4096


# The thread in which Python runs signal handlers.  No other thread looks for signals during a fill:
# there is nothing to run, and a daemon thread that asks for the GIL after the interpreter has ended
# is ended by Python, in the middle of a fill that other threads still run.
cdef unsigned long main_thread = threading.main_thread().ident

if hasattr(os, "register_at_fork"):
    def _after_fork_in_child():
        global main_thread
        main_thread = <unsigned long>PyThread_get_thread_ident()

    os.register_at_fork(after_in_child=_after_fork_in_child)


cdef int check_signals(void *caller) noexcept nogil:
    """Run the signal handlers that are due; return whether one of them raised."""
    PyEval_RestoreThread(<PyThreadState *>caller)
    cdef int stop = PyErr_CheckSignals()
    PyEval_SaveThread()
    return stop


cdef int raise_pending() except -1:
    """Raise the exception that a signal handler has raised, and check_signals has left set.

    It is set in the calling thread, which runs this function: to return -1 is enough.
    """
    return -1


cdef bint run(const wif_queue *queue, int64_t total, int threads) except -1:
    """Run every chunk, ``total`` elements; return whether a signal handler stopped the fill."""
    cdef PyThreadState *caller
    cdef wif_poll *poll = NULL
    cdef int64_t chunk
    cdef bint stopped
    if total < RELEASE_GIL_ITEMS:  # too short to look for signals
        for chunk in range(queue.chunks):
            wif_queue_run(queue, chunk)
        return False
    caller = PyThreadState_Get()
    if <unsigned long>PyThread_get_thread_ident() == main_thread:
        poll = check_signals
    with nogil:
        stopped = wif_run(queue, threads, poll, caller, wif_pool_run, NULL)
    return stopped
