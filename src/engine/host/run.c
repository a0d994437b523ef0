/* See run.h. */
#include "host/run.h"

#include "system/system.h"
#include "system/threads.h"

enum {
    /* The calling thread looks at the clock after this much work ... */
    WIF_POLL_ITEMS = 1 << 16,
    /* ... and calls `poll` if this time has passed. */
    WIF_POLL_NS = 20 * 1000 * 1000
};

typedef struct {
    const wif_queue *queue;
    wif_watch watch;
} running;

void wif_watch_begin(wif_watch *w, wif_poll *poll, void *caller) {
    w->poll = poll;
    w->caller = caller;
    w->thread = wif_thread_self();
    atomic_init(&w->stopped, 0);
    w->work = 0;
    w->polled_ns = wif_now_ns();
}

int wif_watch_stopped(wif_watch *w) {
    return atomic_load_explicit(&w->stopped, memory_order_relaxed);
}

static int is_due(wif_watch *w, int64_t work) {
    if ((w->work += work) < WIF_POLL_ITEMS)
        return 0;
    w->work = 0;
    const uint64_t now = wif_now_ns();
    /* If the clock has been set back, the unsigned difference is large, and it is time too. */
    if (now - w->polled_ns < WIF_POLL_NS)
        return 0;
    w->polled_ns = now;
    return 1;
}

int wif_watch_chunk(wif_watch *w, int64_t work) {
    if (!w->poll || wif_thread_self() != w->thread || !is_due(w, work) || !w->poll(w->caller))
        return 0;
    atomic_store_explicit(&w->stopped, 1, memory_order_relaxed);
    return 1;
}

static int run_chunk(void *fill, int64_t chunk) {
    running *const r = fill;
    if (wif_watch_stopped(&r->watch))
        return 1;
    return wif_watch_chunk(&r->watch, wif_queue_run(r->queue, chunk));
}

int wif_run(const wif_queue *queue, int threads, wif_poll *poll, void *caller,
            wif_parallel_for *parallel_for, void *owner) {
    running r = {.queue = queue};
    wif_watch_begin(&r.watch, poll, caller);
    parallel_for(owner, queue->chunks, threads, run_chunk, &r);
    return wif_watch_stopped(&r.watch);
}
