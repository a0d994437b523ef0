# Runs the chunks of a queue on threads, and lets signal handlers run meanwhile.
from cython.parallel cimport prange, threadid


cdef extern from "Python.h":
    ctypedef struct PyThreadState
    PyThreadState *PyThreadState_Get()
    PyThreadState *PyEval_SaveThread() noexcept nogil
    void PyEval_RestoreThread(PyThreadState *) noexcept nogil
    # Declared as in C.  The declaration in cpython.exc raises, while check_signals has to leave the
    # exception set until the end of the parallel region.
    int PyErr_CheckSignals() noexcept nogil


cdef enum:
    # A smaller fill takes less time than it takes to release the GIL and to take it again.
    RELEASE_GIL_ITEMS = 4096


cdef int check_signals(PyThreadState *caller) noexcept nogil:
    """Run the signal handlers that are due; return whether one of them raised.

    The GIL is taken by PyEval_RestoreThread, as it is at the end of every fill.  The fill of a
    daemon thread may still run after the interpreter has ended; PyGILState_Ensure (Cython's "with
    gil") would crash there.
    """
    PyEval_RestoreThread(caller)
    cdef int stop = PyErr_CheckSignals()
    PyEval_SaveThread()
    return stop


cdef int raise_pending() except -1:
    """Raise the exception that a signal handler has raised, and check_signals has left set.

    It is set in the calling thread, which runs this function: to return -1 is enough.
    """
    return -1


cdef void run_one(
    const wif_queue *queue, int64_t chunk, int thread, wif_watch *watch, PyThreadState *caller,
) noexcept nogil:
    """Run a chunk, unless the fill is stopped; let the calling thread (0) look for signals."""
    if wif_watch_stopped(watch):
        return
    cdef int64_t work = wif_queue_run(queue, chunk)
    if thread == 0 and wif_watch_due(watch, work) and check_signals(caller) != 0:
        wif_watch_stop(watch)


cdef bint run(const wif_queue *queue, int64_t total, int threads) except -1:
    """Run every chunk, ``total`` elements; return whether a signal handler stopped the fill.

    This function releases the GIL, and its caller does not.  In a function that is called without
    the GIL, Cython's prange would ask PyGILState_Check whether its threads hold the GIL, and that
    returns true in every thread as soon as there are subinterpreters.
    """
    cdef wif_watch watch
    cdef PyThreadState *caller
    cdef int64_t chunk, chunks = queue.chunks
    if total < RELEASE_GIL_ITEMS:  # too short to look for signals
        for chunk in range(chunks):
            wif_queue_run(queue, chunk)
        return False
    wif_watch_start(&watch)
    caller = PyThreadState_Get()
    with nogil:
        if threads == 1 or chunks == 1:
            for chunk in range(chunks):
                run_one(queue, chunk, 0, &watch, caller)
        else:
            threads = wif_obtainable_threads(threads)
            for chunk in prange(chunks, num_threads=threads, schedule="dynamic", chunksize=1):
                run_one(queue, chunk, threadid(), &watch, caller)
    return wif_watch_stopped(&watch)
