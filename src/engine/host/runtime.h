/* What the fill asks of the OpenMP runtime and of the clock; without OpenMP, one thread. */
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

/* GCC's runtime alone: LLVM's makes do with the threads that it gets. */
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__) && defined(__unix__)
#include <pthread.h>

/* Threads that the runtime keeps for the calling thread, itself included. */
static _Thread_local int wif_team = 1;

static void *wif_wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* At most `wanted` threads for the next region, and as many as there can be. libgomp ends the
 * process if it cannot make one (no memory for a stack, a limit on processes): so those that it
 * lacks are first made here, all at once, and let go. Others may still take the place. */
static inline int wif_threads_to_be_had(int wanted) {
    enum { MOST = 1024 };
    if (omp_in_parallel()) /* a signal handler's fill, within one: it gets no threads */
        return wanted;
    pthread_t made[MOST];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    const int most = wanted < MOST ? wanted : MOST;
    int n = wif_team;
    if (n < most) {
        pthread_mutex_lock(&gate);
        while (n < most && !pthread_create(&made[n], NULL, wif_wait_at, &gate))
            n++;
        pthread_mutex_unlock(&gate);
        for (int k = wif_team; k < n; k++)
            pthread_join(made[k], NULL);
    }
    return wif_team = n < most ? n : most; /* it drops those that a smaller region has no use for */
}
static inline void wif_forget_team(void) { wif_team = 1; }
#else
static inline int wif_threads_to_be_had(int wanted) { return wanted; }
static inline void wif_forget_team(void) {}
#endif

/* libgomp keeps the calling thread's workers for the next region; a forked child inherits the
 * record but not the workers, and hangs (GCC bug 58378).  Dismissing them before a fork mends it.
 */
static inline void wif_dismiss_workers(void) {
#if defined(_OPENMP) && defined(WIF_HAVE_OMP_PAUSE)
    if (omp_pause_resource_all(omp_pause_soft) != 0)
        return; /* within a region */
#endif
    wif_forget_team();
}

static inline uint64_t wif_now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether a signal asked the fill to stop.  The calling thread alone looks, every POLL_NS at most:
 * it is the one whose signal handlers Python runs. */
enum { WIF_POLL_ITEMS = 1 << 16, WIF_POLL_NS = 20 * 1000 * 1000 };

typedef struct {
    atomic_int stop;
    int64_t items; /* made by the calling thread since it looked at the clock */
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
static inline int wif_watch_due(wif_watch *w, int64_t items) {
    if ((w->items += items) < WIF_POLL_ITEMS)
        return 0;
    w->items = 0;
    const uint64_t now = wif_now_ns();
    if (now - w->polled_ns < WIF_POLL_NS) /* a clock set back counts as due */
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
