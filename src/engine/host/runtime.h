/* The clock, and the compiler's name. */
#ifndef WIF_RUNTIME_H
#define WIF_RUNTIME_H

#include <stdint.h>

#if defined(_WIN32)
/* mingw has timespec_get only beside the newer one of Windows' two C libraries. */
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
static inline uint64_t wif_now_ns(void) {
    FILETIME t; /* in units of 100 ns */
    GetSystemTimePreciseAsFileTime(&t);
    return ((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) * 100;
}
#else
#include <time.h>
static inline uint64_t wif_now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#endif

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
