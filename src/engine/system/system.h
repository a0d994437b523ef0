/* What the engine asks of the operating system, apart from threads (threads.h).
 *
 * linux.c, posix.c and win32.c implement these functions.  Outside of this folder no code of the
 * engine asks which system it is compiled for, with two exceptions, which are about the compiler
 * and its C library: how a name becomes visible in a shared library (compiler.h and
 * weightinit_fast.h), and whether fma rounds rightly (fma.h).
 *
 * What the systems offer, and what a system gets that offers nothing:
 *
 *                       Linux              other POSIX         Windows              fallback
 *   clock               timespec_get       timespec_get        performance counter  timespec_get
 *   processors          affinity mask      those online        those active         one
 *   quota               cgroups            -                   -                    no limit
 *   AES of AArch64      HWCAP              macOS: always       processor feature    no neon set
 *   huge pages          madvise            -                   -                    not advised
 *
 * and for the pool, which needs all but the last three (a build without threads needs none):
 *
 *   start a thread      pthreads           pthreads            CreateThread
 *   wait and wake       futex              condition variable  WaitOnAddress
 *   news of a fork      pthread_atfork     pthread_atfork      there is no fork
 *   stay in memory      dlopen             dlopen              GetModuleHandleEx    not kept there
 *   name of a thread    prctl              macOS: pthreads     Windows 10 or later  no name
 *   its processor       sched_getcpu       -                   -                    not known
 *   leave a processor   sched_setaffinity  -                   -                    nothing is done
 */
#ifndef WIF_SYSTEM_H
#define WIF_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

/* ---- time ------------------------------------------------------------------------------------ */

/* Nanoseconds since some moment, for differences of times. */
uint64_t wif_now_ns(void);

/* ---- processors ------------------------------------------------------------------------------ */

/* How many processors the calling thread may run on; less than 1 if the system does not tell. */
int32_t wif_processors(void);

/* How many processors the quota of this process amounts to, rounded up; WIF_THREADS_MOST if there
 * is no quota, or a larger one. */
int32_t wif_quota(void);

/* The same of a cgroup.  `root` is where cgroups are mounted, and `own` the file that says which of
 * them the process is in; tests pass other files than those of this process. */
int32_t wif_cgroup_threads(const char *root, const char *own);

#if defined(__aarch64__)
/* Whether this processor has the AES instructions; -1 if there is no way to ask this system. */
int wif_arm_aes(void);
#endif

/* ---- memory ---------------------------------------------------------------------------------- */

/* The first store into new memory costs more than the draw: the system stops the thread at every
 * page of 4 KiB, and clears it.  With pages of 2 MiB it does so 512 times less often.  (One core of
 * the machine of bench/results.md makes 4.5 GB of huge pages a second, and 1.1 GB of small ones.)
 * NumPy advises it for its own arrays; the allocators of other libraries, such as torch's, do not.
 *
 * From this size on it is worth a system call.  NumPy has the same limit. */
enum { WIF_HUGE_PAGES_BYTES = 4 << 20 };

/* Advise huge pages for all memory pages that hold some of these bytes.  Nothing happens where the
 * system has none, or does not want to. */
void wif_advise_huge_pages(const void *start, size_t bytes);

#endif
