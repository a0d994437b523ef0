/* See threads.h.  POSIX threads; Linux has the futex, and other systems have one condition variable
 * for all words. */
#define _GNU_SOURCE 1
#include "system/threads.h"

#if WIF_THREADS && !defined(_WIN32)

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* ---- waiting ----------------------------------------------------------------------------------*/

#if defined(__linux__) && defined(SYS_futex) && !defined(WIF_NO_FUTEX)

const char *wif_threads_wait_by(void) { return "futex"; }

/* Of <linux/futex.h>.  The kernel's headers are a package of their own, which systems with musl
 * often lack. */
enum { FUTEX_WAIT_PRIVATE = 0 | 128, FUTEX_WAKE_PRIVATE = 1 | 128 };

void wif_thread_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void wif_thread_wake(_Atomic uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void lock_for_fork(void) {}
static void unlock_in_parent(void) {}
static void unlock_in_child(void) {}

#else

/* The lock is held for moments only, never during a task.  So the handler that takes it before a
 * fork does not wait for a fill. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* What a thread has set aside while it holds the lock. */
typedef struct {
    sigset_t signals;
    int cancellation;
} kept;

/* A thread that holds the lock, or waits for the condition variable, runs no signal handler, which
 * could fork or fill and would then wait for the lock for ever.  Nor is it cancelled there. */
static kept take_lock(void) {
    kept k;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &k.signals);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &k.cancellation);
    pthread_mutex_lock(&lock);
    return k;
}

static void release_lock(kept k) {
    int unused;
    pthread_mutex_unlock(&lock);
    pthread_setcancelstate(k.cancellation, &unused);
    pthread_sigmask(SIG_SETMASK, &k.signals, NULL);
}

const char *wif_threads_wait_by(void) { return "condition variable"; }

void wif_thread_wait(_Atomic uint32_t *word, uint32_t value) {
    const kept k = take_lock();
    while (atomic_load(word) == value)
        pthread_cond_wait(&changed, &lock);
    release_lock(k);
}

void wif_thread_wake(_Atomic uint32_t *word, int count) {
    /* All wait for one condition variable, so that to wake only some could wake the wrong ones.
     * Those that wait for another word, or were not needed, wait again. */
    (void)word;
    (void)count;
    const kept k = take_lock();
    pthread_cond_broadcast(&changed);
    release_lock(k);
}

static kept by_fork; /* the lock protects it */

static void lock_for_fork(void) {
    const kept k = take_lock();
    by_fork = k;
}
static void unlock_in_parent(void) { release_lock(by_fork); }
static void unlock_in_child(void) {
    /* The threads that waited are not in the child. */
    static const pthread_cond_t unused = PTHREAD_COND_INITIALIZER;
    changed = unused;
    release_lock(by_fork);
}

#endif

/* ---- fork and unload --------------------------------------------------------------------------*/

static void (*in_child)(void);

static void after_fork_in_child(void) {
    unlock_in_child();
    in_child();
}

int wif_threads_prepare(void (*function)(void)) {
    in_child = function;
#ifdef RTLD_NODELETE
    /* A worker runs the code of this library for as long as the process lives. */
    Dl_info here;
    if (dladdr((void *)&in_child, &here) && here.dli_fname)
        (void)dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#endif
    return pthread_atfork(lock_for_fork, unlock_in_parent, after_fork_in_child) == 0;
}

/* ---- threads ----------------------------------------------------------------------------------*/

static void name_thread(int number) {
    char name[16];
    snprintf(name, sizeof name, "wif_worker_%d", number);
#if defined(__linux__)
    prctl(PR_SET_NAME, name);
#elif defined(__APPLE__)
    pthread_setname_np(name);
#endif
}

#ifdef __linux__

int wif_thread_processor(void) { return sched_getcpu(); }

void wif_thread_avoid(int processor) {
    /* A bit for each processor, as the kernel has them. */
    enum { BITS = 8 * sizeof(unsigned long) };
    unsigned long set[8192 / BITS];
    const long bytes = syscall(SYS_sched_getaffinity, getpid(), sizeof set, set);
    if (bytes <= 0)
        return;
    const int known = processor >= 0 && processor < 8 * bytes;
    const unsigned long one = known ? 1ul << processor % BITS : 0,
                        kept = known ? set[processor / BITS] : 0;
    if (known)
        set[processor / BITS] &= ~one;
    /* The kernel refuses an empty set. */
    if (syscall(SYS_sched_setaffinity, 0, (size_t)bytes, set) && known) {
        set[processor / BITS] = kept;
        syscall(SYS_sched_setaffinity, 0, (size_t)bytes, set);
    }
}

#else
int wif_thread_processor(void) { return -1; }
void wif_thread_avoid(int processor) { (void)processor; }
#endif

/* What every worker runs; the same function each time. */
static void (*_Atomic work)(void);

static void *begin(void *number) {
    name_thread((int)(intptr_t)number);
    atomic_load (&work)();
    return NULL;
}

/* The size of a stack in which a worker has all of its WIF_WORKER_STACK_BYTES.  glibc also puts
 * there what it holds for each thread, and the thread-local variables of all libraries. */
static size_t stack_bytes(const pthread_attr_t *attributes) {
    size_t more = 0;
    size_t (*minstack)(const pthread_attr_t *) = NULL;
    *(void **)&minstack = dlsym(RTLD_DEFAULT, "__pthread_get_minstack");
    if (minstack)
        more = minstack(attributes);
    const size_t page = 4096, bytes = WIF_WORKER_STACK_BYTES + more;
    return (bytes + page - 1) / page * page;
}

uintptr_t wif_thread_self(void) { return (uintptr_t)pthread_self(); }

int wif_thread_start(void (*run)(void), int number) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes))
        return 0;
    pthread_t thread;
    sigset_t kept, blocked;
    /* Signals go to the threads of the calling program, whose stacks are larger, and one of which
     * may wait for them.  A worker only gets those that its own instructions raise. */
    static const int raised[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(&blocked);
    for (unsigned k = 0; k < sizeof raised / sizeof *raised; k++)
        sigdelset(&blocked, raised[k]);
    int failed = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) ||
                 pthread_attr_setstacksize(&attributes, stack_bytes(&attributes)) ||
                 pthread_sigmask(SIG_SETMASK, &blocked, &kept);
    if (!failed) {
        atomic_store(&work, run);
        failed = pthread_create(&thread, &attributes, begin, (void *)(intptr_t)number);
        pthread_sigmask(SIG_SETMASK, &kept, NULL);
    }
    pthread_attr_destroy(&attributes);
    return !failed;
}

#endif
