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

typedef struct {
    /* set by the caller */
    const wif_kernels *set;
    wif_draw normals;      /* prepared for the type, with key and stream */
    enum wif_type type;    /* float32 or float64 */
    uint64_t first;        /* the number of the matrix's first normal in the stream */
    int64_t rows, columns; /* of the tall matrix, rows >= columns >= 1 */
    int transposed;        /* whether the normals are those of a wide matrix, which is transposed */
    int threads;
    void *scratch; /* wif_orthogonal_bytes() of memory */

    /* set by wif_orthogonal: the factor, which lies in the scratch */
    wif_matrix matrix;
} wif_orthogonal_request;

/* The size of the scratch for the factor of a tall matrix. */
size_t wif_orthogonal_bytes(enum wif_type type, int64_t rows, int64_t columns);

/* Draw the normals and make the factor; return whether `poll` (run.h) ended that before. */
int wif_orthogonal(wif_orthogonal_request *request, wif_poll *poll, void *caller,
                   wif_parallel_for *parallel_for, void *owner);

#endif
