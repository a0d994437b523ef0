/* weightinit_fast for extension modules in C and C++: the functions of the installed Python
 * package, without linking anything.
 *
 *     #include <Python.h>
 *     #include <weightinit_fast_python.h>
 *
 *     static wif_api wif;
 *
 *     PyMODINIT_FUNC PyInit_example(void) {
 *         if (wif_import(&wif) < 0)
 *             return NULL;
 *         ...
 *
 * From then on wif.fill(&request) is wif_fill(&request), and so on, with or without the GIL.  The
 * header uses the limited API of Python alone. */
#ifndef WEIGHTINIT_FAST_PYTHON_H
#define WEIGHTINIT_FAST_PYTHON_H

/* A file that defines PY_SSIZE_T_CLEAN or Py_LIMITED_API does so before this header. */
#include <Python.h>

#include "weightinit_fast.h"

#define WIF_CAPSULE "weightinit_fast._core.c_api"

/* Import the package, and copy its functions into *api.  Return 0, or -1 with an exception set.
 *
 * A function that the installed package does not have yet, since it is older than this header, is
 * NULL in the copy.  Every function that is declared in version 1 of the interface is there. */
static inline int wif_import(wif_api *api) {
    memset(api, 0, sizeof *api);
    /* This import raises what is wrong, such as that there is no weightinit_fast, or that it does
     * not find NumPy.  PyCapsule_Import() would say only that it could not import the package. */
    PyObject *const module = PyImport_ImportModule("weightinit_fast._core");
    if (!module)
        return -1;
    Py_DECREF(module);
    const wif_api *const found = (const wif_api *)PyCapsule_Import(WIF_CAPSULE, 0);
    if (!found)
        return -1;
    if (found->api_version < 1 || found->stream_version != WIF_STREAM_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "the installed weightinit_fast has API version %d and stream version %d; "
                     "this module was compiled for %d and %d: install a version of weightinit_fast "
                     "that has these, or compile the module again",
                     (int)found->api_version, (int)found->stream_version, WIF_API_VERSION,
                     WIF_STREAM_VERSION);
        return -1;
    }
    memcpy(api, found, found->size < sizeof *api ? found->size : sizeof *api);
    return 0;
}

#endif
