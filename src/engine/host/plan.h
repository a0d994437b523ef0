/* A fill, cut into tasks that any thread may run in any order.
 *
 * A fill is one call: a region of a buffer takes elements of a stream.  The region is a nest of
 * axes, and each axis has a step through the stream and a step through memory.  The innermost axis,
 * the columns, has the smallest step through the stream; one other axis is the rows; all others are
 * the outer axes.  A task is a tile of rows and columns at one combination of outer positions.
 *
 *   direct   Stream and memory both run along the columns.  The kernel writes into the buffer.
 *   by tile  In all other cases (Fortran order, strides, slices of columns) the kernel writes rows
 *            of the stream into a tile in the first-level cache.  From there the elements are
 *            scattered into the buffer, by a transposition in registers where memory runs along the
 *            rows (Fortran order).
 *
 * The caller has checked that every byte named here lies in the buffer, and that no product
 * overflows.
 */
#ifndef WIF_PLAN_H
#define WIF_PLAN_H

#include "kernels/kernels.h"

enum {
    WIF_MAX_AXES = 64,              /* NumPy's own limit */
    WIF_TASK_BYTES = 256 << 10,     /* a direct task has at least these: threads are worth waking */
    WIF_LONG_TASK_BYTES = 1 << 20,  /* and at most these, so that signals are looked for in time */
    WIF_FRESH_TASK_BYTES = 4 << 20, /* at most, in memory that is still to be made: whole huge
                                       pages, each made by one thread */
    WIF_TILE_BYTES = 32 << 10,      /* with its stack frame, within 64 KiB of a thread's stack */
    WIF_TILE_RUN = 1024,            /* bytes of a tile's column, where memory runs along columns */
    WIF_DENSE_STEP = 32             /* up to this step through the stream, the elements in between
                                       are drawn too and dropped */
};

typedef struct {
    int64_t n;            /* length */
    uint64_t stream_step; /* in elements */
    ptrdiff_t dst_step;   /* in bytes */
} wif_axis;

typedef struct {
    /* set by wif_plan_choose_kernels, for the draw that the caller has prepared */
    wif_draw draw;
    wif_draw_rows *draw_rows;
    wif_transpose *transpose;
    size_t itemsize;

    /* set by the caller: the region's first element, the size of a direct task (before
     * wif_plan_cut) and whether stores go past the caches */
    char *dst;
    uint64_t first;
    int64_t direct_items;
    int nontemporal;

    /* set by wif_plan_cut */
    int outer_axes;
    wif_axis outer[WIF_MAX_AXES], rows, columns;
    int direct;
    int64_t tile_rows, tile_columns, row_tiles, column_tiles;
    int64_t tasks, task_items; /* task_items: about how many elements a task draws */
} wif_plan;

/* Choose what draws `total` elements of plan->draw, which wif_prepare has prepared. */
void wif_plan_choose_kernels(wif_plan *plan, const wif_kernels *set, enum wif_type type,
                             int64_t total);

/* How many elements a direct task takes: in memory that is still to be made (`fresh`), whole huge
 * pages; for several threads, some tasks for each thread, so that one that comes late leaves little
 * undone.  Always whole groups, so that tasks end where groups of the stream end. */
int64_t wif_plan_direct_items(size_t itemsize, int64_t total, int threads, int fresh);

/* Cut the region of these axes into tasks.  They are given outermost first, `count` of them, at
 * most WIF_MAX_AXES, each with n >= 1; axes that could be one axis have been merged. */
void wif_plan_cut(wif_plan *plan, const wif_axis *axes, int count);

/* Run one task, 0 <= task < plan->tasks. */
void wif_run_task(const wif_plan *plan, int64_t task);

#endif
