/* The standard floating-point state around a task: rounding to nearest even, subnormals kept, no
 * traps.  A host may have set another rounding mode or flush-to-zero, as the start-up code of
 * -ffast-math does.  The bits of a tensor must not depend on that, and the host must find its own
 * state again. */
#ifndef WIF_FPENV_H
#define WIF_FPENV_H

#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
typedef unsigned wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    const wif_fpstate host = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return host;
}
static inline void wif_fp_leave(wif_fpstate host) { _mm_setcsr(host); }

#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
/* FPSR holds the sticky flags.  It is saved too, so that the host finds its own flags again. */
typedef struct {
    uint64_t fpcr, fpsr;
} wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    wif_fpstate host;
    __asm__ volatile("mrs %0, fpcr" : "=r"(host.fpcr) : : "memory");
    __asm__ volatile("mrs %0, fpsr" : "=r"(host.fpsr) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
    return host;
}
static inline void wif_fp_leave(wif_fpstate host) {
    __asm__ volatile("msr fpcr, %0" : : "r"(host.fpcr) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(host.fpsr) : "memory");
}

#else
#include <fenv.h>
typedef fenv_t wif_fpstate;
static inline wif_fpstate wif_fp_enter(void) {
    wif_fpstate host;
    fegetenv(&host);
    fesetenv(FE_DFL_ENV);
    return host;
}
static inline void wif_fp_leave(wif_fpstate host) { fesetenv(&host); }
#endif

#endif
