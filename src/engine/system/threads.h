/* What the pool (pool.h) needs of the operating system: to start a thread, to wait until a word of
 * memory changes, to wake those that wait, and to be told of a fork.  threads_posix.c and
 * threads_win32.c implement it.
 *
 * WIF_THREADS is 0 in a build without threads: one that defines WIF_NO_THREADS, and one for a
 * processor without atomic operations on 64 bits. */
#ifndef WIF_THREADS_H
#define WIF_THREADS_H

#include <stdatomic.h>
#include <stdint.h>

#include "host/plan.h"

#if defined(WIF_NO_THREADS) || ATOMIC_INT_LOCK_FREE != 2 || ATOMIC_LLONG_LOCK_FREE != 2
#define WIF_THREADS 0
#else
#define WIF_THREADS 1
#endif

enum {
    /* What a fill takes of a thread's stack: a tile or a strip, and the frames around it. */
    WIF_FILL_STACK_BYTES = 96 << 10,
    /* The stack of a worker.  The rest is for the handlers of signals that the worker itself raises
     * (a store beyond the end of a truncated file), whose frame holds all registers: up to 11 KiB
     * with AMX.  Pages that are not touched take no memory. */
    WIF_WORKER_STACK_BYTES = 256 << 10
};
_Static_assert(WIF_FILL_STACK_BYTES >= 2 * WIF_TILE_BYTES &&
                   WIF_WORKER_STACK_BYTES >= 2 * WIF_FILL_STACK_BYTES,
               "the stack of a worker holds the frames of a task, and as much again");

/* How threads wait in this build: "futex", "condition variable" or "WaitOnAddress"; NULL in a build
 * without threads. */
const char *wif_threads_wait_by(void);

/* Start a thread that runs this function, which must not return; `number` appears in its name.
 * Return whether there is such a thread now. */
int wif_thread_start(void (*run)(void), int number);

/* A number that no other living thread has; never 0. */
uintptr_t wif_thread_self(void);

/* The number of the processor on which this thread runs now; -1 if the system does not tell. */
int wif_thread_processor(void);

/* Have this worker run on the processors of the main thread, except this one (-1: on all), if there
 * are others. */
void wif_thread_avoid(int processor);

/* Return when the word has another value than this one.  It may also return before. */
void wif_thread_wait(_Atomic uint32_t *word, uint32_t value);

/* Wake at most `count` of the threads that wait for this word.  A thread that has called
 * wif_thread_wait, and has found the value that it was given, is either woken or counts as one that
 * began to wait after this call. */
void wif_thread_wake(_Atomic uint32_t *word, int count);

/* Have each child of a fork call this function before anything else runs there, and keep this
 * library in memory until the process ends.  Return whether children will call the function, and
 * call this no more than once.  (In a program without shared libraries, nothing has to be kept.) */
int wif_threads_prepare(void (*in_child)(void));

/* Tell the processor that this thread waits actively. */
static inline void wif_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* "yield" does nothing on most cores */
#endif
}

#endif
