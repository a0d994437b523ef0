/* How many threads a fill uses by default.  weightinit_fast/_resolve/threads.py has the same rules
 * for Python, and some more, which only Python can know. */
#include <stdatomic.h>
#include <stdlib.h>

#include "system/system.h"
#include "weightinit_fast.h"

static int32_t lesser(int32_t a, int32_t b) { return a < b ? a : b; }

/* A number at the beginning of a text, at most WIF_THREADS_MOST; 0 if there is none.  What follows
 * it is ignored: OpenMP allows a list, with a number for each level of nested regions. */
static int32_t number_in(const char *text) {
    int32_t number = 0;
    for (; text && *text >= '0' && *text <= '9'; text++)
        number = lesser(10 * number + (*text - '0'), WIF_THREADS_MOST);
    return number;
}

/* The limit that the environment sets.  It is read once, because reading it at each fill would be a
 * race with a thread that changes the environment. */
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

/* The quota may change while the process lives, and to read it takes 30 to 60 us, so that it is
 * read again after a second. */
static int32_t recent_quota(void) {
    enum { SECOND_NS = 1000 * 1000 * 1000 };
    static _Atomic int32_t known;
    static _Atomic uint64_t read_ns;
    const uint64_t now = wif_now_ns();
    int32_t found = atomic_load(&known);
    if (!found || now - atomic_load(&read_ns) >= SECOND_NS) {
        found = wif_quota();
        atomic_store(&read_ns, now);
        atomic_store(&known, found);
    }
    return found;
}

int32_t wif_default_threads(void) {
    const int32_t most = lesser(lesser(environment_limit(), wif_processors()), recent_quota());
    return most < 1 ? 1 : most;
}
