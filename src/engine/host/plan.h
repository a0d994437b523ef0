/* A fill cut into tasks that any thread may run in any order.
 *
 * A region is a nest of axes, each with its step through the stream and through memory.  The
 * innermost axis, the columns, has the smallest step through the stream; one other is the rows; the
 * rest are outer.  A task is a tile of rows x columns under one combination of outer positions.
 *
 *   direct   stream and memory both run along the columns: the kernel writes the buffer itself;
 *   by tile  otherwise (Fortran order, strides, column slices): the kernel writes rows of the
 *            stream into a tile in the first-level cache, from which the elements are scattered,
 *            by registers where memory runs along the rows (Fortran order).
 *
 * Python has checked that every byte named here lies in the buffer, and that the products fit.
 */
#ifndef WIF_PLAN_H
#define WIF_PLAN_H

#include <string.h>

#include "host/fpenv.h"
#include "kernels/kernels.h"
#include "host/params.h"

enum {
    WIF_MAX_AXES = 64,             /* NumPy's own limit */
    WIF_GROUP = 32,                /* no drawing kernel's group has more elements */
    WIF_TASK_BYTES = 256 << 10,    /* of a direct task, at least: threads are worth their wake-up */
    WIF_LONG_TASK_BYTES = 1 << 20, /* and at most: to be asked for signals */
    WIF_FRESH_TASK_BYTES = 4 << 20, /* in untouched memory: each huge page is made by one thread */
    WIF_TILE_BYTES = 32 << 10,      /* with the stack frame, within 64 KiB a thread */
    WIF_TILE_RUN = 1024,            /* bytes of a column, in a buffer that runs along them */
    WIF_DENSE_STEP = 32             /* up to this step, draw what lies between and drop it */
};

typedef struct {
    int64_t n;
    uint64_t stream_step; /* elements */
    ptrdiff_t dst_step;   /* bytes */
} wif_axis;

typedef struct {
    wif_fill *fill;
    wif_turn *turn;
    wif_draw draw;
    char *dst;
    uint64_t first;
    size_t itemsize;
    int64_t direct_items; /* of a direct task; set before wif_plan_axes */
    int nontemporal;

    int outer_axes;
    wif_axis outer[WIF_MAX_AXES], rows, columns;
    int direct;
    int64_t tile_rows, tile_columns, row_tiles, column_tiles;
    int64_t tasks, task_items; /* task_items: about how many elements a task draws */
} wif_plan;

static inline int64_t wif_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t wif_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t wif_tiles(int64_t n, int64_t tile) { return n / tile + (n % tile != 0); }
static inline ptrdiff_t wif_magnitude(ptrdiff_t step) { return step < 0 ? -step : step; }

/* Choose what draws `total` elements with plan->draw, which is prepared. */
static inline void wif_plan_kernels(wif_plan *p, const wif_kernels *set, enum wif_type type,
                                    int64_t total) {
    if (total >= WIF_TRIM_ITEMS)
        wif_trim(type, &p->draw);
    p->fill = wif_kernel(set, type, &p->draw);
    p->turn = set->turn[type];
    p->itemsize = wif_type_bytes(type);
}

/* How many elements a direct task takes: of memory that is still to be made, whole huge pages; for
 * threads, some tasks each, so that one that comes late leaves little behind. */
static inline int64_t wif_direct_items(size_t itemsize, int64_t total, int threads, int fresh) {
    const int64_t size = (int64_t)itemsize, least = WIF_TASK_BYTES / size;
    const int64_t most = (fresh ? WIF_FRESH_TASK_BYTES : WIF_LONG_TASK_BYTES) / size;
    return threads == 1 ? most : wif_max(least, wif_min(most, total / (4 * threads)));
}

/* axes[0..count): outermost first, every n >= 1, at most WIF_MAX_AXES; adjacent ones merged. */
static inline void wif_plan_axes(wif_plan *p, const wif_axis *axes, int count) {
    const wif_axis one = {1, 0, 0};
    p->columns = p->rows = one;
    p->outer_axes = 0;
    int rest = count;
    if (rest && axes[rest - 1].stream_step <= WIF_DENSE_STEP)
        p->columns = axes[--rest];
    if (p->columns.n == 1) { /* every element a row of its own */
        p->columns.stream_step = 1;
        p->columns.dst_step = (ptrdiff_t)p->itemsize;
    }
    p->direct = p->columns.stream_step == 1 && p->columns.dst_step == (ptrdiff_t)p->itemsize;

    /* Rows: along memory if the columns are not; else the innermost axis long enough to be worth a
     * kernel call, or the longest. */
    int rows = rest - 1;
    for (int k = rest - 1; k >= 0; k--) {
        if (!p->direct) {
            if (wif_magnitude(axes[k].dst_step) < wif_magnitude(axes[rows].dst_step))
                rows = k;
        } else if (axes[rows].n < 8 && axes[k].n > axes[rows].n) {
            rows = k;
        }
    }
    for (int k = 0; k < rest; k++) {
        if (k == rows)
            p->rows = axes[k];
        else
            p->outer[p->outer_axes++] = axes[k];
    }

    const int64_t step = (int64_t)p->columns.stream_step;
    const int64_t run = wif_max(p->columns.n, WIF_GROUP); /* a short run costs a whole group */
    if (p->direct) {
        p->tile_columns = wif_min(p->columns.n, p->direct_items);
        p->tile_rows = wif_min(p->rows.n, wif_max(1, p->direct_items / run));
        /* One more than needed, as the first tile of a row ends on a group's boundary. */
        p->column_tiles =
            p->columns.n <= p->direct_items ? 1 : wif_tiles(p->columns.n, p->direct_items) + 1;
    } else {
        const int64_t items = (int64_t)(WIF_TILE_BYTES / p->itemsize);
        const int64_t at_least = wif_min(p->rows.n, WIF_TILE_RUN / (int64_t)p->itemsize);
        p->tile_columns = wif_min(p->columns.n, wif_max(1, items / at_least / step));
        p->tile_rows = wif_min(p->rows.n, items / ((p->tile_columns - 1) * step + 1));
        p->column_tiles = wif_tiles(p->columns.n, p->tile_columns);
    }
    p->row_tiles = wif_tiles(p->rows.n, p->tile_rows);
    p->tasks = p->row_tiles * p->column_tiles;
    for (int k = 0; k < p->outer_axes; k++)
        p->tasks *= p->outer[k].n;
    p->task_items = p->tile_rows * (p->direct ? wif_min(run, p->direct_items) : p->tile_columns);
}

/* Elements from the tile to the buffer, the faster axis of the buffer innermost. */
#define WIF_SCATTER(bytes)                                                                         \
    for (int64_t i = 0; i < slow.n; i++)                                                           \
        for (int64_t j = 0; j < fast.n; j++)                                                       \
            memcpy(dst + i * slow.dst_step + j * fast.dst_step,                                    \
                   tile + i * slow_tile + j * fast_tile, bytes);

static inline void wif_scatter(char *dst, const char *tile, size_t itemsize, wif_axis slow,
                               ptrdiff_t slow_tile, wif_axis fast, ptrdiff_t fast_tile) {
    switch (itemsize) {
    case 1:
        WIF_SCATTER(1)
        break;
    case 2:
        WIF_SCATTER(2)
        break;
    case 4:
        WIF_SCATTER(4)
        break;
    default:
        WIF_SCATTER(8)
    }
}

static inline void wif_run_tile(const wif_plan *p, char *dst, uint64_t first, wif_axis rows,
                                wif_axis columns) {
    char tile[WIF_TILE_BYTES];
    const ptrdiff_t size = (ptrdiff_t)p->itemsize;
    const ptrdiff_t column_bytes = (ptrdiff_t)columns.stream_step * size;
    const int64_t span = (columns.n - 1) * (int64_t)columns.stream_step + 1;
    const ptrdiff_t row_bytes = (ptrdiff_t)span * size;
    p->fill(tile, row_bytes, first, rows.stream_step, (size_t)rows.n, (size_t)span, &p->draw, 0);
    if (columns.stream_step == 1 && rows.dst_step == size)
        p->turn(dst, columns.dst_step, tile, row_bytes, (size_t)rows.n, (size_t)columns.n);
    else if (wif_magnitude(rows.dst_step) < wif_magnitude(columns.dst_step))
        wif_scatter(dst, tile, p->itemsize, columns, column_bytes, rows, row_bytes);
    else
        wif_scatter(dst, tile, p->itemsize, rows, row_bytes, columns, column_bytes);
}

static inline void wif_run_task(const wif_plan *p, int64_t task) {
    char *dst = p->dst;
    uint64_t first = p->first;
    const int64_t column_tile = task % p->column_tiles;
    task /= p->column_tiles;
    const int64_t row = task % p->row_tiles * p->tile_rows;
    task /= p->row_tiles;
    for (int k = p->outer_axes - 1; k >= 0; k--) {
        const int64_t at = task % p->outer[k].n;
        task /= p->outer[k].n;
        dst += at * p->outer[k].dst_step;
        first += (uint64_t)at * p->outer[k].stream_step;
    }
    dst += row * p->rows.dst_step;
    first += (uint64_t)row * p->rows.stream_step;

    wif_axis rows = p->rows, columns = p->columns;
    rows.n = wif_min(p->tile_rows, rows.n - row);
    int64_t begin = column_tile * p->tile_columns, end = begin + p->tile_columns;
    if (p->direct && p->column_tiles > 1) { /* cut where groups of the stream end */
        const int64_t phase = (int64_t)(first % WIF_GROUP);
        begin -= column_tile ? phase : 0;
        end -= phase;
    }
    end = wif_min(end, columns.n);
    if (begin >= end)
        return;
    columns.n = end - begin;
    dst += begin * columns.dst_step;
    first += (uint64_t)begin * columns.stream_step;

    const wif_fpstate host = wif_fp_enter();
    if (p->direct)
        p->fill(dst, rows.dst_step, first, rows.stream_step, (size_t)rows.n, (size_t)columns.n,
                &p->draw, p->nontemporal);
    else
        wif_run_tile(p, dst, first, rows, columns);
    wif_fp_leave(host);
}

#endif
