/* See pool.h. */
#include "host/pool.h"

#include <errno.h>
#include <stddef.h>

#include "system/system.h"
#include "system/threads.h"

const char weightinit_fast_pool[] = "weightinit_fast";
_Atomic int wif_chunks_per_wake = 4;

/* Run all chunks on the calling thread. */
static int run_alone(int64_t chunks, wif_chunk *run, void *fill) {
    for (int64_t k = 0; k < chunks; k++)
        if (run(fill, k))
            return 1;
    return 0;
}

#if !WIF_THREADS

const char *wif_threads_wait_by(void) { return NULL; }
/* The caller may bring threads of its own.  Each thread has its own errno, in any library of C. */
uintptr_t wif_thread_self(void) { return (uintptr_t)&errno; }

void wif_pool_prepare(void) {}

uint32_t wif_pool_forks(void) { return 0; }

int wif_pool_worth(int64_t chunks) {
    (void)chunks;
    return 0;
}

int wif_pool_run(void *owner, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)owner;
    (void)threads;
    return run_alone(chunks, run, fill);
}

#else

/* The word of a slot: 40 bits count the chunks that have been taken, 10 the workers that are
 * active, and 10 hold the most workers that may be active. */
#define WIF_TAKEN(word) ((int64_t)((word) & (WIF_ACTIVE_ONE - 1)))
#define WIF_ACTIVE(word) ((int)((word) / WIF_ACTIVE_ONE % WIF_MAX_THREADS))
#define WIF_HELPERS(word) ((int)((word) / WIF_HELPERS_ONE % WIF_MAX_THREADS))
static const uint64_t WIF_TAKEN_ONE = 1;
static const uint64_t WIF_ACTIVE_ONE = (uint64_t)1 << 40;
static const uint64_t WIF_HELPERS_ONE = (uint64_t)1 << 50;
static const uint64_t WIF_CLOSED = (uint64_t)1 << 62;
static const uint64_t WIF_ASLEEP = (uint64_t)1 << 63;

/* A worker may read a slot while a caller prepares it for another fill; so all is atomic. */
typedef struct {
    _Alignas(128) _Atomic uint64_t word;
    _Atomic int64_t chunks;
    _Atomic(wif_chunk *) run;
    _Atomic(void *) fill;
    _Atomic uintptr_t caller;
    _Atomic uint32_t ended; /* changes when the last worker leaves a sleeping caller's fill */
} slot;

_Static_assert(WIF_POOL_SLOTS <= 32, "a mask of slots has 32 bits");
_Static_assert(WIF_MAX_THREADS == 1 << 10, "a word counts up to WIF_MAX_THREADS - 1 workers");

static struct {
    slot slots[WIF_POOL_SLOTS];
    _Alignas(128) _Atomic uint32_t posted;
    _Atomic int caller_processor; /* on which the latest fill began */
    _Atomic int parked;
    _Atomic int searching;  /* workers that look for work and do not sleep */
    _Atomic uint32_t owned; /* a bit for each slot that a caller has */
    _Atomic uint32_t open;  /* a bit for each slot in which there may be chunks to take */
    _Alignas(128) _Atomic int workers; /* how many there are */
    _Atomic int growing;               /* whether a thread makes workers now */
    _Atomic uint64_t ended_ns;         /* when the latest fill ended */
    _Atomic int streak;                /* fills up to now that each followed the former at once */
    _Atomic uint32_t forks;            /* how many forks this process descends from */
    int prepared; /* whether wif_threads_prepare has succeeded; written before any fill */
} pool;

static uint32_t bit(int slot_number) { return (uint32_t)1 << slot_number; }
static int min(int a, int b) { return a < b ? a : b; }

static int bits_of(uint32_t mask) {
    int count = 0;
    for (; mask; mask &= mask - 1)
        count++;
    return count;
}

static int may_help(const slot *s, uint64_t word) {
    return !(word & WIF_CLOSED) && WIF_TAKEN(word) < atomic_load(&s->chunks) &&
           WIF_ACTIVE(word) < WIF_HELPERS(word);
}

/* Tell the workers that there is something to do for `count` of them, and wake those that neither
 * run nor look for work.  A worker that looks for work when `searching` is read here will see the
 * new `posted` before it sleeps; to read `searching` before raising `posted` would be too early. */
static void post(int count) {
    atomic_fetch_add(&pool.posted, 1);
    count -= atomic_load(&pool.searching);
    if (count > 0 && atomic_load(&pool.parked) > 0)
        wif_thread_wake(&pool.posted, count);
}

/* ---- workers ----------------------------------------------------------------------------------*/

/* Take a chunk of this slot's fill, whichever fill that is now, and run it, if it may be helped.
 *
 * Between the reading of the word and the exchange, the slot may have got another fill whose word
 * is the same.  The chunk is then one of that fill.  Its number may be beyond the end of it, if it
 * has fewer chunks than the former fill, so that the end is read again. */
static int help(slot *s) {
    uint64_t word = atomic_load(&s->word);
    do {
        if (!may_help(s, word))
            return 0;
    } while (!atomic_compare_exchange_weak(&s->word, &word, word + WIF_ACTIVE_ONE + WIF_TAKEN_ONE));
    const int64_t chunk = WIF_TAKEN(word);
    if (chunk < atomic_load(&s->chunks)) {
        wif_chunk *const run = atomic_load(&s->run);
        run(atomic_load(&s->fill), chunk);
    }
    word = atomic_fetch_sub(&s->word, WIF_ACTIVE_ONE);
    /* From here on the caller may return, and the slot may have another fill. */
    if (word & WIF_ASLEEP && WIF_ACTIVE(word) == 1) {
        atomic_fetch_add(&s->ended, 1);
        wif_thread_wake(&s->ended, 1);
    }
    return 1;
}

/* Run a chunk of the next fill after this slot that may be helped; return whether there was one. */
static int help_any(int *last) {
    const uint32_t open = atomic_load(&pool.open);
    for (int k = 1; open && k <= WIF_POOL_SLOTS; k++) {
        const int next = (*last + k) % WIF_POOL_SLOTS;
        if (open & bit(next) && help(&pool.slots[next])) {
            *last = next;
            return 1;
        }
    }
    return 0;
}

/* Wait actively for a while; return whether `posted` has changed. */
static int posted_soon(uint32_t posted) {
    const uint64_t began = wif_now_ns();
    do {
        if (atomic_load(&pool.posted) != posted)
            return 1;
        wif_pause();
    } while (wif_now_ns() - began < WIF_SPIN_NS);
    return 0;
}

/* Keep off the processor on which the latest fill began; *avoided is the one that this worker
 * avoids already.
 *
 * On a virtual machine of two processors and Linux 6.18, in 299 of 300 fills that came every 2 ms
 * Linux woke the worker on the processor of its caller, although the other one was idle.  (Why was
 * not found out.)  There the worker takes the place of its caller, or waits until the fill ends.  A
 * worker may also have been made by a thread that is bound to one processor; it gets the processors
 * of the main thread, since all fills share the workers. */
static void avoid_caller(int *avoided) {
    const int caller = atomic_load(&pool.caller_processor);
    if (caller != *avoided)
        wif_thread_avoid(*avoided = caller);
}

static void work(void) {
    int last = 0, avoided = -2; /* none yet */
    avoid_caller(&avoided);
    for (;;) {
        const uint32_t posted = atomic_load(&pool.posted);
        if (help_any(&last))
            continue;
        atomic_fetch_add(&pool.searching, 1);
        const int soon = posted_soon(posted);
        atomic_fetch_sub(&pool.searching, 1);
        if (soon)
            continue;
        avoid_caller(&avoided);
        atomic_fetch_add(&pool.parked, 1);
        wif_thread_wait(&pool.posted, posted);
        atomic_fetch_sub(&pool.parked, 1);
        if (wif_thread_processor() == atomic_load(&pool.caller_processor))
            avoid_caller(&avoided);
    }
}

/* In a child: there are no workers and no fills, and nobody waits.  The words change, so that a
 * thread that forked while it waited for one of them does not wait on. */
static void begin_anew(void) {
    for (int k = 0; k < WIF_POOL_SLOTS; k++) {
        atomic_store(&pool.slots[k].word, WIF_CLOSED);
        atomic_store(&pool.slots[k].caller, 0);
        atomic_fetch_add(&pool.slots[k].ended, 1);
    }
    atomic_store(&pool.open, 0);
    atomic_store(&pool.owned, 0);
    atomic_store(&pool.parked, 0);
    atomic_store(&pool.searching, 0);
    atomic_store(&pool.workers, 0);
    atomic_store(&pool.growing, 0);
    atomic_fetch_add(&pool.forks, 1);
}

void wif_pool_prepare(void) {
    if (!pool.prepared)
        pool.prepared = wif_threads_prepare(begin_anew);
}

uint32_t wif_pool_forks(void) { return atomic_load(&pool.forks); }

/* Make a worker; return whether the system gave a thread.
 *
 * The worker is counted before it exists.  A signal handler may fork when wif_thread_start lets
 * signals in again.  The child would otherwise count a worker that it does not have, and never make
 * it. */
static int add_worker(void) {
    const uint32_t forks = atomic_load(&pool.forks);
    if (wif_thread_start(work, atomic_fetch_add(&pool.workers, 1) + 1))
        return 1;
    if (atomic_load(&pool.forks) == forks)
        atomic_fetch_sub(&pool.workers, 1);
    return 0;
}

/* Return how many workers there are, at most `wanted`; make those that are missing, unless another
 * thread makes some at this moment.  Where the system refuses a thread, there are fewer. */
static int workers_for(int wanted) {
    if (pool.prepared && atomic_load(&pool.workers) < wanted &&
        !atomic_exchange(&pool.growing, 1)) {
        while (atomic_load(&pool.workers) < wanted && add_worker())
            continue;
        atomic_store(&pool.growing, 0);
    }
    return min(wanted, atomic_load(&pool.workers));
}

/* ---- the caller -------------------------------------------------------------------------------*/

/* Return the number of a slot that this caller then has; -1 if all are taken, or if it has one,
 * since it is in a fill already. */
static int get_slot(uintptr_t caller) {
    uint32_t owned = atomic_load(&pool.owned);
    for (int k = 0; k < WIF_POOL_SLOTS; k++)
        if (owned & bit(k) && atomic_load(&pool.slots[k].caller) == caller)
            return -1;
    for (int k = 0; k < WIF_POOL_SLOTS;) {
        if (owned & bit(k))
            k++;
        else if (!atomic_compare_exchange_weak(&pool.owned, &owned, owned | bit(k)))
            k = 0;
        else {
            atomic_store(&pool.slots[k].caller, caller);
            return k;
        }
    }
    return -1;
}

/* Return when no worker runs a chunk of this closed slot, or when a fork has made this a child. */
static void wait_for_helpers(slot *s) {
    const uint64_t began = wif_now_ns();
    do {
        if (WIF_ACTIVE(atomic_load(&s->word)) == 0)
            return;
        wif_pause();
    } while (wif_now_ns() - began < WIF_SPIN_NS);
    for (;;) {
        const uint32_t ended = atomic_load(&s->ended);
        if (WIF_ACTIVE(atomic_fetch_or(&s->word, WIF_ASLEEP)) == 0)
            return;
        wif_thread_wait(&s->ended, ended);
    }
}

/* Whether so many fills have each followed the former at once that a worker is worth waking for
 * fills of few chunks. */
static int is_streak(void) { return atomic_load(&pool.streak) > wif_chunks_per_wake; }

int wif_pool_worth(int64_t chunks) {
    if (wif_now_ns() - atomic_load(&pool.ended_ns) >= WIF_SPIN_NS)
        atomic_store(&pool.streak, 0);
    else if (!is_streak()) /* the number counts no further, and so never overflows */
        atomic_fetch_add(&pool.streak, 1);
    return chunks >= 2 * wif_chunks_per_wake || is_streak();
}

/* For how many workers the chunks of a fill that are left are worth waking them. */
static int worth_waking(int64_t chunks, int helpers) {
    const int64_t threads = chunks / wif_chunks_per_wake;
    return threads > helpers ? helpers : (int)threads - 1;
}

/* Wake a worker for another fill that may be helped, if there is one, in place of this caller. */
static void pass_on(void) {
    const uint32_t open = atomic_load(&pool.open);
    if (!open || atomic_load(&pool.parked) <= 0)
        return;
    for (int k = 0; k < WIF_POOL_SLOTS; k++) {
        const slot *const s = &pool.slots[k];
        const uint64_t word = atomic_load(&s->word);
        if (open & bit(k) && may_help(s, word) &&
            worth_waking(atomic_load(&s->chunks) - WIF_TAKEN(word), 1) > 0) {
            post(1);
            return;
        }
    }
}

/* Let workers take no more chunks of a fill, and return when none runs one. */
static void close_slot(int number) {
    slot *const s = &pool.slots[number];
    atomic_fetch_or(&s->word, WIF_CLOSED);
    atomic_fetch_and(&pool.open, ~bit(number));
    wait_for_helpers(s);
}

static void give_back(int number) {
    atomic_store(&pool.slots[number].caller, 0);
    atomic_fetch_and(&pool.owned, ~bit(number));
}

int wif_pool_run(void *owner, int64_t chunks, int threads, wif_chunk *run, void *fill) {
    (void)owner;
    int helpers = (int)(chunks < threads ? chunks : threads) - 1;
    if (helpers < 1 || chunks >= (int64_t)WIF_ACTIVE_ONE / 2) {
        const int stopped = run_alone(chunks, run, fill);
        if (chunks > 1)
            atomic_store(&pool.ended_ns, wif_now_ns());
        return stopped;
    }
    const uint32_t forks = atomic_load(&pool.forks);
    const int number = get_slot(wif_thread_self());
    if (number < 0)
        return run_alone(chunks, run, fill);
    helpers = min(helpers, WIF_MAX_THREADS - 1);
    int wake = worth_waking(chunks, helpers);
    if (wake < 1 && is_streak())
        wake = 1;
    atomic_store(&pool.caller_processor, wif_thread_processor()); /* new workers read it too */
    if (wake > 0)
        wake = workers_for(wake);

    slot *const s = &pool.slots[number];
    atomic_store(&s->chunks, chunks);
    atomic_store(&s->run, run);
    atomic_store(&s->fill, fill);
    atomic_store(&s->word, (uint64_t)helpers * WIF_HELPERS_ONE);
    const int others = bits_of(atomic_fetch_or(&pool.open, bit(number)) & ~bit(number));
    if (atomic_load(&pool.forks) != forks) {
        /* A signal handler has forked since this fill began to look for a slot, and this is the
         * child.  The pool was made empty when parts of the slot had been written, and others were
         * written afterwards. */
        close_slot(number);
        give_back(number);
        return run_alone(chunks, run, fill);
    }
    post(wake - others);

    int stopped = 0;
    while (!stopped && atomic_load(&pool.forks) == forks) {
        const uint64_t word = atomic_fetch_add(&s->word, WIF_TAKEN_ONE);
        if (WIF_TAKEN(word) >= chunks || word & WIF_CLOSED)
            break;
        stopped = run(fill, WIF_TAKEN(word));
    }
    if (atomic_load(&pool.forks) == forks)
        close_slot(number);
    if (atomic_load(&pool.forks) != forks)
        /* In a child, where another thread may have the slot now. */
        return stopped ? stopped : run_alone(chunks, run, fill);
    atomic_store(&pool.ended_ns, wif_now_ns());
    give_back(number);
    pass_on();
    return stopped;
}

#endif
