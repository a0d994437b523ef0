/* See run.h. */
#include "host/run.h"

#include <stdatomic.h>
#include <stddef.h>

#include "host/runtime.h"
#include "host/threads.h"

enum {
    /* The calling thread looks at the clock after this much work ... */
    WIF_POLL_ITEMS = 1 << 16,
    /* ... and calls `poll` if this time has passed. */
    WIF_POLL_NS = 20 * 1000 * 1000
};

typedef struct {
    const wif_queue *queue;
    wif_poll *poll;
    void *caller;
    uintptr_t thread; /* which thread the calling one is */
    atomic_int stopped;
    int64_t work; /* done by the calling thread since it last looked at the clock */
    uint64_t polled_ns;
} running;

static int is_due(running *r, int64_t work) {
    if ((r->work += work) < WIF_POLL_ITEMS)
        return 0;
    r->work = 0;
    const uint64_t now = wif_now_ns();
    /* If the clock has been set back, the unsigned difference is large, and it is time too. */
    if (now - r->polled_ns < WIF_POLL_NS)
        return 0;
    r->polled_ns = now;
    return 1;
}

static int run_chunk(void *fill, int64_t chunk) {
    running *const r = fill;
    if (atomic_load_explicit(&r->stopped, memory_order_relaxed))
        return 1;
    const int64_t work = wif_queue_run(r->queue, chunk);
    if (!r->poll || wif_thread_self() != r->thread || !is_due(r, work) || !r->poll(r->caller))
        return 0;
    atomic_store_explicit(&r->stopped, 1, memory_order_relaxed);
    return 1;
}

int wif_run(const wif_queue *queue, int threads, wif_poll *poll, void *caller,
            wif_parallel_for *parallel_for, void *owner) {
    running r = {.queue = queue, .poll = poll, .caller = caller, .thread = wif_thread_self()};
    atomic_init(&r.stopped, 0);
    r.polled_ns = wif_now_ns();
    parallel_for(owner, queue->chunks, threads, run_chunk, &r);
    return atomic_load_explicit(&r.stopped, memory_order_relaxed);
}
