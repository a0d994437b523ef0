/* The pool of threads that runs fills in parallel.
 *
 * A fill has chunks, which may run in any order, on any thread (host/queue.h).  Whoever calls
 * wif_pool_run takes chunks and runs them until none is left; the workers of the pool help.  A
 * process has one pool.  Its workers are made when a fill first wants them, serve the fills of all
 * threads, and never end.
 *
 * The pool has no lock.  Its state is made of a few atomic words, each of which is right at any
 * moment, so that a fork at any moment leaves the child a pool that works.
 *
 *   slots     A fill that runs in parallel has one of WIF_POOL_SLOTS slots, which are static memory
 *             and never go away, so that a worker that comes late may read a slot of any age.
 *   word      The state of a slot is one word of 64 bits: how many chunks have been taken, how many
 *             workers run a chunk now (`active`), how many may, whether the slot is CLOSED, and
 *             whether the caller is ASLEEP.  A worker takes a chunk by one compare-and-swap, which
 *             raises the first two numbers, and only if the slot is not closed, chunks are left,
 *             and fewer workers are active than may be.  When it has run the chunk, it lowers
 *             `active`.
 *   posted    A number that grows when there is something to do for parked workers.
 *   parked    How many workers wait for `posted` to change, or are about to.
 *
 * The end of a fill.  The caller closes its slot, after which no worker can take a chunk, and waits
 * until `active` is 0.  So it waits for chunks that were taken, and never for a worker that has
 * been woken and does not run yet.  It looks at the word actively for a while; then it sets ASLEEP
 * and waits for the slot's `ended` to change.  The worker whose subtraction makes `active` 0 sees
 * in the same operation whether ASLEEP was set.  If so, it changes `ended` and wakes the caller; if
 * not, the caller's own operation that sets ASLEEP comes later, and shows `active` 0 to the caller.
 *
 * A worker that finds no chunk.  It reads `posted`, looks at all fills, waits actively for a while
 * for `posted` to change, raises `parked`, and waits until `posted` has another value than it read.
 * The system compares before it lets a thread sleep.  A caller opens its slot, raises `posted`, and
 * then reads `parked`.  All four operations are in one total order (they are sequentially
 * consistent).  If the caller reads `parked` before the worker raises it, then `posted` had changed
 * before the worker's comparison, and the worker does not sleep.  If the caller reads it
 * afterwards, then it wakes the worker.  So no wake-up is lost.  tests/proof/wakeups.py runs this
 * code in every order of a few threads, and variants in which one step is missing, in which it
 * finds the loss.
 *
 * How many are woken.  As many as the fill wants, less the workers that look for work already, less
 * the other fills, whose callers have threads of their own.  When a fill ends while others have
 * chunks left, its caller wakes one worker for them in its place.  A worker goes on to the next
 * fill after each chunk, so that fills share the workers evenly.
 *
 * A fill within a fill, of a signal handler for example, runs on its thread alone.  A thread is
 * known to be in a fill if a slot has it as its caller.  No thread-local variable says so: glibc
 * allocates those of a library that was loaded later when a thread first uses them, and ends the
 * process if there is no memory.
 *
 * Forks.  The child has the thread that forked, and no other.  A handler that pthread_atfork calls
 * in the child makes the pool empty: no worker, no fill.  If the thread forked in the middle of a
 * fill (in a signal handler) and returns to it in the child, chunks may be half written there that
 * workers had taken.  A chunk writes the same bytes each time; so the child then runs all chunks of
 * the fill again, alone.  A fork that calls no handlers (a bare system call, or _Fork) leaves a
 * child in which fills run on the calling thread alone: nobody else takes a chunk there.  Such a
 * child must not return into a fill, since it would wait there for workers that it does not have.
 *
 * A fill must not be left in another way than by its return: not by longjmp, and not by the end of
 * its thread.  Workers might write to its buffer afterwards.
 *
 * The process ends without asking the workers.  They use no memory but the static memory above and
 * that of fills whose callers have not returned.  The library stays in memory (wif_threads_prepare)
 * because the workers run its code.
 */
#ifndef WIF_POOL_H
#define WIF_POOL_H

#include <stdint.h>

#include "compiler.h"
#include "weightinit_fast.h"

enum {
    /* Fills that run in parallel at the same time.  Any further one runs on its thread alone; so
     * many calling threads leave nothing for workers to do. */
    WIF_POOL_SLOTS = 32,
    WIF_MAX_THREADS = 1024,
    /* How long a thread waits actively before it sleeps: about as long as it takes to wake one, so
     * that it costs at most twice as much as the better of the two ways would have. */
    WIF_SPIN_NS = 50 * 1000
};

/* A fill wakes a sleeping worker for this many chunks, 4 unless a test or a benchmark says
 * otherwise.  On a virtual machine of two processors, to wake a thread on an idle one took the
 * caller 11 to 15 us, and the thread ran 35 to 55 us after the beginning of the call.  A chunk
 * takes 5 to 20 us.  So a fill of 8 chunks is the smallest that wakes a worker: one of normals then
 * takes three quarters of the time, and one of uniforms about as long as on one thread.
 *
 * A fill of fewer chunks wakes one worker if that many fills, or more, have each followed the
 * former one at once, since that worker will not sleep while they go on. */
extern _Atomic int wif_chunks_per_wake;

/* Get ready to make workers: see to it that children of forks are told.  This is called once, when
 * the library is loaded, before any fill.  If it is not called, or fails, there are no workers.
 *
 * To do this when the first worker is made would be too late: if another thread forks meanwhile,
 * nobody would tell the child that the thread which makes workers is not there. */
void wif_pool_prepare(void);

/* Whether a fill of about so many chunks, which now begins, is worth more than one thread.  It is
 * asked before wif_pool_run, since to find out how many threads there may be takes time too. */
int wif_pool_worth(int64_t chunks);

/* How many forks this process descends from.  Chunks that do not write the same bytes each time
 * compare it before and after: where it has grown, they ran more than once. */
uint32_t wif_pool_forks(void);

/* wif_chunk, the type of a function that runs a chunk, and wif_parallel_for, the type of
 * wif_pool_run, are in weightinit_fast.h: a caller who has threads already may bring a function of
 * the latter type that uses them (host/run.h). */

/* By this name programs that load the library can tell that it has the pool
 * (weightinit_fast/_resolve/threadpools.py). */
extern WIF_EXPORT const char weightinit_fast_pool[];

/* Run chunks on the calling thread and the workers of the pool; `owner` is ignored. */
int wif_pool_run(void *owner, int64_t chunks, int threads, wif_chunk *run, void *fill);

#endif
