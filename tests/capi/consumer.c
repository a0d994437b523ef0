/* An extension module that tests/capi/test_abi.py compiles against several headers, and loads into
 * a process with several tables.  Tests define:
 *
 *   NEW_FIELD     the value of a field `new_field` at the end of wif_request
 *   NEW_FUNCTION  that wif_api ends with a function new_function()
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include "weightinit_fast_python.h"

static wif_api wif;

/* normal(4, rng=0) as bytes, or the text of the status. */
static PyObject *draw(PyObject *self, PyObject *unused) {
    float out[4];
    wif_request request = wif_request_new(out, WIF_FLOAT32, 4);
    wif_set_normal(&request, 0, 1);
    request.key = wif.key_from_seed(0);
#ifdef NEW_FIELD
    request.new_field = NEW_FIELD;
#endif
    const wif_status status = wif.fill(&request);
    (void)self;
    (void)unused;
    return status == WIF_OK ? PyBytes_FromStringAndSize((const char *)out, sizeof out)
                            : PyUnicode_FromString(wif.status_text(status));
}

/* Which functions at the end of the table are there. */
static PyObject *present(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
#ifdef NEW_FUNCTION
    return Py_BuildValue("(ii)", wif.fill != NULL, wif.new_function != NULL);
#elif defined(OLD)
    return Py_BuildValue("(i)", wif.fill != NULL);
#else
    return Py_BuildValue("(ii)", wif.fill != NULL, wif.instruction_set != NULL);
#endif
}

static PyMethodDef methods[] = {
    {"draw", draw, METH_NOARGS, NULL}, {"present", present, METH_NOARGS, NULL}, {0}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "wif_consumer", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_wif_consumer(void) {
    return wif_import(&wif) < 0 ? NULL : PyModule_Create(&module);
}
