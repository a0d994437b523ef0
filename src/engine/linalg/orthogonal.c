/* See orthogonal.h. */
#include "linalg/orthogonal.h"

#include <stdatomic.h>
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
    ALONE_WORK = 1 << 20,
    /* The rows of inner products between which a thread looks for the end of the fill. */
    INNER_ROWS = 4 * WIF_BLOCK_ROWS
};

typedef struct factoring factoring;
struct factoring {
    const wif_orthogonal_request *request;
    int threads;
    const wif_panels *kernels;
    char *panels, *squares, *own; /* squares: of a removal; own: of a panel with itself, and X */
    int64_t item, panel_bytes, panels_bytes, panel_count, padded_rows, spans;
    int64_t square_room, own_room; /* how many squares there is room for, without X */
    wif_watch *watch;
    wif_parallel_for *parallel_for;
    void *owner;

    /* the present step */
    void (*run)(factoring *f, int64_t chunk);
    int64_t left, lefts, right, rights;
    int64_t left_groups, right_groups, left_group, right_group; /* of inner products */
    int64_t rows_of_chunk;
    int64_t first_span,
        sums;          /* the first of these spans; how many squares of each pair are added */
    char *out, *total; /* where the squares of these spans go, and their sum */
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
 * all others are removed.  Small matrices have room for all pairs of the panels of a removal, up to
 * 8 pairs. */
static int64_t square_room(int64_t spans, int64_t panels, int64_t numbers) {
    if (panels == 1)
        return 0;
    return max(max(spans * panels, numbers / WIF_PANEL_SQUARE / 8), min(panels * panels / 4, 8));
}

/* The squares of a panel with itself, one for each span, would take a quarter of a matrix of one
 * column.  They have a sixteenth of the matrix, or as many as keep all threads busy, and the spans
 * take turns.  The first square of a turn is the sum of the turns before. */
static int64_t own_room(int64_t spans, int64_t numbers, int64_t threads) {
    return min(spans, max(numbers / WIF_PANEL_SQUARE / 16, CHUNKS_PER_THREAD * threads));
}

/* Set the sizes, for a matrix that so many threads share.  With them the scratch is at most 1.2
 * times the matrix and 64 KiB for each thread (tests/process/test_orthogonal_memory.py). */
static void measure(factoring *f, const wif_orthogonal_request *r, int threads) {
    const int64_t numbers = r->rows * r->columns, rest = r->columns % WIF_PANEL_COLUMNS;
    f->request = r;
    f->threads = threads;
    f->item = (int64_t)wif_type_bytes(r->type);
    f->panel_count = pieces_of(r->columns, WIF_PANEL_COLUMNS);
    f->padded_rows = padded_rows(r->rows);
    f->panel_bytes = f->padded_rows * WIF_PANEL_COLUMNS * f->item;
    f->panels_bytes = r->columns / WIF_PANEL_COLUMNS * f->panel_bytes +
                      (f->padded_rows * rest + WIF_PANEL_COLUMNS) * f->item;
    f->spans = pieces_of(r->rows, WIF_SPAN_ROWS);
    f->square_room = square_room(f->spans, f->panel_count, numbers);
    f->own_room = own_room(f->spans, numbers, threads);
}

/* Set the places in the scratch. */
static void lay_out(factoring *f, char *scratch) {
    f->panels = scratch;
    f->own = f->panels + rounded_up(f->panels_bytes, CACHE_LINE);
    f->squares = squares_at(f, f->own, f->own_room + 1);
}

/* The scratch of one matrix, which so many threads share.  It may be more than a size_t of 32 bits
 * can tell. */
static int64_t matrix_bytes(const wif_orthogonal_request *r, int threads) {
    factoring f;
    measure(&f, r, threads);
    return rounded_up(f.panels_bytes, CACHE_LINE) +
           (f.own_room + 1 + f.square_room) * WIF_PANEL_SQUARE * f.item;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

static int run_chunk(void *fill, int64_t chunk) {
    factoring *const f = fill;
    if (wif_watch_stopped(f->watch))
        return 1;
    f->run(f, chunk);
    return wif_watch_stopped(f->watch);
}

/* Look for signals after so many multiplications of a chunk; return whether the chunk should end.
 * This is done in the floating-point state of the calling program, which is also that of a handler:
 * the chunks below set the standard state (host/fpenv.h) around the calls of kernels. */
static int stop_after(factoring *f, int64_t work) {
    return wif_watch_stopped(f->watch) || wif_watch_chunk(f->watch, work / 32);
}

/* Run the chunks of a step; `work` is about how many multiplications it makes. */
static void step(factoring *f, void (*run)(factoring *, int64_t), int64_t chunks, int64_t work) {
    if (chunks < 1 || wif_watch_stopped(f->watch))
        return;
    f->run = run;
    f->parallel_for(f->owner, chunks, work < ALONE_WORK ? 1 : f->threads, run_chunk, f);
}

/* How many pieces of at most `most` units each of `units` chunks should take. */
static int64_t piece(const factoring *f, int64_t units, int64_t most, int64_t others) {
    const int64_t wanted = pieces_of(CHUNKS_PER_THREAD * f->threads, others);
    return max(1, min(most, units / wanted));
}

static void queue_chunk(factoring *f, int64_t chunk) {
    stop_after(f, 32 * wif_queue_run(&f->queue, chunk));
}

static int64_t columns_of(const factoring *f, int64_t p) {
    return min(f->request->columns - p * WIF_PANEL_COLUMNS, WIF_PANEL_COLUMNS);
}

/* Draw the normals into the panels, from this element of the stream on, and set the rows below the
 * matrix, and what follows the last panel, to zero. */
static void draw_normals(factoring *f, uint64_t first) {
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
        const wif_axis over_rows = {r->rows, row_step, item * columns, NULL};
        const wif_axis over_columns = {columns, column_step, item, NULL};
        const wif_axis over_all = {r->rows * columns, 1, item, NULL};
        /* The rows of a single panel follow each other in the stream and in memory. */
        const int merged = f->panel_count == 1 && !r->transposed;
        wif_axis *const a = axes[count];
        a[0] = merged ? over_all : over_panels;
        a[1] = r->transposed ? over_columns : over_rows;
        a[2] = r->transposed ? over_rows : over_columns;
        wif_plan *const plan = &plans[count++];
        plan->draw = r->normals;
        wif_plan_choose_kernels(plan, r->set, r->type, r->rows * r->columns);
        plan->dst = panel(f, last ? whole : 0);
        plan->first = first + (last ? (uint64_t)whole * over_panels.stream_step : 0);
        plan->direct_items =
            wif_plan_direct_items(plan->itemsize, r->rows * r->columns, f->threads, 1);
        plan->nontemporal = 0;
        wif_plan_cut(plan, a, merged ? 1 : 3);
    }
    for (int64_t p = 0; p < f->panel_count; p++) {
        const int64_t row = columns_of(f, p) * f->item;
        const int64_t zeros = p + 1 < f->panel_count ? 0 : WIF_PANEL_COLUMNS * f->item;
        memset((char *)panel(f, p) + r->rows * row, 0,
               (size_t)((f->padded_rows - r->rows) * row + zeros));
    }
    f->queue = wif_queue_of(plans, count, WIF_CHUNK_WORK);
    step(f, queue_chunk, f->queue.chunks, 32 * r->rows * r->columns);
}

static void inner_chunk(factoring *f, int64_t chunk) {
    const int64_t i = chunk % f->left_groups * f->left_group;
    chunk /= f->left_groups;
    const int64_t j = chunk % f->right_groups * f->right_group;
    const int64_t span = chunk / f->right_groups;
    char *const squares = squares_at(f, f->out, span * f->lefts * f->rights + j * f->lefts + i);
    const int64_t lefts = min(f->left_group, f->lefts - i);
    const int64_t rights = min(f->right_group, f->rights - j);
    const int64_t columns = columns_of(f, f->right + j + rights - 1);
    const int64_t begin = (f->first_span + span) * WIF_SPAN_ROWS;
    const int64_t end = min(begin + WIF_SPAN_ROWS, f->request->rows);
    for (int64_t row = begin; row < end; row += INNER_ROWS) {
        const wif_fpstate callers = wif_fp_enter();
        f->kernels->inner(squares, f->lefts, panel(f, f->left + i), lefts, panel(f, f->right + j),
                          rights, columns, f->panel_bytes / f->item, row,
                          min(row + INNER_ROWS, end), row > begin);
        wif_fp_leave(callers);
        if (stop_after(f, lefts * rights * WIF_PANEL_SQUARE * INNER_ROWS))
            return;
    }
}

static void add_chunk(factoring *f, int64_t chunk) {
    const int64_t all = f->lefts * f->rights, count = f->left_group, at = chunk * count;
    const wif_fpstate callers = wif_fp_enter();
    for (int64_t k = 1; k < f->sums; k++)
        f->kernels->add(squares_at(f, f->total, at), squares_at(f, f->total, k * all + at),
                        min(count, all - at));
    wif_fp_leave(callers);
}

/* Form the squares of the present left and right panels, with room for so many squares: spans take
 * turns, and the first squares hold the sum of the turns before. */
static void inner_products(factoring *f, char *out, int64_t room) {
    const int64_t all = f->lefts * f->rights;
    f->total = out;
    f->first_span = 0;
    for (int64_t spans; f->first_span < f->spans && !wif_watch_stopped(f->watch);
         f->first_span += spans) {
        const int64_t sums = f->first_span > 0;
        spans = min(room / all - sums, f->spans - f->first_span);
        f->out = squares_at(f, out, sums * all);
        f->sums = sums + spans;
        f->right_group = piece(f, f->rights, INNER_PANELS, spans * f->lefts);
        f->right_groups = pieces_of(f->rights, f->right_group);
        f->left_group = piece(f, f->lefts, INNER_PANELS, spans * f->right_groups);
        f->left_groups = pieces_of(f->lefts, f->left_group);
        step(f, inner_chunk, spans * f->left_groups * f->right_groups,
             all * WIF_PANEL_SQUARE * min(spans * WIF_SPAN_ROWS, f->request->rows));
        if (f->sums > 1) {
            f->left_group = piece(f, all, 16, 1);
            step(f, add_chunk, pieces_of(all, f->left_group), all * WIF_PANEL_SQUARE * f->sums);
        }
    }
}

static void subtract_chunk(factoring *f, int64_t chunk) {
    const int64_t row = chunk * f->rows_of_chunk;
    const int64_t end = min(row + f->rows_of_chunk, f->padded_rows);
    for (int64_t i = 0; i < f->lefts; i += WIF_BLOCK_PANELS) {
        const int64_t lefts = min(WIF_BLOCK_PANELS, f->lefts - i);
        const wif_fpstate callers = wif_fp_enter();
        f->kernels->subtract(panel(f, f->right), f->rights, columns_of(f, f->right + f->rights - 1),
                             panel(f, f->left + i), lefts, squares_at(f, f->squares, i), f->lefts,
                             f->panel_bytes / f->item, row, end);
        wif_fp_leave(callers);
        if (stop_after(f, lefts * f->rights * WIF_PANEL_SQUARE * (end - row)))
            return;
    }
}

/* Remove the columns of some panels from those of others. */
static void remove_panels(factoring *f, int64_t left, int64_t lefts, int64_t right,
                          int64_t rights) {
    const int64_t tiles = f->padded_rows / WIF_PANEL_TILE_ROWS;
    const int64_t most = min(f->square_room / (f->spans * lefts), 2 * INNER_PANELS);
    for (int64_t done = 0; done < rights && !wif_watch_stopped(f->watch); done += most) {
        f->left = left;
        f->lefts = lefts;
        f->right = right + done;
        f->rights = min(most, rights - done);
        inner_products(f, f->squares, f->square_room);
        f->rows_of_chunk =
            WIF_PANEL_TILE_ROWS * piece(f, tiles, SUBTRACT_ROWS / WIF_PANEL_TILE_ROWS, 1);
        step(f, subtract_chunk, pieces_of(f->padded_rows, f->rows_of_chunk),
             f->lefts * f->rights * WIF_PANEL_SQUARE * f->request->rows);
    }
}

/* The X of a panel stands after the squares of its spans. */
static char *x_of(const factoring *f) { return squares_at(f, f->own, f->own_room); }

static void multiply_chunk(factoring *f, int64_t chunk) {
    const int64_t row = chunk * f->rows_of_chunk;
    const wif_fpstate callers = wif_fp_enter();
    f->kernels->multiply(panel(f, f->left), columns_of(f, f->left), x_of(f), row,
                         min(row + f->rows_of_chunk, f->padded_rows));
    wif_fp_leave(callers);
    stop_after(f, WIF_PANEL_SQUARE * f->rows_of_chunk);
}

static void set_one(const factoring *f, int64_t p, int64_t row, int64_t column) {
    const int64_t at = row * columns_of(f, p) + column;
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
    inner_products(f, f->own, f->own_room);
    if (wif_watch_stopped(f->watch))
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

/* Make one matrix of the request and write it. */
static void make_matrix(factoring *f, int64_t number) {
    const wif_orthogonal_request *const r = f->request;
    uint64_t matrix = r->first;
    char *dst = r->out->dst;
    for (int k = r->batch_axes - 1; k >= 0; k--) {
        const int64_t at = number % r->batch[k].n;
        number /= r->batch[k].n;
        matrix += (uint64_t)at * r->batch[k].stream_step;
        dst += at * r->batch[k].dst_step;
    }
    uint32_t forks;
    /* The child of a fork within a step runs all chunks of the step again (pool.h), also those that
     * had been run.  So it begins anew. */
    do {
        forks = wif_pool_forks();
        draw_normals(f, matrix * (uint64_t)(r->rows * r->columns));
        factorise(f);
    } while (forks != wif_pool_forks() && !wif_watch_stopped(f->watch));
    const wif_matrix factor = {f->panels, r->rows, r->columns, f->panel_bytes / f->item, r->gain};
    wif_plan out = *r->out;
    out.dst = dst;
    out.draw.matrix = &factor;
    f->queue = wif_queue_of(&out, 1, WIF_CHUNK_WORK);
    step(f, queue_chunk, f->queue.chunks, 32 * r->rows * r->columns);
}

/* ---- many matrices ----------------------------------------------------------------------------
 */

enum { MOST_AT_ONCE = 64 };

typedef struct {
    const wif_orthogonal_request *request;
    wif_watch watch;
    size_t bytes; /* of the scratch of a matrix */
    char *scratch;
    int at_once;                    /* for how many matrices there is scratch */
    atomic_int taken[MOST_AT_ONCE]; /* which of these are in use */
} making;

static int64_t count_of(const wif_orthogonal_request *r) {
    int64_t count = 1;
    for (int k = 0; k < r->batch_axes; k++)
        count *= r->batch[k].n;
    return count;
}

/* How many matrices are made at once, each by one thread: 1 where all threads share each of them.
 * Threads that share a matrix wait for each other at every step, so that several matrices are made
 * at once if there are enough of them, or if they are small. */
static int at_once(const wif_orthogonal_request *r) {
    const int64_t count = count_of(r);
    /* rows * columns * columns may be more than 2^63. */
    const int is_large = r->rows * r->columns > 8 * ALONE_WORK / r->columns;
    if (count < 2 * r->threads && is_large)
        return 1;
    return (int)min(min(count, r->threads), MOST_AT_ONCE);
}

/* How many threads share a matrix. */
static int sharing(const wif_orthogonal_request *r) { return at_once(r) > 1 ? 1 : r->threads; }

size_t wif_orthogonal_scratch(const wif_orthogonal_request *r) {
    const size_t places = (size_t)at_once(r);
    const uint64_t bytes = (uint64_t)matrix_bytes(r, sharing(r));
    const uint64_t most = (SIZE_MAX - CACHE_LINE) / places;
    return bytes > most ? SIZE_MAX : (size_t)bytes * places + CACHE_LINE;
}

static int run_alone(void *owner, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)owner, (void)threads;
    for (int64_t k = 0; k < chunks; k++)
        if (run(fill, k))
            return 1;
    return 0;
}

static factoring factoring_of(making *m, int place, wif_parallel_for *parallel_for, void *owner) {
    factoring f = {.parallel_for = parallel_for, .owner = owner};
    measure(&f, m->request, sharing(m->request));
    lay_out(&f, m->scratch + m->bytes * (size_t)place);
    f.kernels = &m->request->set->panels[m->request->type == WIF_f64];
    f.watch = &m->watch;
    return f;
}

static int matrix_chunk(void *fill, int64_t number) {
    making *const m = fill;
    int place = 0;
    /* At most `at_once` threads run chunks, so that one of the places is free. */
    while (atomic_exchange(&m->taken[place], 1))
        place = (place + 1) % m->at_once;
    factoring f = factoring_of(m, place, run_alone, NULL);
    if (!wif_watch_stopped(&m->watch))
        make_matrix(&f, number);
    atomic_store(&m->taken[place], 0);
    return wif_watch_stopped(&m->watch);
}

int wif_orthogonal(const wif_orthogonal_request *r, wif_poll *poll, void *caller,
                   wif_parallel_for *parallel_for, void *owner) {
    making m = {.request = r, .bytes = (size_t)matrix_bytes(r, sharing(r)), .at_once = at_once(r)};
    m.scratch = (char *)r->scratch + (CACHE_LINE - (uintptr_t)r->scratch % CACHE_LINE) % CACHE_LINE;
    for (int k = 0; k < MOST_AT_ONCE; k++)
        atomic_init(&m.taken[k], 0);
    wif_watch_begin(&m.watch, poll, caller);
    const int64_t count = count_of(r);
    if (m.at_once > 1) {
        parallel_for(owner, count, m.at_once, matrix_chunk, &m);
    } else {
        factoring f = factoring_of(&m, 0, parallel_for, owner);
        for (int64_t k = 0; k < count && !wif_watch_stopped(&m.watch); k++)
            make_matrix(&f, k);
    }
    return wif_watch_stopped(&m.watch);
}
