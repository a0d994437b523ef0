/* Many plans that run as one fill: all tensors of a model.
 *
 * The tasks of all plans, plan after plan, are one long sequence.  It is cut into chunks of about
 * equal work, and threads take one chunk at a time, in any order.  So a fill wakes its threads
 * once, not once for each tensor; a large tensor has many chunks, and thousands of tiny ones share
 * a chunk.
 *
 * Work is counted in elements, and a task costs WIF_TASK_WORK beyond its own elements.  Chunk k is
 * made of the tasks that begin in the interval from k to k + 1 times chunk_work of the work.
 * Where a chunk begins is looked up when it runs, so that chunks take no memory.  A task may have
 * more work than a chunk should have; it is then the only task of its chunk, and the chunks that
 * would begin within it are empty, which costs a thread some 30 ns each.
 */
#ifndef WIF_QUEUE_H
#define WIF_QUEUE_H

#include "host/plan.h"

enum {
    /* About 10 to 40 us of normals: much more than it costs to take a chunk from the counter that
     * the threads share, and little to wait for when other threads have nothing left to do. */
    WIF_CHUNK_WORK = 1 << 16,
    /* What it takes to begin a task, about 45 ns: 170 normals, 400 uniforms. */
    WIF_TASK_WORK = 256
};

typedef struct {
    const wif_plan *plans;
    int64_t count;
    int64_t chunk_work;
    int64_t chunks;
} wif_queue;

/* Make a queue of plans that have been cut.  The plans stay where they are.  chunk_work is
 * WIF_CHUNK_WORK, except in tests. */
wif_queue wif_queue_of(wif_plan *plans, int64_t count, int64_t chunk_work);

/* Run the tasks of a chunk, 0 <= chunk < queue->chunks; return their work. */
int64_t wif_queue_run(const wif_queue *queue, int64_t chunk);

#endif
