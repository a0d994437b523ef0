/* The clock, and the compiler's name. */
#ifndef WIF_RUNTIME_H
#define WIF_RUNTIME_H

#include <stdint.h>
#include <time.h>

static inline uint64_t wif_now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
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
