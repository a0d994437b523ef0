/* Runs a queue of plans as one fill, on any threads, and lets the calling program look for signals
 * meanwhile. */
#ifndef WIF_RUN_H
#define WIF_RUN_H

#include "host/pool.h"
#include "host/queue.h"

/* Looks for signals on the calling thread; a result that is not 0 ends the fill.  It is called
 * about every 20 ms, between two chunks. */
typedef int wif_poll(void *caller);

/* Run every chunk of the queue on at most `threads` threads.  Return whether `poll` ended the fill
 * before that.  `poll` may be NULL.  The chunks run by parallel_for(owner, ...), normally
 * wif_pool_run. */
int wif_run(const wif_queue *queue, int threads, wif_poll *poll, void *caller,
            wif_parallel_for *parallel_for, void *owner);

#endif
