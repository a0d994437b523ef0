/* Runs a queue of plans as one fill, on any threads, and lets the calling program look for signals
 * meanwhile. */
#ifndef WIF_RUN_H
#define WIF_RUN_H

#include <stdatomic.h>
#include <stdint.h>

#include "host/pool.h"
#include "host/queue.h"

/* Looks for signals on the calling thread; a result that is not 0 ends the fill.  It is called
 * about every 20 ms, between two chunks. */
typedef int wif_poll(void *caller);

/* What the threads of a fill share in order to end it early. */
typedef struct {
    wif_poll *poll; /* may be NULL */
    void *caller;
    uintptr_t thread; /* which thread the calling one is */
    atomic_int stopped;
    int64_t work; /* done by the calling thread since it last looked at the clock */
    uint64_t polled_ns;
} wif_watch;

void wif_watch_begin(wif_watch *watch, wif_poll *poll, void *caller);

/* Whether a thread should run no further chunk. */
int wif_watch_stopped(wif_watch *watch);

/* Look for signals if this is the calling thread and it is time, after a chunk of so many elements;
 * return whether that ends the fill. */
int wif_watch_chunk(wif_watch *watch, int64_t work);

/* Run every chunk of the queue on at most `threads` threads.  Return whether `poll` ended the fill
 * before that.  `poll` may be NULL.  The chunks run by parallel_for(owner, ...), normally
 * wif_pool_run. */
int wif_run(const wif_queue *queue, int threads, wif_poll *poll, void *caller,
            wif_parallel_for *parallel_for, void *owner);

#endif
