/* The OpenMP runtime and the clock, as far as a fill needs them; the record with which a fill looks
 * for signals; the compiler's name.  Without OpenMP there is one thread. */
#ifndef WIF_RUNTIME_H
#define WIF_RUNTIME_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
static inline int wif_openmp(void) { return _OPENMP; }
static inline int wif_runtime_threads(void) { return omp_get_max_threads(); }
#else
static inline int wif_openmp(void) { return 0; }
static inline int wif_runtime_threads(void) { return 1; }
#endif

/* Only GCC's runtime, libgomp, needs the following check: LLVM's makes do with the threads that it
 * can get. */
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__) && defined(__unix__)
#include <pthread.h>

/* How many threads of the next parallel region exist already: the calling thread itself, and the
 * workers that libgomp has kept for it. */
static _Thread_local int wif_kept_threads = 1;

static void *wif_wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many threads the next parallel region can have: as many as the system allows, and at most
 * `wanted`.  libgomp ends the process if it cannot make a thread, for want of memory for its stack
 * or because of a limit on processes.  So the threads that libgomp does not have yet are first made
 * here, all at the same time, and ended again.  (Another process may still take their places.) */
static inline int wif_obtainable_threads(int wanted) {
    enum { MOST = 1024 };
    /* A signal handler that runs within a fill may fill in its turn.  Its region is nested, and
     * gets no new threads. */
    if (omp_in_parallel())
        return wanted;
    pthread_t made[MOST];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    const int most = wanted < MOST ? wanted : MOST;
    int n = wif_kept_threads;
    if (n < most) {
        pthread_mutex_lock(&gate);
        while (n < most && !pthread_create(&made[n], NULL, wif_wait_at, &gate))
            n++;
        pthread_mutex_unlock(&gate);
        for (int k = wif_kept_threads; k < n; k++)
            pthread_join(made[k], NULL);
    }
    /* libgomp ends the workers that a smaller region does not use. */
    return wif_kept_threads = n < most ? n : most;
}
static inline void wif_forget_workers(void) { wif_kept_threads = 1; }
#else
static inline int wif_obtainable_threads(int wanted) { return wanted; }
static inline void wif_forget_workers(void) {}
#endif

/* libgomp keeps the calling thread's workers for the next region.  A forked child inherits the
 * record of them but not the workers themselves, and hangs (GCC bug 58378).  So they are dismissed
 * before a fork. */
static inline void wif_dismiss_workers(void) {
#if defined(_OPENMP) && defined(WIF_HAVE_OMP_PAUSE)
    if (omp_pause_resource_all(omp_pause_soft) != 0)
        return; /* omp_pause_resource_all is refused within a parallel region */
#endif
    wif_forget_workers();
}

static inline uint64_t wif_now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A watch tells the threads of a fill whether a signal handler has asked the fill to stop.  Only
 * the calling thread looks for signals, since Python runs the handlers in that thread.  It looks at
 * the clock after WIF_POLL_ITEMS elements, and for signals if WIF_POLL_NS have passed. */
enum { WIF_POLL_ITEMS = 1 << 16, WIF_POLL_NS = 20 * 1000 * 1000 };

typedef struct {
    atomic_int stop;
    int64_t items; /* drawn by the calling thread since it last looked at the clock */
    uint64_t polled_ns;
} wif_watch;

static inline void wif_watch_start(wif_watch *w) {
    atomic_init(&w->stop, 0);
    w->items = 0;
    w->polled_ns = wif_now_ns();
}
static inline int wif_watch_stopped(wif_watch *w) {
    return atomic_load_explicit(&w->stop, memory_order_relaxed);
}
static inline void wif_watch_stop(wif_watch *w) {
    atomic_store_explicit(&w->stop, 1, memory_order_relaxed);
}
/* Whether it is time to look for signals, after `items` more elements. */
static inline int wif_watch_due(wif_watch *w, int64_t items) {
    if ((w->items += items) < WIF_POLL_ITEMS)
        return 0;
    w->items = 0;
    const uint64_t now = wif_now_ns();
    /* If the clock has been set back, the unsigned difference is large, and it is time too. */
    if (now - w->polled_ns < WIF_POLL_NS)
        return 0;
    w->polled_ns = now;
    return 1;
}

#ifndef WIF_COMPILER
#if defined(__clang__)
#define WIF_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define WIF_COMPILER "gcc " __VERSION__
#else
#define WIF_COMPILER "unknown"
#endif
#endif

#endif
