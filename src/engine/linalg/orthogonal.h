/* The orthogonal factor of a matrix of normals (docs/stream-contract.md).
 *
 * A matrix takes many steps: normals are drawn into panels (panels.h); each panel is made
 * orthogonal within itself; the columns of panels that are done are removed from later ones.  Each
 * step is cut into chunks, which the threads of the pool share, and the next step begins when all
 * chunks have run.  How a step is cut changes no bit: every number has its order of operations from
 * the contract. */
#ifndef WIF_ORTHOGONAL_H
#define WIF_ORTHOGONAL_H

#include "host/run.h"
#include "linalg/panels.h"

/* Some matrices of one shape, which lie in the stream one after the other. */
typedef struct {
    const wif_kernels *set;
    wif_draw normals;      /* prepared for the type, with key and stream */
    enum wif_type type;    /* float32 or float64 */
    int64_t rows, columns; /* of the tall matrix, rows >= columns >= 1 */
    int transposed;        /* whether the normals are those of a wide matrix, which is transposed */
    double gain;           /* on the elements that are written */
    /* Which matrices: axes whose steps through the stream count matrices, and whose steps through
     * memory lead from the place of one matrix to that of another; and the number of the first. */
    const wif_axis *batch;
    int batch_axes;
    uint64_t first;
    /* Where the first matrix goes, cut, with wif_plan_choose_reading. */
    const wif_plan *out;
    int threads;
    void *scratch; /* wif_orthogonal_scratch() of memory */
} wif_orthogonal_request;

/* How many bytes of scratch a request needs, whose `scratch` is not yet set; SIZE_MAX, which no
 * system has, if a size_t cannot tell. */
size_t wif_orthogonal_scratch(const wif_orthogonal_request *request);

/* Make the matrices and write them; return whether `poll` (run.h) ended that before. */
int wif_orthogonal(const wif_orthogonal_request *request, wif_poll *poll, void *caller,
                   wif_parallel_for *parallel_for, void *owner);

#endif
