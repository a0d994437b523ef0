/* See system.h.  What all POSIX systems have; and for those that are not Linux, what takes the
 * place of that which only Linux has. */
#include "system/system.h"

#if !defined(_WIN32)

#include <time.h>
#include <unistd.h>

#include "weightinit_fast.h"

uint64_t wif_now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#if !defined(__linux__)

int32_t wif_processors(void) { return (int32_t)sysconf(_SC_NPROCESSORS_ONLN); }

int32_t wif_quota(void) { return WIF_THREADS_MOST; }

int32_t wif_cgroup_threads(const char *root, const char *own) {
    (void)root, (void)own;
    return WIF_THREADS_MOST;
}

#if defined(__aarch64__) && defined(__APPLE__)
int wif_arm_aes(void) { return 1; } /* every Apple AArch64 core has AES */
#elif defined(__aarch64__)
int wif_arm_aes(void) { return -1; }
#endif

void wif_advise_huge_pages(const void *start, size_t bytes) { (void)start, (void)bytes; }

#endif

#endif
