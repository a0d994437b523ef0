/* Runs the code of the pool (host/pool.c) in every order of its steps, as far as the preemptions of
 * a run are limited, and judges each run.  tests/proof/wakeups.py compiles and starts it.
 *
 *     explore_pool PREEMPTIONS RANDOM_RUNS [SCENARIO]
 *
 * pool.c is included here with its atomic operations replaced: before each of them a thread may be
 * interrupted.  The threads are coroutines of one real thread, and waiting, waking and the making
 * of threads are functions of this file.  So a run is a list of choices of who goes on.  All lists
 * are tried that interrupt a thread at most PREEMPTIONS times where it could have gone on; then
 * RANDOM_RUNS more with choices at random, in which the number has no limit.  In half of these, any
 * thread may go on at any step; in the other half threads have priorities, which change now and
 * then, so that a thread may rest for long.  All operations of the pool are sequentially
 * consistent, so that its possible runs are the orders of its operations.
 *
 * SCENARIO is the number of one of the scenarios below, which count from 0; without it, all run.
 *
 * What is judged:
 *
 *   - every chunk of a fill runs to its end once; after a fork, at least once; if the fill is
 *     stopped, at most once;
 *   - no chunk runs before its fill has begun, after it has returned, or beyond its end;
 *   - a fill never has more threads than it asked for;
 *   - every caller returns, and leaves no slot behind;
 *   - where a fill is alone and may have all workers, no worker sleeps while the caller runs a
 *     chunk and another chunk is left;
 *   - there, the fills have had all the workers that they asked for, also in a child. */
#define _GNU_SOURCE 1
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "system/system.h"
#include "system/threads.h"

static void step(void);
static uint64_t fake_clock;

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_compare_exchange_weak
#define atomic_load(p) (step(), atomic_load_explicit(p, memory_order_seq_cst))
#define atomic_store(p, v) (step(), atomic_store_explicit(p, v, memory_order_seq_cst))
#define atomic_exchange(p, v) (step(), atomic_exchange_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_add(p, v) (step(), atomic_fetch_add_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_sub(p, v) (step(), atomic_fetch_sub_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_or(p, v) (step(), atomic_fetch_or_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_and(p, v) (step(), atomic_fetch_and_explicit(p, v, memory_order_seq_cst))
#define atomic_compare_exchange_weak(p, e, v)                                                      \
    (step(),                                                                                       \
     atomic_compare_exchange_strong_explicit(p, e, v, memory_order_seq_cst, memory_order_seq_cst))
/* Each look at the clock is later than any wait: whoever waits actively looks once. */
#define wif_now_ns() (fake_clock += 1000 * 1000)
#include "host/pool.c"

/* ---- what is run ------------------------------------------------------------------------------*/

enum { MOST_THREADS = 6, MOST_FILLS = 3, MOST_CHUNKS = 4, MOST_STEPS = 1 << 14 };

typedef struct {
    int chunks, threads;
    int then; /* what the caller does in the first chunk of this fill that it runs */
} wanted_fill;

/* The last two are what the handler of a signal does, which comes at any step of the fill, once. */
enum { GO_ON, FORK, STOP, FORK_AT_ANY_STEP, FILL_AT_ANY_STEP };

typedef struct {
    const char *name;
    int callers;
    wanted_fill fills[MOST_THREADS][MOST_FILLS]; /* of each caller, one after the other */
    int all_workers; /* how many workers help every fill; 0 if it depends on the order */
    int refused;     /* how many threads the system refuses to make */
} scenario;

static const scenario SCENARIOS[] = {
    {"one caller, one worker, two fills", 1, {{{2, 2, 0}, {2, 2, 0}}}, 1, 0},
    {"one caller, one worker, ever fewer chunks", 1, {{{3, 2, 0}, {2, 2, 0}, {2, 2, 0}}}, 1, 0},
    {"one caller, one worker, ever more chunks", 1, {{{2, 2, 0}, {3, 2, 0}, {4, 2, 0}}}, 1, 0},
    {"a fill that is stopped", 1, {{{4, 2, STOP}, {3, 2, 0}}}, 1, 0},
    {"one caller, two workers", 1, {{{3, 3, 0}, {3, 3, 0}}}, 2, 0},
    {"one caller, two workers, then one", 1, {{{3, 3, 0}, {3, 2, 0}}}, 0, 0},
    {"many chunks on two workers, then on one", 1, {{{4, 3, 0}, {4, 2, 0}}}, 0, 0},
    {"two callers, one worker", 2, {{{2, 2, 0}}, {{3, 2, 0}}}, 0, 0},
    {"two callers, two workers, two fills", 2, {{{2, 3, 0}, {2, 2, 0}}, {{3, 3, 0}}}, 0, 0},
    {"three callers", 3, {{{2, 2, 0}}, {{2, 3, 0}}, {{2, 2, 0}}}, 0, 0},
    {"no thread can be made", 1, {{{3, 3, 0}, {2, 3, 0}}}, 0, 99},
    {"the first thread cannot be made", 1, {{{3, 3, 0}, {3, 3, 0}}}, 0, 1},
    {"a fork in a fill", 1, {{{3, 2, FORK}, {2, 2, 0}}}, 1, 0},
    {"a fork in a fill beside another", 2, {{{3, 2, FORK}, {2, 2, 0}}, {{2, 2, 0}}}, 0, 0},
    {"a signal handler forks", 1, {{{2, 2, FORK_AT_ANY_STEP}, {2, 2, 0}}}, 1, 0},
    {"a signal handler forks later", 1, {{{2, 2, 0}, {2, 2, FORK_AT_ANY_STEP}, {2, 2, 0}}}, 1, 0},
    {"a signal handler fills", 1, {{{2, 2, FILL_AT_ANY_STEP}, {2, 2, 0}}}, 0, 0},
};

/* ---- one run ----------------------------------------------------------------------------------*/

typedef struct {
    int chunks, threads, running, running_here, returned, begun;
    int runs[MOST_CHUNKS];     /* that have come to their end */
    int then, forked, stopped; /* what is to come, and what has come */
    int caller;
} fill_state;

typedef struct {
    ucontext_t context;
    int exists, done, is_worker;
    _Atomic uint32_t *waits_for;
    void (*run)(void);
} thread_state;

static const scenario *now;
static thread_state threads[MOST_THREADS];
static char stacks[MOST_THREADS][64 << 10];
static int thread_count, current, refused;
static fill_state fills[MOST_THREADS][MOST_FILLS], handlers_fills[MOST_THREADS];
static fill_state *called[MOST_THREADS]; /* the fill that this caller runs now */
static ucontext_t judge;
static const char *failure;

/* The choices of this run.  A choice is a number below `options`. */
static struct {
    int choice, options;
} choices[MOST_STEPS];
static int steps, replayed, preemptions, most_preemptions, at_random, have_priorities;
static int priorities[MOST_THREADS], lowest_priority;
static uint64_t random_state = 1;

static void fail(const char *what) {
    if (!failure)
        failure = what;
}

static int random_below(int n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

static int runnable(int k) {
    return threads[k].exists && !threads[k].done && !threads[k].waits_for;
}

static int choose(int options) {
    if (options == 1)
        return 0;
    if (steps == MOST_STEPS) {
        fail("a run without end");
        return 0;
    }
    if (at_random) {
        choices[steps].choice = have_priorities || random_below(4) ? 0 : random_below(options);
    } else if (steps >= replayed) {
        choices[steps].choice = 0;
    }
    choices[steps].options = options;
    return choices[steps++].choice;
}

/* Choose who goes on: this thread first, if it can, then the others in order. */
static void give_way(void) {
    int order[MOST_THREADS], options = 0;
    const int self = current, can_go_on = runnable(self);
    if (can_go_on)
        order[options++] = self;
    if (!can_go_on || at_random || preemptions < most_preemptions)
        for (int k = 0; k < thread_count; k++)
            if (k != self && runnable(k))
                order[options++] = k;
    if (have_priorities) {
        if (!random_below(32))
            priorities[self] = --lowest_priority;
        for (int k = 1; k < options; k++)
            if (priorities[order[k]] > priorities[order[0]])
                order[0] = order[k];
    }
    if (!options || failure) {
        swapcontext(&threads[self].context, &judge); /* the run is over */
        return;
    }
    const int next = order[choose(options)];
    if (next == self)
        return;
    preemptions += can_go_on;
    current = next;
    swapcontext(&threads[self].context, &threads[next].context);
}

static void may_handle_signal(void);

static void step(void) {
    may_handle_signal();
    give_way();
}

static void begin(void) {
    threads[current].run();
    threads[current].done = 1;
    give_way();
}

static void add_thread(void (*run)(void), int is_worker) {
    thread_state *t = &threads[thread_count];
    memset(t, 0, sizeof *t);
    t->exists = 1;
    t->is_worker = is_worker;
    t->run = run;
    priorities[thread_count] = random_below(100);
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = stacks[thread_count];
    t->context.uc_stack.ss_size = sizeof *stacks;
    t->context.uc_link = NULL;
    makecontext(&t->context, begin, 0);
    thread_count++;
}

/* ---- threads.h --------------------------------------------------------------------------------*/

static void (*child_handler)(void);

const char *wif_threads_wait_by(void) { return "explorer"; }
uintptr_t wif_thread_self(void) { return (uintptr_t)current + 1; }

int wif_thread_processor(void) { return -1; }
void wif_thread_avoid(int processor) { (void)processor; }

int wif_threads_prepare(void (*in_child)(void)) {
    child_handler = in_child;
    return 1;
}

int wif_thread_start(void (*run)(void), int number) {
    (void)number;
    step();
    if (refused < now->refused) {
        refused++;
        return 0;
    }
    if (thread_count == MOST_THREADS) {
        fail("more threads than this program has room for");
        return 0;
    }
    add_thread(run, 1);
    return 1;
}

void wif_thread_wait(_Atomic uint32_t *word, uint32_t value) {
    step();
    if (atomic_load_explicit(word, memory_order_seq_cst) != value)
        return;
    threads[current].waits_for = word;
    give_way();
}

void wif_thread_wake(_Atomic uint32_t *word, int count) {
    step();
    for (int k = 0; k < thread_count && count > 0; k++) {
        if (threads[k].exists && threads[k].waits_for == word) {
            threads[k].waits_for = NULL;
            count--;
        }
    }
}

/* ---- fills ------------------------------------------------------------------------------------*/

/* The process is now the child: it has this thread alone. */
static void become_child(void) {
    for (int k = 0; k < thread_count; k++)
        if (k != current)
            threads[k].exists = 0;
    for (int k = 0; k < MOST_THREADS; k++)
        for (int j = 0; j < MOST_FILLS; j++)
            if (k != current)
                fills[k][j].returned = 1; /* of a caller that is not here */
    child_handler();
}

static int worker_count(void) {
    int count = 0;
    for (int k = 0; k < thread_count; k++)
        count += threads[k].exists && threads[k].is_worker;
    return count;
}

static void expect_no_sleeper(void) {
    const uint64_t word = pool.slots[0].word; /* a fill that is alone has the first slot */
    if (word & WIF_CLOSED)
        return;                                          /* a child runs the fill alone */
    const int spare = worker_count() - now->all_workers; /* at most 1: see run_once */
    for (int k = 0; k < thread_count; k++)
        if (now->all_workers && spare <= 0 && WIF_TAKEN(word) < pool.slots[0].chunks &&
            threads[k].exists && threads[k].waits_for == &pool.posted)
            fail("a worker sleeps while a chunk is left");
}

static void fork_in(fill_state *f) {
    f->then = GO_ON;
    f->forked = 1;
    become_child();
    f->running = f->running_here; /* what the workers ran is not in the child */
}

static int run_chunk(void *fill, int64_t chunk) {
    fill_state *f = fill;
    if (chunk < 0 || chunk >= f->chunks || !f->begun || f->returned) {
        fail("a chunk that does not exist, or whose fill has returned");
        return 1;
    }
    if (++f->running > f->threads)
        fail("more threads than the fill asked for");
    f->running_here += current == f->caller;
    if (current == f->caller)
        expect_no_sleeper();
    step(); /* the chunk takes a while */
    if (current == f->caller)
        expect_no_sleeper();
    if (f->then == STOP && current == f->caller)
        f->stopped = 1;
    if (f->then == FORK && current == f->caller)
        fork_in(f);
    f->runs[chunk]++;
    f->running--;
    f->running_here -= current == f->caller;
    return current == f->caller && f->stopped;
}

/* Let the handler of a signal run here, if the present fill wants one. */
static void may_handle_signal(void) {
    const int self = current;
    fill_state *const f = called[self];
    if (!f || (f->then != FORK_AT_ANY_STEP && f->then != FILL_AT_ANY_STEP))
        return;
    if (at_random ? random_below(40) : !choose(2))
        return;
    if (f->then == FORK_AT_ANY_STEP) {
        fork_in(f);
        return;
    }
    f->then = GO_ON;
    fill_state *const inner = &handlers_fills[self];
    const fill_state begun = {.chunks = 2, .threads = 2, .caller = self, .begun = 1};
    *inner = begun;
    called[self] = inner;
    wif_pool_run(NULL, inner->chunks, inner->threads, run_chunk, inner);
    inner->returned = 1;
    called[self] = f;
    if (inner->runs[0] != 1 || inner->runs[1] != 1)
        fail("a chunk of a signal handler's fill ran more or less than once");
}

static void call(void) {
    const int self = current;
    for (int k = 0; k < MOST_FILLS && now->fills[self][k].chunks; k++) {
        const wanted_fill *wanted = &now->fills[self][k];
        fill_state *f = &fills[self][k];
        f->chunks = wanted->chunks;
        f->threads = wanted->threads;
        f->then = wanted->then;
        f->caller = self;
        f->begun = 1;
        called[self] = f;
        if (wif_pool_run(NULL, f->chunks, f->threads, run_chunk, f) != f->stopped)
            fail("a wrong answer");
        called[self] = NULL;
        f->returned = 1;
        for (int j = 0; j < f->chunks; j++)
            if (f->forked ? f->runs[j] < 1 : f->stopped ? f->runs[j] > 1 : f->runs[j] != 1)
                fail("a chunk ran more or less than once");
    }
}

static void run_once(void) {
    memset(&pool, 0, sizeof pool);
    memset(fills, 0, sizeof fills);
    memset(called, 0, sizeof called);
    thread_count = refused = steps = preemptions = lowest_priority = 0;
    failure = NULL;
    wif_pool_prepare();
    for (int k = 0; k < now->callers; k++)
        add_thread(call, 0);
    current = 0;
    swapcontext(&judge, &threads[0].context);
    const int workers = worker_count();
    for (int k = 0; k < thread_count; k++) {
        const thread_state *t = &threads[k];
        if (t->exists && !t->is_worker && !t->done)
            fail("a caller never returns");
    }
    if (pool.owned || pool.open)
        fail("a slot is left behind");
    /* If a handler forks while its fill makes a worker, the child may have one more. */
    if (now->all_workers && workers != now->all_workers &&
        !(workers == now->all_workers + 1 && fills[0][0].forked | fills[0][1].forked))
        fail("fills had fewer or more workers than they asked for");
}

/* Go to the next list of choices; return whether there is one. */
static int advance(void) {
    while (steps > 0 && choices[steps - 1].choice + 1 >= choices[steps - 1].options)
        steps--;
    if (!steps)
        return 0;
    choices[steps - 1].choice++;
    replayed = steps;
    return 1;
}

int main(int count, char **arguments) {
    if (count != 3 && count != 4)
        return 2;
    wif_chunks_per_wake = 1;
    most_preemptions = atoi(arguments[1]);
    const int random_runs = atoi(arguments[2]), all = sizeof SCENARIOS / sizeof *SCENARIOS,
              first = count == 4 ? atoi(arguments[3]) : 0,
              beyond = count == 4 && first + 1 < all ? first + 1 : all;
    for (int k = first; k < beyond; k++) {
        long runs = 0;
        now = &SCENARIOS[k];
        at_random = replayed = 0;
        do {
            run_once();
            runs++;
        } while (!failure && advance());
        at_random = 1;
        for (int j = 0; j < random_runs && !failure; j++) {
            have_priorities = j % 2;
            run_once();
        }
        have_priorities = 0;
        if (failure) {
            printf("%s: %s\n", now->name, failure);
            return 1;
        }
        printf("%s: %ld orders and %d at random, all right\n", now->name, runs, random_runs);
        fflush(stdout);
    }
    return 0;
}
