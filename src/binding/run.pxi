# A plan's tasks: who makes them, and when signal handlers run meanwhile.
from cython.parallel cimport prange, threadid


cdef extern from "Python.h":
    ctypedef struct PyThreadState
    PyThreadState *PyThreadState_Get()
    PyThreadState *PyEval_SaveThread() noexcept nogil
    void PyEval_RestoreThread(PyThreadState *) noexcept nogil
    # As it is in C: cpython.exc's version raises, and check_signals must hand the exception on to
    # the end of the parallel region.
    int PyErr_CheckSignals() noexcept nogil


cdef enum:
    # A smaller fill is done before the GIL would have been given up and taken again.
    RELEASE_GIL_ITEMS = 4096


cdef int check_signals(PyThreadState *caller) noexcept nogil:
    """Take the GIL as the calling thread does at its fill's end.

    Not by PyGILState_Ensure ("with gil"), which crashes where the interpreter has ended meanwhile:
    a daemon thread's fill outlives it.
    """
    PyEval_RestoreThread(caller)
    cdef int stop = PyErr_CheckSignals()
    PyEval_SaveThread()
    return stop


cdef int raise_pending() except -1:
    """Raise the exception that check_signals left in this, the calling, thread."""
    return -1


cdef void run_one(
    const wif_plan *plan, int64_t task, int thread, wif_watch *watch, PyThreadState *caller,
) noexcept nogil:
    if wif_watch_stopped(watch):
        return
    wif_run_task(plan, task)
    if thread == 0 and wif_watch_due(watch, plan.task_items) and check_signals(caller) != 0:
        wif_watch_stop(watch)


cdef bint run(const wif_plan *plan, int64_t total, int threads) except -1:
    """Run every task; return whether a signal stopped the fill.

    The GIL is given up here, not by the caller: in a function without it prange would ask
    PyGILState_Check, which says yes to everybody once there are subinterpreters.
    """
    cdef wif_watch watch
    cdef PyThreadState *caller
    cdef int64_t task, tasks = plan.tasks, batch = max(1, (1 << 16) // plan.task_items)
    if total < RELEASE_GIL_ITEMS:  # done before anybody would look at a clock
        for task in range(tasks):
            wif_run_task(plan, task)
        return False
    wif_watch_start(&watch)
    caller = PyThreadState_Get()
    with nogil:
        if threads == 1 or tasks == 1:
            for task in range(tasks):
                run_one(plan, task, 0, &watch, caller)
        else:
            threads = wif_threads_to_be_had(threads)
            for task in prange(tasks, num_threads=threads, schedule="dynamic", chunksize=batch):
                run_one(plan, task, threadid(), &watch, caller)
    return wif_watch_stopped(&watch)
