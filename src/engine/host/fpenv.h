/* Sets the standard floating-point state before a task (rounding to nearest even, subnormals kept,
 * no traps), and restores the calling program's state after it.  The calling program may have set
 * another rounding mode or flush-to-zero, which the start-up code of -ffast-math sets, for example.
 * The bits of a tensor must not depend on that. */
#ifndef WIF_FPENV_H
#define WIF_FPENV_H

#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
typedef unsigned wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    const wif_fpstate callers = _mm_getcsr();
    _mm_setcsr(0x1f80); /* the value after a reset: all exceptions masked, no other bit set */
    return callers;
}
static inline void wif_fp_leave(wif_fpstate callers) { _mm_setcsr(callers); }

#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
/* FPSR holds the sticky flags.  It is saved too, so that the calling program keeps its flags. */
typedef struct {
    uint64_t fpcr, fpsr;
} wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    wif_fpstate callers;
    __asm__ volatile("mrs %0, fpcr" : "=r"(callers.fpcr) : : "memory");
    __asm__ volatile("mrs %0, fpsr" : "=r"(callers.fpsr) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
    return callers;
}
static inline void wif_fp_leave(wif_fpstate callers) {
    __asm__ volatile("msr fpcr, %0" : : "r"(callers.fpcr) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(callers.fpsr) : "memory");
}

#else
#include <fenv.h>
typedef fenv_t wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    wif_fpstate callers;
    fegetenv(&callers);
    fesetenv(FE_DFL_ENV);
    return callers;
}
static inline void wif_fp_leave(wif_fpstate callers) { fesetenv(&callers); }
#endif

#endif
