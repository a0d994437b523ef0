/* How many threads a fill uses by default, as weightinit_fast/_resolve/threads.py has it for
 * Python. */
#if defined(__linux__)
#define _GNU_SOURCE 1
#endif
#include <stdatomic.h>
#include <stdlib.h>

#include "weightinit_fast.h"

#if defined(_WIN32)
#include <windows.h>
#elif defined(__linux__)
#include <sched.h>
#include <unistd.h>
#else
#include <unistd.h>
#endif

static int32_t min(int32_t a, int32_t b) { return a < b ? a : b; }

/* A number from 1 to WIF_THREADS_MOST at the beginning of a text; 0 if there is none.  What follows
 * the number is ignored: OpenMP allows a list, with a number for each level of nested regions. */
static int32_t number_in(const char *text) {
    int32_t number = 0;
    if (!text)
        return 0;
    for (; *text >= '0' && *text <= '9'; text++)
        number = min(10 * number + (*text - '0'), WIF_THREADS_MOST);
    return number;
}

/* The limit that the environment sets, read once: setenv in another thread must not be a race at
 * every fill. */
static int32_t environment_limit(void) {
    static _Atomic int32_t known;
    int32_t limit = atomic_load_explicit(&known, memory_order_relaxed);
    if (limit)
        return limit;
    limit = number_in(getenv("WEIGHTINIT_FAST_NUM_THREADS"));
    if (!limit)
        limit = number_in(getenv("OMP_NUM_THREADS"));
    if (!limit)
        limit = WIF_THREADS_MOST;
    atomic_store_explicit(&known, limit, memory_order_relaxed);
    return limit;
}

#if defined(_WIN32)
static int32_t processors(void) { return (int32_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); }
#elif defined(__linux__)
/* How many processors the calling thread may run on. */
static int32_t processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (int32_t)CPU_COUNT(&set);
    return (int32_t)sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 processors */
}
#else
static int32_t processors(void) { return (int32_t)sysconf(_SC_NPROCESSORS_ONLN); }
#endif

int32_t wif_default_threads(void) {
    const int32_t most = min(environment_limit(), processors());
    return most < 1 ? 1 : most;
}
