/* What threads share in the extension, where no GIL may order them.
 *
 * Most variables of the extension are set while the package is imported, before any other thread
 * can call it.  Those below are set later, by whichever thread first needs them.  Each is set once
 * and never freed, so that a thread may use what it has read for as long as it likes.
 *
 * The end of the file has what spares threads to wait for each other at objects that all of them
 * use. */
#ifndef WIF_SHARED_H
#define WIF_SHARED_H

#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>
#if PY_VERSION_HEX < 0x030c0000
#include <structmember.h> /* PyMemberDef, which Python.h has from 3.12 on */
#endif

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

/* ---- objects that many threads use at the same time -------------------------------------------*/

/* Make an object immortal where there is no GIL: no thread counts references to it any longer.
 *
 * A thread counts its references to an object of another thread by atomic operations on a number
 * that all these threads share, and waits there for the others: 0.05 us for each operation on two
 * cores.  A small call made about fifteen of them.  CPython 3.13 makes classes, modules, their
 * functions and the constants of these immortal itself, but not the functions of an extension, nor
 * tuples and floats that are made when a module is imported.  nanobind does the same as this
 * function with the functions and classes that it makes.
 *
 * The object must belong to the package and have been made by the calling thread, which imports the
 * package, so that no other thread counts references to it meanwhile. */
static inline void shared_keep_forever(PyObject *object) {
#if WIF_FREE_THREADED && PY_VERSION_HEX < 0x030f0000 /* the layout of 3.13 and 3.14 */
    if (object->ob_ref_local == _Py_IMMORTAL_REFCNT_LOCAL)
        return;
    if (PyObject_IS_GC(object) && PyObject_GC_IsTracked(object))
        PyObject_GC_UnTrack(object); /* as CPython does with immortal objects */
    object->ob_tid = _Py_UNOWNED_TID;
    object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    object->ob_ref_shared = 0;
#else
    (void)object;
#endif
}

/* Whether the extension can learn where slots are, which the stable interface does not tell. */
#ifdef Py_LIMITED_API
#define SHARED_KNOWS_SLOTS 0
#else
#define SHARED_KNOWS_SLOTS 1
#endif

/* Where the slot of a member descriptor is in its objects; -1 if this is no such descriptor, or if
 * that cannot be known. */
static inline Py_ssize_t shared_slot_offset(PyObject *descriptor) {
#if SHARED_KNOWS_SLOTS
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type))
        return ((PyMemberDescrObject *)descriptor)->d_member->offset;
#endif
    (void)descriptor;
    return -1;
}

/* Read the int in a slot of an object whose slots never change, without a reference to it: two
 * threads that draw with one Key would wait for each other.  Return 1; or 0, with nothing written,
 * if it is no int in [0, 2**64). */
static inline int shared_read_slot(PyObject *object, Py_ssize_t offset, uint64_t *out) {
    PyObject *const number = *(PyObject **)((char *)object + offset);
    if (!number || !PyLong_CheckExact(number))
        return 0;
    const unsigned long long word = PyLong_AsUnsignedLongLong(number);
    if (word == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    *out = word;
    return 1;
}

#endif
