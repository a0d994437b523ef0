/* See system.h.  Windows. */
#include "system/system.h"

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "weightinit_fast.h"

/* The C library of mingw-w64 may lack timespec_get. */
uint64_t wif_now_ns(void) {
    LARGE_INTEGER ticks, a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&a_second);
    const uint64_t t = (uint64_t)ticks.QuadPart, s = (uint64_t)a_second.QuadPart;
    return t / s * 1000000000u + t % s * 1000000000u / s;
}

int32_t wif_processors(void) { return (int32_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); }

int32_t wif_quota(void) { return WIF_THREADS_MOST; }

int32_t wif_cgroup_threads(const char *root, const char *own) {
    (void)root, (void)own;
    return WIF_THREADS_MOST;
}

#if defined(__aarch64__)
int wif_arm_aes(void) {
    return IsProcessorFeaturePresent(PF_ARM_V8_CRYPTO_INSTRUCTIONS_AVAILABLE) != 0;
}
#endif

void wif_advise_huge_pages(const void *start, size_t bytes) { (void)start, (void)bytes; }

#endif
