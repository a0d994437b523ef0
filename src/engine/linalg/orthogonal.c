/* See orthogonal.h. */
#include "linalg/orthogonal.h"

#include <string.h>

#include "host/fpenv.h"

enum {
    CACHE_LINE = 64,
    /* A step has about this many chunks for each thread, so that threads end together. */
    CHUNKS_PER_THREAD = 4,
    /* The most panels on either side of a chunk of inner products: the blocks of their rows, which
     * are read together, stay in the second-level cache. */
    INNER_PANELS = 8,
    /* The most rows of a chunk in which columns are removed. */
    SUBTRACT_ROWS = 256,
    /* Steps of less work, in multiplications, run on the calling thread. */
    ALONE_WORK = 1 << 20
};

typedef struct factoring factoring;
struct factoring {
    wif_orthogonal_request *request;
    const wif_panels *kernels;
    char *panels, *squares, *own; /* squares: of a removal; own: two of the panel, for each span */
    int64_t item, panel_bytes, panel_count, padded_rows, spans;
    int64_t square_room; /* how many squares there is room for */
    wif_watch watch;
    wif_parallel_for *parallel_for;
    void *owner;

    /* the present step */
    void (*run)(factoring *f, int64_t chunk);
    int64_t chunk_work; /* multiplications of a chunk */
    int64_t left, lefts, right, rights;
    int64_t left_groups, right_groups, left_group, right_group; /* of inner products */
    int64_t rows_of_chunk;
    char *out; /* where the squares of inner products go */
    wif_queue queue;
};

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t pieces_of(int64_t n, int64_t piece) { return n / piece + (n % piece != 0); }
static int64_t rounded_up(int64_t n, int64_t unit) { return pieces_of(n, unit) * unit; }

static void *panel(const factoring *f, int64_t p) { return f->panels + p * f->panel_bytes; }
static char *squares_at(const factoring *f, char *squares, int64_t number) {
    return squares + number * WIF_PANEL_SQUARE * f->item;
}

/* ---- how the scratch is laid out --------------------------------------------------------------
 */

/* The rows of a panel in memory.  If panels were a multiple of a page long, the same rows of all
 * panels would compete for a few places of the caches. */
static int64_t padded_rows(int64_t rows) {
    const int64_t whole = rounded_up(rows, WIF_PANEL_TILE_ROWS);
    return whole + (whole >= 512 ? WIF_PANEL_TILE_ROWS : 0);
}

/* Removals want an eighth of the matrix for their squares, and need as much as one panel from which
 * all others are removed. */
static int64_t square_room(int64_t spans, int64_t panels, int64_t rows) {
    const int64_t eighth = panels * rows / WIF_PANEL_COLUMNS / 8;
    return max(max(spans * panels, eighth), 8);
}

static void lay_out(factoring *f, wif_orthogonal_request *r) {
    f->request = r;
    f->item = (int64_t)wif_type_bytes(r->type);
    f->panel_count = pieces_of(r->columns, WIF_PANEL_COLUMNS);
    f->padded_rows = padded_rows(r->rows);
    f->panel_bytes = f->padded_rows * WIF_PANEL_COLUMNS * f->item;
    f->spans = pieces_of(r->rows, WIF_SPAN_ROWS);
    f->square_room = square_room(f->spans, f->panel_count, r->rows);
    f->panels = (char *)(((uintptr_t)r->scratch + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    f->own = f->panels + f->panel_count * f->panel_bytes;
    f->squares = squares_at(f, f->own, f->spans + 1);
}

size_t wif_orthogonal_bytes(enum wif_type type, int64_t rows, int64_t columns) {
    wif_orthogonal_request request = {.type = type, .rows = rows, .columns = columns};
    factoring f;
    lay_out(&f, &request);
    return (size_t)(squares_at(&f, f.squares, f.square_room) - (char *)request.scratch) +
           CACHE_LINE;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

static int run_chunk(void *fill, int64_t chunk) {
    factoring *const f = fill;
    if (wif_watch_stopped(&f->watch))
        return 1;
    const wif_fpstate callers = wif_fp_enter();
    f->run(f, chunk);
    wif_fp_leave(callers);
    return wif_watch_chunk(&f->watch, f->chunk_work);
}

/* Run the chunks of a step; `work` is about how many multiplications it makes. */
static void step(factoring *f, void (*run)(factoring *, int64_t), int64_t chunks, int64_t work) {
    if (chunks < 1 || wif_watch_stopped(&f->watch))
        return;
    f->run = run;
    f->chunk_work = work / chunks;
    f->parallel_for(f->owner, chunks, work < ALONE_WORK ? 1 : f->request->threads, run_chunk, f);
}

/* How many pieces of at most `most` units each of `units` chunks should take. */
static int64_t piece(const factoring *f, int64_t units, int64_t most, int64_t others) {
    const int64_t wanted = pieces_of(CHUNKS_PER_THREAD * f->request->threads, others);
    return max(1, min(most, units / wanted));
}

static void draw_chunk(factoring *f, int64_t chunk) { wif_queue_run(&f->queue, chunk); }

/* Draw the normals into the panels, and set what the matrix does not have to zero. */
static void draw_normals(factoring *f) {
    const wif_orthogonal_request *const r = f->request;
    const int64_t whole = r->columns / WIF_PANEL_COLUMNS, rest = r->columns % WIF_PANEL_COLUMNS;
    const uint64_t row_step = r->transposed ? 1 : (uint64_t)r->columns;
    const uint64_t column_step = r->transposed ? (uint64_t)r->rows : 1;
    const ptrdiff_t item = (ptrdiff_t)f->item;
    wif_axis axes[2][3];
    wif_plan plans[2];
    int64_t count = 0;
    for (int last = 0; last < 2; last++) { /* the whole panels, and the one that is not */
        const int64_t panels = last ? rest > 0 : whole;
        const int64_t columns = last ? rest : WIF_PANEL_COLUMNS;
        if (panels == 0)
            continue;
        const wif_axis over_panels = {panels, column_step * WIF_PANEL_COLUMNS,
                                      (ptrdiff_t)f->panel_bytes, NULL};
        const wif_axis over_rows = {r->rows, row_step, item * WIF_PANEL_COLUMNS, NULL};
        const wif_axis over_columns = {columns, column_step, item, NULL};
        wif_axis *const a = axes[count];
        a[0] = over_panels;
        a[1] = r->transposed ? over_columns : over_rows;
        a[2] = r->transposed ? over_rows : over_columns;
        wif_plan *const plan = &plans[count++];
        plan->draw = r->normals;
        wif_plan_choose_kernels(plan, r->set, r->type, r->rows * r->columns);
        plan->dst = panel(f, last ? whole : 0);
        plan->first = r->first + (last ? (uint64_t)whole * over_panels.stream_step : 0);
        plan->direct_items =
            wif_plan_direct_items(plan->itemsize, r->rows * r->columns, r->threads, 1);
        plan->nontemporal = 0;
        wif_plan_cut(plan, a, 3);
    }
    if (rest)
        memset(panel(f, whole), 0, (size_t)f->panel_bytes);
    for (int64_t p = 0; p < f->panel_count; p++) {
        const int64_t end = r->rows * WIF_PANEL_COLUMNS * f->item;
        memset((char *)panel(f, p) + end, 0, (size_t)(f->panel_bytes - end));
    }
    f->queue = wif_queue_of(plans, count, WIF_CHUNK_WORK);
    step(f, draw_chunk, f->queue.chunks, 32 * r->rows * r->columns);
}

static void inner_chunk(factoring *f, int64_t chunk) {
    const int64_t i = chunk % f->left_groups * f->left_group;
    chunk /= f->left_groups;
    const int64_t j = chunk % f->right_groups * f->right_group;
    const int64_t span = chunk / f->right_groups;
    char *const squares = squares_at(f, f->out, span * f->lefts * f->rights + j * f->lefts + i);
    f->kernels->inner(squares, f->lefts, panel(f, f->left + i), min(f->left_group, f->lefts - i),
                      panel(f, f->right + j), min(f->right_group, f->rights - j),
                      f->panel_bytes / f->item, span * WIF_SPAN_ROWS,
                      min((span + 1) * WIF_SPAN_ROWS, f->request->rows));
}

static void add_chunk(factoring *f, int64_t chunk) {
    const int64_t all = f->lefts * f->rights, count = f->left_group, at = chunk * count;
    for (int64_t span = 1; span < f->spans; span++)
        f->kernels->add(squares_at(f, f->out, at), squares_at(f, f->out, span * all + at),
                        min(count, all - at));
}

/* Form the squares of the present left and right panels. */
static void inner_products(factoring *f, char *out) {
    const int64_t all = f->lefts * f->rights;
    f->out = out;
    f->right_group = piece(f, f->rights, INNER_PANELS, f->spans * f->lefts);
    f->right_groups = pieces_of(f->rights, f->right_group);
    f->left_group = piece(f, f->lefts, INNER_PANELS, f->spans * f->right_groups);
    f->left_groups = pieces_of(f->lefts, f->left_group);
    step(f, inner_chunk, f->spans * f->left_groups * f->right_groups,
         all * WIF_PANEL_SQUARE * f->request->rows);
    if (f->spans > 1) {
        f->left_group = piece(f, all, 16, 1);
        step(f, add_chunk, pieces_of(all, f->left_group), all * WIF_PANEL_SQUARE * f->spans);
    }
}

static void subtract_chunk(factoring *f, int64_t chunk) {
    const int64_t row = chunk * f->rows_of_chunk;
    f->kernels->subtract(panel(f, f->right), f->rights, panel(f, f->left), f->lefts, f->squares,
                         f->lefts, f->panel_bytes / f->item, row,
                         min(row + f->rows_of_chunk, f->padded_rows));
}

/* Remove the columns of some panels from those of others. */
static void remove_panels(factoring *f, int64_t left, int64_t lefts, int64_t right,
                          int64_t rights) {
    const int64_t tiles = f->padded_rows / WIF_PANEL_TILE_ROWS;
    const int64_t most = min(f->square_room / (f->spans * lefts), 2 * INNER_PANELS);
    for (int64_t done = 0; done < rights && !wif_watch_stopped(&f->watch); done += most) {
        f->left = left;
        f->lefts = lefts;
        f->right = right + done;
        f->rights = min(most, rights - done);
        inner_products(f, f->squares);
        f->rows_of_chunk =
            WIF_PANEL_TILE_ROWS * piece(f, tiles, SUBTRACT_ROWS / WIF_PANEL_TILE_ROWS, 1);
        step(f, subtract_chunk, pieces_of(f->padded_rows, f->rows_of_chunk),
             f->lefts * f->rights * WIF_PANEL_SQUARE * f->request->rows);
    }
}

static int64_t columns_of(const factoring *f, int64_t p) {
    return min(f->request->columns - p * WIF_PANEL_COLUMNS, WIF_PANEL_COLUMNS);
}

/* The X of a panel stands after the squares of its spans. */
static char *x_of(const factoring *f) { return squares_at(f, f->own, f->spans); }

static void multiply_chunk(factoring *f, int64_t chunk) {
    const int64_t row = chunk * f->rows_of_chunk;
    f->kernels->multiply(panel(f, f->left), columns_of(f, f->left), x_of(f), row,
                         min(row + f->rows_of_chunk, f->padded_rows));
}

static void set_one(const factoring *f, int64_t p, int64_t row, int64_t column) {
    const int64_t at = row * WIF_PANEL_COLUMNS + column;
    if (f->request->type == WIF_f64)
        ((double *)panel(f, p))[at] = 1;
    else
        ((float *)panel(f, p))[at] = 1;
}

/* One round: make the columns of a panel orthogonal to each other; return whether it is done. */
static int make_orthogonal(factoring *f, int64_t p, double sigma) {
    uint32_t zeros;
    f->left = f->right = p;
    f->lefts = f->rights = 1;
    inner_products(f, f->own);
    if (wif_watch_stopped(&f->watch))
        return 1;
    const wif_fpstate callers = wif_fp_enter();
    const int done = f->kernels->factor(x_of(f), f->own, columns_of(f, p), sigma, &zeros);
    wif_fp_leave(callers);
    const int64_t tiles = f->padded_rows / WIF_PANEL_TILE_ROWS;
    f->rows_of_chunk =
        WIF_PANEL_TILE_ROWS * piece(f, tiles, 4 * SUBTRACT_ROWS / WIF_PANEL_TILE_ROWS, 1);
    step(f, multiply_chunk, pieces_of(f->padded_rows, f->rows_of_chunk),
         WIF_PANEL_SQUARE * f->request->rows);
    for (int k = 0; k < WIF_PANEL_COLUMNS; k++)
        if (zeros >> k & 1)
            set_one(f, p, p * WIF_PANEL_COLUMNS + k, k);
    return done;
}

static void factorise(factoring *f) {
    for (int64_t p = 0; p < f->panel_count; p++) {
        double sigma = (double)f->request->rows;
        for (int round = 1; !make_orthogonal(f, p, sigma) && round < WIF_PANEL_ROUNDS; round++) {
            sigma = 1;
            if (p)
                remove_panels(f, 0, p, p, 1);
        }
        const int64_t next = p + 1, count = next & -next;
        remove_panels(f, next - count, count, next, min(count, f->panel_count - next));
    }
}

int wif_orthogonal(wif_orthogonal_request *r, wif_poll *poll, void *caller,
                   wif_parallel_for *parallel_for, void *owner) {
    factoring f = {.parallel_for = parallel_for, .owner = owner};
    lay_out(&f, r);
    f.kernels = &r->set->panels[r->type == WIF_f64];
    wif_watch_begin(&f.watch, poll, caller);
    uint32_t forks;
    /* The child of a fork within a step runs all chunks of the step again (pool.h), also those that
     * had been run.  So it begins anew. */
    do {
        forks = wif_pool_forks();
        draw_normals(&f);
        factorise(&f);
    } while (forks != wif_pool_forks() && !wif_watch_stopped(&f.watch));
    r->matrix = (wif_matrix){f.panels, r->rows, r->columns, f.panel_bytes / f.item, 1};
    return wif_watch_stopped(&f.watch);
}
