/* The clock, and the compiler's name. */
#ifndef WIF_RUNTIME_H
#define WIF_RUNTIME_H

#include <stdint.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <time.h>
#endif

/* Nanoseconds since some moment, for differences of times. */
static inline uint64_t wif_now_ns(void) {
#if defined(_WIN32) /* where the C library of mingw-w64 may lack timespec_get */
    LARGE_INTEGER ticks, a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&a_second);
    const uint64_t t = (uint64_t)ticks.QuadPart, s = (uint64_t)a_second.QuadPart;
    return t / s * 1000000000u + t % s * 1000000000u / s;
#else
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
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
