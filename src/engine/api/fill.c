/* wif_fill: from a request to the engine's plan, queue and run. */
#include <stdatomic.h>
#include <string.h>

#include "api/machine.h"
#include "api/request.h"
#include "compiler.h"
#include "host/fpenv.h"
#include "host/run.h"
#include "weightinit_fast.h"

enum {
    /* A smaller fill of successive elements is one call of the kernel: no plan is made. */
    SMALL_ITEMS = 4096,
    /* Each thread gets at least this many elements, which is a chunk of the engine. */
    PARALLEL_ITEMS = WIF_CHUNK_WORK
};
_Static_assert((int)WIF_THREADS_MOST == WIF_MAX_THREADS,
               "weightinit_fast.h tells the engine's limit");

#if defined(__GNUC__) || defined(__clang__)
/* wif_pool_prepare has to be called before any fill.  A program that links the engine has no other
 * place for this call; get_ready runs when the program or the library that holds the engine is
 * loaded. */
__attribute__((constructor)) static void get_ready(void) { wif_pool_prepare(); }
#endif

static wif_status check_options(const wif_request *r) {
    if (r->threads > WIF_THREADS_MOST)
        return WIF_ERROR_THREADS;
    if (r->flags & ~(uint32_t)WIF_FLAG_FRESH_MEMORY)
        return WIF_ERROR_FLAGS;
    return r->reserved ? WIF_ERROR_UNKNOWN : WIF_OK;
}

/* ---- small fills ----------------------------------------------------------------------------- */

/* Prepare the draw and draw, in the standard floating-point state.  The function is not inlined,
 * since the compiler could move arithmetic out of the section in this state (host/params.c). */
static NOINLINE wif_status draw_in_standard_state(const wif_request *r, const wif_kernels *kernels,
                                                  enum wif_transform transform, enum wif_type type,
                                                  wif_region *region) {
    wif_draw draw;
    const wif_status status = wif_read_draw(r, transform, type, &draw);
    if (status == WIF_OK && region->items)
        wif_choose_kernel(kernels, type, &draw)(region->data, 0, region->first, 0, NULL, 1,
                                                (size_t)region->items, &draw, 0);
    return status;
}

/* ---- large fills ----------------------------------------------------------------------------- */

static NOINLINE wif_status prepare_in_standard_state(const wif_request *r,
                                                     enum wif_transform transform,
                                                     enum wif_type type, wif_draw *draw) {
    return wif_read_draw(r, transform, type, draw);
}

static int thread_count(const wif_request *r, int64_t items) {
    const int64_t share = items / PARALLEL_ITEMS;
    if (r->threads == 1 || share < 2 || (!r->parallel_for && !wif_pool_worth(share)))
        return 1;
    const int32_t most = r->threads > 0 ? r->threads : wif_default_threads();
    return share < most ? (int)share : most;
}

/* Chunks on the calling thread. */
static int run_here(void *context, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)context;
    (void)threads;
    for (int64_t k = 0; k < chunks; k++)
        if (run(fill, k))
            return 1;
    return 0;
}

/* Stands between wif_run and the threads, and counts the chunks that have been run. */
typedef struct {
    const wif_request *request;
    wif_parallel_for *parallel_for;
    void *context;
    int64_t items, chunks;
    wif_chunk *run;
    void *fill;
    _Atomic int64_t done;
    int failed; /* whether parallel_for has returned something other than 0 */
} counted;

static int run_counted(void *state, int64_t k) {
    counted *const c = state;
    if (k < 0 || k >= c->chunks)
        return 0;
    const int stop = c->run(c->fill, k);
    atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
    return stop;
}

static int run_and_count(void *state, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    counted *const c = state;
    c->chunks = chunks;
    c->run = run;
    c->fill = fill;
    c->failed = c->parallel_for(c->context, chunks, threads, run_counted, c) != 0;
    return c->failed;
}

static int report(void *state) {
    counted *const c = state;
    const int64_t done = atomic_load_explicit(&c->done, memory_order_relaxed);
    /* In integers: floating-point arithmetic would trap where the calling program has unmasked the
     * exception of inexact results, and would set the flag of this exception everywhere else.  The
     * chunks are counted twice if a child of a fork runs all of them again (host/pool.h). */
    const int64_t items = c->items / c->chunks * (done < c->chunks ? done : c->chunks);
    return c->request->progress(c->request->progress_context,
                                items < c->items ? items : c->items - 1, c->items);
}

static wif_status run(const wif_request *r, const wif_queue *queue, int64_t items, int threads) {
    if (threads == 1 && !r->progress) {
        for (int64_t k = 0; k < queue->chunks; k++)
            wif_queue_run(queue, k);
        return WIF_OK;
    }
    counted c = {.request = r, .items = items};
    atomic_init(&c.done, 0);
    c.parallel_for = threads == 1 ? run_here : r->parallel_for ? r->parallel_for : wif_pool_run;
    c.context = r->parallel_context;
    if (wif_run(queue, threads, r->progress ? report : NULL, &c, run_and_count, &c))
        return WIF_CANCELLED;
    if (c.failed || atomic_load(&c.done) < queue->chunks)
        return WIF_ERROR_PARALLEL_FOR;
    if (r->progress)
        r->progress(r->progress_context, items, items);
    return WIF_OK;
}

static NOINLINE wif_status fill_by_plan(const wif_request *r, const wif_kernels *kernels,
                                        enum wif_transform transform, enum wif_type type,
                                        const wif_region *region, int dry) {
    wif_plan plan;
    const wif_fpstate callers = wif_fp_enter();
    const wif_status status = prepare_in_standard_state(r, transform, type, &plan.draw);
    wif_fp_leave(callers);
    if (status != WIF_OK || !region->items || dry)
        return status;
    const int threads = thread_count(r, region->items);
    const int fresh = (r->flags & WIF_FLAG_FRESH_MEMORY) != 0;
    wif_plan_choose_kernels(&plan, kernels, type, region->items);
    plan.dst = region->data;
    plan.first = region->first;
    plan.direct_items = wif_plan_direct_items(plan.itemsize, region->items, threads, fresh);
    plan.nontemporal = !fresh && (uint64_t)region->items * plan.itemsize >= wif_nontemporal_from();
    wif_plan_cut(&plan, region->axes, region->count);
    const wif_queue queue = wif_queue_of(&plan, 1, WIF_CHUNK_WORK);
    return run(r, &queue, region->items, threads);
}

/* ---- the functions --------------------------------------------------------------------------- */

static NOINLINE wif_status fill(const wif_request *given, int dry) {
    wif_request copy;
    const wif_request *r;
    wif_region region;
    enum wif_transform transform;
    enum wif_type type;
    wif_status status = wif_adopt_request(given, &copy, &r);
    if (status == WIF_OK)
        status = check_options(r);
    if (status == WIF_OK)
        status = wif_read_kinds(r, &transform, &type);
    if (status == WIF_OK)
        status = wif_read_region(r, type, &region);
    if (status != WIF_OK)
        return status;
    const wif_kernels *const kernels = wif_kernels_in_use();
    if (!kernels)
        return WIF_ERROR_INSTRUCTION_SET;
    return fill_by_plan(r, kernels, transform, type, &region, dry);
}

wif_status wif_check(const wif_request *request) { return fill(request, 1); }

wif_status wif_fill(const wif_request *r) {
    enum wif_transform transform;
    enum wif_type type;
    if (!r || r->size != sizeof *r || r->ndim || r->rows || r->progress || r->count > SMALL_ITEMS ||
        wif_read_kinds(r, &transform, &type) != WIF_OK || check_options(r) != WIF_OK)
        return fill(r, 0);
    const wif_kernels *const kernels = wif_kernels_in_use();
    wif_region region;
    const wif_status status = wif_read_region(r, type, &region);
    if (status != WIF_OK || !kernels)
        return status == WIF_OK ? WIF_ERROR_INSTRUCTION_SET : status;
    const wif_fpstate callers = wif_fp_enter();
    const wif_status drawn = draw_in_standard_state(r, kernels, transform, type, &region);
    wif_fp_leave(callers);
    return drawn;
}
