/* What threads share in the extension, where no GIL may order them.
 *
 * Most variables of the extension are set while the package is imported, before any other thread
 * can call it.  Those below are set later, by whichever thread first needs them.  Each is set once
 * and never freed, so that a thread may use what it has read for as long as it likes. */
#ifndef WIF_SHARED_H
#define WIF_SHARED_H

#include <Python.h>
#include <stdatomic.h>

/* Whether several threads of an interpreter run at the same time. */
#ifdef Py_GIL_DISABLED
#define WIF_FREE_THREADED 1
#else
#define WIF_FREE_THREADED 0
#endif

/* ---- variables that are set once --------------------------------------------------------------*/

/* A group of variables is empty, then one thread writes it, and then all threads may read it. */
typedef _Atomic int shared_state;
enum { SHARED_EMPTY, SHARED_WRITTEN, SHARED_READY };

/* Whether the caller may read the group. */
static inline int shared_is_ready(shared_state *state) {
    return atomic_load_explicit(state, memory_order_acquire) == SHARED_READY;
}

/* Whether the caller is the one that writes the group.  It has to call shared_make_ready then. */
static inline int shared_claim(shared_state *state) {
    int empty = SHARED_EMPTY;
    return atomic_compare_exchange_strong(state, &empty, SHARED_WRITTEN);
}

static inline void shared_make_ready(shared_state *state) {
    atomic_store_explicit(state, SHARED_READY, memory_order_release);
}

static shared_state shared_generators; /* keys.pxi: NumPy's classes */
static shared_state shared_torch;      /* keys.pxi: what register_torch sets */

/* ---- the classes of tensors that lend their memory (target.pxi)
 * --------------------------------*/

enum { SHARED_CLASSES = 16 }; /* a program has two or three; for any further one the caller looks */
static struct {
    _Atomic(PyObject *) kind; /* NULL until `functions` is written */
    void *functions;
} shared_classes[SHARED_CLASSES];
static _Atomic int shared_classes_claimed;

/* Whether the class is known; store its table of functions, which may be NULL. */
static inline int shared_find_class(PyObject *kind, void **functions) {
    for (int k = 0; k < SHARED_CLASSES; k++)
        if (atomic_load_explicit(&shared_classes[k].kind, memory_order_acquire) == kind) {
            *functions = shared_classes[k].functions;
            return 1;
        }
    return 0;
}

/* Remember a class, which lives from then on, if there is room.  Two threads may remember the same
 * one, which takes room and does no harm. */
static inline void shared_add_class(PyObject *kind, void *functions) {
    if (atomic_load(&shared_classes_claimed) >= SHARED_CLASSES)
        return;
    const int k = atomic_fetch_add(&shared_classes_claimed, 1);
    if (k >= SHARED_CLASSES)
        return;
    Py_INCREF(kind);
    shared_classes[k].functions = functions;
    atomic_store_explicit(&shared_classes[k].kind, kind, memory_order_release);
}

#endif
