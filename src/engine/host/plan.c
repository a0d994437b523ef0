/* See plan.h. */
#include "host/plan.h"

#include <string.h>

#include "host/fpenv.h"
#include "host/params.h"

_Static_assert(WIF_TASK_BYTES % WIF_TILE_BYTES == 0 && WIF_LONG_TASK_BYTES % WIF_TASK_BYTES == 0 &&
                   WIF_FRESH_TASK_BYTES % WIF_LONG_TASK_BYTES == 0,
               "the sizes of tiles and tasks are multiples, the larger of the smaller");
_Static_assert(WIF_TILE_BYTES % (WIF_GROUP_WORDS * WIF_f64_BYTES) == 0,
               "a tile holds whole groups of any type, and so does a task");
_Static_assert(WIF_TILE_BYTES % WIF_TILE_RUN == 0 && WIF_TILE_RUN % WIF_f64_BYTES == 0,
               "a tile holds whole columns of elements");
_Static_assert(WIF_TILE_BYTES / WIF_f64_BYTES >= WIF_DENSE_STEP,
               "a tile holds an element and those that are dropped before the next one");

enum { WIF_ID_RUN = 16 };

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t tiles_of(int64_t n, int64_t tile) { return n / tile + (n % tile != 0); }
static ptrdiff_t magnitude(ptrdiff_t step) { return step < 0 ? -step : step; }

/* How far a position of an axis lies in the stream from where the axis begins. */
static uint64_t in_stream(const wif_axis *axis, int64_t position) {
    return (uint64_t)(axis->ids ? axis->ids[position] : position) * axis->stream_step;
}

void wif_plan_choose_kernels(wif_plan *p, const wif_kernels *set, enum wif_type type,
                             int64_t total) {
    if (total >= WIF_CLAMP_WORDS_ITEMS)
        wif_clamp_words(type, &p->draw);
    set = wif_choose_set(set, type, &p->draw);
    p->draw_rows = set->draw_rows[p->draw.transform][type];
    p->draw_tile = set->draw_tile[p->draw.transform][type];
    p->transpose = set->transpose[type];
    p->empty_strips = set->empty_strips;
    p->itemsize = wif_type_bytes(type);
}

void wif_plan_choose_reading(wif_plan *p, const wif_kernels *set, enum wif_type type) {
    p->draw_rows = set->read_rows[type];
    p->draw_tile = NULL;
    p->transpose = set->transpose[type];
    p->empty_strips = set->empty_strips;
    p->itemsize = wif_type_bytes(type);
}

int64_t wif_plan_direct_items(size_t itemsize, int64_t total, int threads, int fresh) {
    const int64_t size = (int64_t)itemsize, least = WIF_TASK_BYTES / size;
    const int64_t most = (fresh ? WIF_FRESH_TASK_BYTES : WIF_LONG_TASK_BYTES) / size;
    const int64_t share = total / (4 * threads) / WIF_GROUP_WORDS * WIF_GROUP_WORDS;
    return threads == 1 ? most : max(least, min(most, share));
}

/* Whether every task begins, and every row of every task, where a group of the stream begins. */
static int is_of_whole_groups(const wif_plan *p) {
    uint64_t all = p->first | (uint64_t)p->columns.n;
    for (int k = 0; k < p->outer_end; k++)
        all |= p->axes[k].stream_step;
    return all % WIF_GROUP_WORDS == 0;
}

/* Choose the sizes of tiles and tasks of a plan by strips. */
static void cut_strips(wif_plan *p) {
    const int64_t size = (int64_t)p->itemsize, line = WIF_LINE_BYTES / size;
    const int whole_groups = is_of_whole_groups(p);
    /* Rows that begin anywhere in a group take up to a group more than they need, so that their
     * tiles are wider. */
    const int64_t most = whole_groups ? WIF_STRIPS_COLUMNS : 2 * WIF_STRIPS_COLUMNS;
    const int64_t tiles = tiles_of(p->columns.n, most);
    const int64_t columns = tiles_of(p->columns.n, tiles);
    p->tile_columns = columns;
    p->row_items = columns + (whole_groups ? 0 : WIF_GROUP_WORDS);
    if (tiles == 1 && p->rows.stream_step == (uint64_t)columns && !p->rows.ids)
        p->row_items = 0;
    const int64_t by_tile = WIF_STRIPS_TILE_BYTES / size / (p->row_items ? p->row_items : columns);
    const int64_t by_strips = (WIF_STRIPS_BYTES / columns - WIF_LINE_BYTES) / size;
    p->strip_rows = min(by_tile, by_strips) / line * line;
    p->tile_rows = max(1, p->direct_items / (columns * p->strip_rows)) * p->strip_rows;
    p->tile_rows = min(p->rows.n, p->tile_rows);
}

void wif_plan_cut(wif_plan *p, const wif_axis *axes, int count) {
    const wif_axis one = {1, 0, 0, NULL};
    p->columns = p->rows = one;
    int rest = count; /* how many axes are left when the columns are taken */
    if (rest && axes[rest - 1].stream_step <= WIF_DENSE_STEP && !axes[rest - 1].ids)
        p->columns = axes[--rest];
    if (p->columns.n == 1) { /* every element is a row of its own */
        p->columns.stream_step = 1;
        p->columns.dst_step = (ptrdiff_t)p->itemsize;
    }
    p->direct = p->columns.stream_step == 1 && p->columns.dst_step == (ptrdiff_t)p->itemsize;

    /* If the plan is direct, the rows are the innermost axis of 8 or more, which is worth a call of
     * the kernel, or else the longest axis.  If not, the rows are the axis with the smallest step
     * through memory. */
    int rows = rest - 1;
    for (int k = rest - 1; k >= 0; k--) {
        if (!p->direct) {
            if (magnitude(axes[k].dst_step) < magnitude(axes[rows].dst_step))
                rows = k;
        } else if (axes[rows].n < 8 && axes[k].n > axes[rows].n) {
            rows = k;
        }
    }
    if (rest)
        p->rows = axes[rows];
    p->axes = axes;
    p->rows_axis = rows;
    p->outer_end = rest;

    const int64_t step = (int64_t)p->columns.stream_step;
    /* What a row costs, in elements: a row shorter than a group costs a whole group. */
    const int64_t run = max(p->columns.n, WIF_GROUP_WORDS);
    p->by_strips = !p->direct && p->nontemporal && step == 1 &&
                   p->rows.dst_step == (ptrdiff_t)p->itemsize &&
                   p->rows.n >= WIF_TILE_RUN / (int64_t)p->itemsize;
    if (p->direct) {
        p->tile_columns = min(p->columns.n, p->direct_items);
        p->tile_rows = min(p->rows.n, max(1, p->direct_items / run));
        /* wif_run_task moves the ends of tiles back to the ends of groups, so that the first tile
         * is shorter and one tile more may be needed.  Tiles beyond the row are empty. */
        p->column_tiles =
            p->columns.n <= p->direct_items ? 1 : tiles_of(p->columns.n, p->direct_items) + 1;
    } else if (p->by_strips) {
        cut_strips(p);
        p->column_tiles = tiles_of(p->columns.n, p->tile_columns);
    } else {
        const int64_t items = (int64_t)(WIF_TILE_BYTES / p->itemsize);
        const int64_t at_least = min(p->rows.n, WIF_TILE_RUN / (int64_t)p->itemsize);
        p->tile_columns = min(p->columns.n, max(1, items / at_least / step));
        p->tile_rows = min(p->rows.n, items / ((p->tile_columns - 1) * step + 1));
        p->column_tiles = tiles_of(p->columns.n, p->tile_columns);
    }
    p->row_tiles = tiles_of(p->rows.n, p->tile_rows);
    p->tasks = p->row_tiles * p->column_tiles;
    for (int k = 0; k < p->outer_end; k++)
        if (k != p->rows_axis)
            p->tasks *= p->axes[k].n;
    p->task_items = p->tile_rows * (p->direct ? min(run, p->direct_items) : p->tile_columns);
}

/* Copy the elements of a tile into the buffer.  The axis with the smaller step through the buffer
 * is `fast`, the inner loop; slow_tile and fast_tile are the steps through the tile. */
#define SCATTER(bytes)                                                                             \
    for (int64_t i = 0; i < slow.n; i++)                                                           \
        for (int64_t j = 0; j < fast.n; j++)                                                       \
            memcpy(dst + i * slow.dst_step + j * fast.dst_step,                                    \
                   tile + i * slow_tile + j * fast_tile, bytes);

static void scatter(char *dst, const char *tile, size_t itemsize, wif_axis slow,
                    ptrdiff_t slow_tile, wif_axis fast, ptrdiff_t fast_tile) {
    switch (itemsize) {
    case 1:
        SCATTER(1)
        break;
    case 2:
        SCATTER(2)
        break;
    case 4:
        SCATTER(4)
        break;
    default:
        SCATTER(8)
    }
}

static void run_by_tile(const wif_plan *p, char *dst, uint64_t first, wif_axis rows,
                        wif_axis columns) {
    char tile[WIF_TILE_BYTES];
    const ptrdiff_t size = (ptrdiff_t)p->itemsize;
    const ptrdiff_t column_bytes = (ptrdiff_t)columns.stream_step * size;
    /* The stretch of the stream that a row covers is drawn whole. */
    const int64_t span = (columns.n - 1) * (int64_t)columns.stream_step + 1;
    const ptrdiff_t row_bytes = (ptrdiff_t)span * size;
    p->draw_rows(tile, row_bytes, first, rows.stream_step, rows.ids, (size_t)rows.n, (size_t)span,
                 &p->draw, 0);
    if (columns.stream_step == 1 && rows.dst_step == size)
        p->transpose(dst, columns.dst_step, tile, row_bytes, (size_t)rows.n, (size_t)columns.n);
    else if (magnitude(rows.dst_step) < magnitude(columns.dst_step))
        scatter(dst, tile, p->itemsize, columns, column_bytes, rows, row_bytes);
    else
        scatter(dst, tile, p->itemsize, rows, row_bytes, columns, column_bytes);
}

/* Draw tiles of the same columns, one below the other, which leave through strips. */
static void run_by_strips(const wif_plan *p, char *dst, uint64_t first, wif_axis rows,
                          wif_axis columns) {
    enum {
        MOST = WIF_GROUP_WORDS * WIF_f64_BYTES
    }; /* the first and the last group may go beyond */
    _Alignas(WIF_LINE_BYTES) char room[MOST + WIF_STRIPS_TILE_BYTES + MOST],
        strips[WIF_STRIPS_BYTES];
    const ptrdiff_t size = (ptrdiff_t)p->itemsize;
    const ptrdiff_t row_bytes = (ptrdiff_t)(p->row_items ? p->row_items : columns.n) * size;
    char *const tile = room + MOST;
    const size_t count = (size_t)columns.n;
    wif_strips s = {.strips = strips + WIF_LINE_BYTES,
                    .strip_bytes = (size_t)(p->strip_rows * size) + WIF_LINE_BYTES,
                    .column_step = columns.dst_step,
                    .columns = count};
    for (int64_t row = 0; row < rows.n; row += p->strip_rows) {
        const size_t now = (size_t)min(p->strip_rows, rows.n - row);
        const uint64_t from = rows.ids ? first : first + in_stream(&rows, row);
        const int64_t *const ids = rows.ids ? rows.ids + row : NULL;
        if (!p->draw_tile)
            p->draw_rows(tile, row_bytes, from, rows.stream_step, ids, now, count, &p->draw, 0);
        else if (p->row_items)
            p->draw_tile(tile, row_bytes, from, rows.stream_step, ids, now, count, &p->draw, &s);
        else
            p->draw_tile(tile, 0, from, 0, NULL, 1, now * count, &p->draw, &s);
        if (row)
            p->empty_strips(&s, 0);
        p->transpose(s.strips, (ptrdiff_t)s.strip_bytes, tile, row_bytes, now, count);
        s.dst = dst + row * size;
        s.bytes = now * (size_t)size;
        s.is_first = row == 0;
        wif_strips_begin(&s);
    }
    p->empty_strips(&s, 1);
}

static void draw_rows(const wif_plan *p, char *dst, uint64_t first, wif_axis rows,
                      wif_axis columns) {
    p->draw_rows(dst, rows.dst_step, first, rows.stream_step, rows.ids, (size_t)rows.n,
                 (size_t)columns.n, &p->draw, p->nontemporal);
}

/* Draw rows by id into the buffer.  A row whose elements are no whole groups costs the groups that
 * its ends share with its neighbours.  So rows that follow each other in the stream as they do in
 * memory are drawn as one long row, if there are at least WIF_ID_RUN of them; a shorter run does
 * not make up for one more call of the kernel. */
static void run_by_id(const wif_plan *p, char *dst, uint64_t first, wif_axis rows,
                      wif_axis columns) {
    const int joined = rows.stream_step == (uint64_t)columns.n &&
                       rows.dst_step == columns.n * columns.dst_step &&
                       columns.n % WIF_GROUP_WORDS != 0;
    int64_t done = 0, run; /* rows that have been drawn; the length of the run that begins at k */
    for (int64_t k = 0; joined && k < rows.n; k += run) {
        run = 1;
        while (k + run < rows.n && rows.ids[k + run] - 1 == rows.ids[k + run - 1])
            run++;
        if (run < WIF_ID_RUN)
            continue;
        wif_axis before = rows, one = {1, 0, 0, NULL}, whole = columns;
        before.ids += done;
        before.n = k - done;
        if (before.n)
            draw_rows(p, dst + done * rows.dst_step, first, before, columns);
        whole.n *= run;
        draw_rows(p, dst + k * rows.dst_step, first + in_stream(&rows, k), one, whole);
        done = k + run;
    }
    rows.ids += done;
    rows.n -= done;
    if (rows.n)
        draw_rows(p, dst + done * rows.dst_step, first, rows, columns);
}

void wif_run_task(const wif_plan *p, int64_t task) {
    char *dst = p->dst;
    uint64_t first = p->first;
    const int64_t column_tile = task % p->column_tiles;
    task /= p->column_tiles;
    const int64_t row = task % p->row_tiles * p->tile_rows;
    task /= p->row_tiles;
    for (int k = p->outer_end - 1; k >= 0; k--) {
        if (k == p->rows_axis)
            continue;
        const int64_t at = task % p->axes[k].n;
        task /= p->axes[k].n;
        dst += at * p->axes[k].dst_step;
        first += in_stream(&p->axes[k], at);
    }

    wif_axis rows = p->rows, columns = p->columns;
    rows.n = min(p->tile_rows, rows.n - row);
    dst += row * rows.dst_step;
    if (rows.ids && rows.n > 1) {
        rows.ids += row;
    } else {
        first += in_stream(&rows, row);
        rows.ids = NULL;
    }
    int64_t begin = column_tile * p->tile_columns, end = begin + p->tile_columns;
    if (p->direct && p->column_tiles > 1) { /* tiles end where groups of the stream end */
        const int64_t phase = (int64_t)(first % WIF_GROUP_WORDS);
        begin -= column_tile ? phase : 0;
        end -= phase;
    }
    end = min(end, columns.n);
    if (begin >= end)
        return;
    columns.n = end - begin;
    dst += begin * columns.dst_step;
    first += (uint64_t)begin * columns.stream_step;

    const wif_fpstate callers = wif_fp_enter();
    if (p->direct && rows.ids)
        run_by_id(p, dst, first, rows, columns);
    else if (p->direct)
        draw_rows(p, dst, first, rows, columns);
    else if (p->by_strips)
        run_by_strips(p, dst, first, rows, columns);
    else
        run_by_tile(p, dst, first, rows, columns);
    wif_fp_leave(callers);
}
