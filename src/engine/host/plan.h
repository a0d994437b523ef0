/* A fill, cut into tasks that any thread may run in any order.
 *
 * A fill is one call: a region of a buffer takes elements of a stream.  The region is a nest of
 * axes, and each axis has a step through the stream and a step through memory.  The innermost axis,
 * which has the smallest step through the stream, is called the columns; one other axis is called
 * the rows; all others are the outer axes.  So going along the columns means going from one column
 * to the next within a row.  A task is a tile of rows and columns at one combination of positions
 * on the outer axes.
 *
 *   direct   The elements that follow each other along the columns also follow each other in the
 *            stream and in memory.  The kernel writes into the buffer.
 *   by tile  In all other cases (Fortran order, strides, slices of columns) the kernel writes rows
 *            of the stream into a tile in the first-level cache.  From there the elements are
 *            scattered into the buffer.  Where the elements of a column follow each other in memory
 *            (Fortran order), the tile is transposed in registers instead.
 *   by strips   In a large buffer in Fortran order, a task is a sequence of tiles of the same
 *            columns, which go through strips: see kernels/strips.h.
 *
 * An axis may have a list of ids, which say where its positions lie in the stream.  Such an axis
 * is never the columns.
 *
 * The caller has checked that every byte of the region lies in the buffer, every element in the
 * stream, and that no product of lengths, or ids, and steps overflows.
 */
#ifndef WIF_PLAN_H
#define WIF_PLAN_H

#include "kernels/kernels.h"

enum {
    WIF_MAX_AXES = 64, /* NumPy's own limit */
    /* If several threads share a fill, a direct task has at least this size, so that it is worth
     * waking a thread for. */
    WIF_TASK_BYTES = 256 << 10,
    /* A direct task has at most this size, so that signal handlers need not wait long. */
    WIF_LONG_TASK_BYTES = 1 << 20,
    /* In fresh memory a direct task may have up to this size, which is two huge pages: a page
     * should be made by one thread. */
    WIF_FRESH_TASK_BYTES = 4 << 20,
    /* A tile lies on the stack of a thread, and the whole stack frame stays below 64 KiB. */
    WIF_TILE_BYTES = 32 << 10,
    /* Each column of a tile has at least this size if the region has enough rows, since in Fortran
     * order a column is what is contiguous in memory. */
    WIF_TILE_RUN = 1024,
    /* In a plan by strips, a tile and its strips have these sizes and widths.  Both lie in the
     * first-level cache together (uniforms took 1.6 times as long with 32 KiB each). */
    WIF_STRIPS_TILE_BYTES = 16 << 10,
    WIF_STRIPS_BYTES = 18 << 10,
    WIF_STRIPS_COLUMNS = 32,
    /* The columns may have up to this step through the stream.  The elements in between are drawn
     * too, and dropped. */
    WIF_DENSE_STEP = 32
};

typedef struct {
    int64_t n;            /* length */
    uint64_t stream_step; /* in elements */
    ptrdiff_t dst_step;   /* in bytes */
    /* Rows by id: position k of the axis is ids[k] steps through the stream, and k steps through
     * memory.  NULL: it is k steps through both. */
    const int64_t *ids;
} wif_axis;

typedef struct {
    /* set by wif_plan_choose_kernels, for the draw that the caller has prepared */
    wif_draw draw;
    wif_draw_rows *draw_rows;
    wif_draw_tile *draw_tile; /* NULL: draw_rows draws into tiles too */
    wif_transpose *transpose;
    wif_empty_strips *empty_strips;
    size_t itemsize;

    /* set by the caller before wif_plan_cut */
    char *dst;            /* where the region's first element goes */
    uint64_t first;       /* the number of that element in the stream */
    int64_t direct_items; /* how many elements a task takes that is direct or by strips */
    int nontemporal;      /* whether stores go past the caches where that pays */

    /* set by wif_plan_cut */
    const wif_axis *axes; /* all axes, outermost first; they stay in the caller's memory */
    int rows_axis;        /* which of them is the rows; -1: none */
    int outer_end;        /* the outer axes are those before this one, without the rows */
    wif_axis rows, columns;
    int direct, by_strips;
    int64_t strip_rows; /* by strips: the rows of a tile; a task has tile_rows rows */
    int64_t row_items; /* by strips: from one row of a tile to the next; 0: rows are adjacent in the
                          stream too, and all rows of a tile are drawn as one */
    int64_t tile_rows, tile_columns, row_tiles, column_tiles;
    int64_t tasks;      /* how many */
    int64_t task_items; /* about how many elements a task draws */

    /* set by wif_queue_of */
    int64_t work_before; /* the work of the plans before this one; see host/queue.h */
} wif_plan;

/* Choose what draws `total` elements of plan->draw, which wif_prepare has prepared. */
void wif_plan_choose_kernels(wif_plan *plan, const wif_kernels *set, enum wif_type type,
                             int64_t total);

/* Let a plan read the elements of plan->draw.matrix, row after row, in place of a draw. */
void wif_plan_choose_reading(wif_plan *plan, const wif_kernels *set, enum wif_type type);

/* How many elements a direct task takes: always whole groups, so that tasks end where groups of the
 * stream end.  The task has at most WIF_FRESH_TASK_BYTES in memory that has not been touched yet
 * (`fresh`), and at most WIF_LONG_TASK_BYTES in other memory.  Several threads get at least four
 * tasks each, unless tasks would be smaller than WIF_TASK_BYTES; so a thread that starts late
 * leaves little work for which the others wait. */
int64_t wif_plan_direct_items(size_t itemsize, int64_t total, int threads, int fresh);

/* Cut the region of these axes into tasks.  There are `count` axes, at most WIF_MAX_AXES, outermost
 * first, each with n >= 1.  The caller has merged axes that could be one axis, and keeps the axes
 * as they are for as long as the plan is used. */
void wif_plan_cut(wif_plan *plan, const wif_axis *axes, int count);

/* Run one task, 0 <= task < plan->tasks. */
void wif_run_task(const wif_plan *plan, int64_t task);

#endif
