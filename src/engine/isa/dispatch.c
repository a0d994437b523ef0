/* The build tells which sets are compiled in (WIF_BUILD_<set>); cpuid with xgetbv, or HWCAP, tells
 * which the processor and the operating system run. */
#include "isa/dispatch.h"

extern const wif_kernels wif_kernels_scalar, wif_kernels_avx2, wif_kernels_avx2_vaes,
    wif_kernels_avx512, wif_kernels_avx512_vaes, wif_kernels_avx512_bf16, wif_kernels_neon;

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum {
    AESNI = 1 << 0,
    FMA3 = 1 << 1,
    AVX2 = 1 << 2,
    VAES = 1 << 3,
    AVX512 = 1 << 4, /* F, BW, DQ and VL */
    F16C = 1 << 5,
    BF16 = 1 << 6, /* AVX512_BF16 */
};

static unsigned x86_features(void) {
    unsigned a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* OSXSAVE: xgetbv may be asked */
        return 0;
    unsigned xcr0, xcr0_high;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(xcr0_high) : "c"(0));
    const int ymm_saved = (xcr0 & 0x06) == 0x06, zmm_saved = (xcr0 & 0xe6) == 0xe6;
    if (c >> 25 & 1)
        found |= AESNI;
    if (ymm_saved && (c >> 12 & 1))
        found |= FMA3;
    if (ymm_saved && (c >> 29 & 1))
        found |= F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    if (ymm_saved && (b >> 5 & 1))
        found |= AVX2;
    if (ymm_saved && (c >> 9 & 1))
        found |= VAES;
    if (zmm_saved && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1))
        found |= AVX512;
    if (found & AVX512 && a >= 1) { /* a: the last subleaf */
        __cpuid_count(7, 1, a, b, c, d);
        if (a >> 5 & 1)
            found |= BF16;
    }
    return found;
}

static const char *x86_lacks(unsigned found, unsigned wanted) {
    const unsigned missing = wanted & ~found;
    return missing & AVX512  ? "AVX-512 F/BW/DQ/VL"
           : missing & AVX2  ? "AVX2"
           : missing & FMA3  ? "FMA"
           : missing & F16C  ? "F16C"
           : missing & VAES  ? "VAES"
           : missing & BF16  ? "AVX512_BF16"
           : missing & AESNI ? "AES-NI"
                             : 0;
}
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
static const char *neon_lacks(void) {
    return getauxval(AT_HWCAP) >> 3 & 1 ? 0 : "the AES instructions"; /* HWCAP_AES */
}
#elif defined(__APPLE__)
static const char *neon_lacks(void) { return 0; } /* every Apple AArch64 core has AES */
#else
static const char *neon_lacks(void) { return "a way to ask this system for AES"; }
#endif
#endif

void wif_list_isas(wif_isa list[WIF_ISAS]) {
    list[0] = (wif_isa){"scalar", &wif_kernels_scalar, 0};
    list[1] = (wif_isa){"neon", 0, "the AArch64 architecture"};
    list[2] = (wif_isa){"avx2", 0, "the x86 architecture"};
    list[3] = (wif_isa){"avx2_vaes", 0, "the x86 architecture"};
    list[4] = (wif_isa){"avx512", 0, "the x86 architecture"};
    list[5] = (wif_isa){"avx512_vaes", 0, "the x86 architecture"};
    list[6] = (wif_isa){"avx512_bf16", 0, "the x86 architecture"};
#if defined(__aarch64__)
    list[1].lacks = neon_lacks();
#endif
#if defined(__x86_64__) || defined(__i386__)
    const unsigned found = x86_features(), base = AESNI | FMA3 | F16C | AVX2;
    list[2].lacks = x86_lacks(found, base);
    list[3].lacks = x86_lacks(found, base | VAES);
    list[4].lacks = x86_lacks(found, base | AVX512);
    list[5].lacks = x86_lacks(found, base | AVX512 | VAES);
    list[6].lacks = x86_lacks(found, base | AVX512 | VAES | BF16);
#endif
#ifdef WIF_BUILD_neon
    list[1].kernels = &wif_kernels_neon;
#endif
#ifdef WIF_BUILD_avx2
    list[2].kernels = &wif_kernels_avx2;
#endif
#ifdef WIF_BUILD_avx2_vaes
    list[3].kernels = &wif_kernels_avx2_vaes;
#endif
#ifdef WIF_BUILD_avx512
    list[4].kernels = &wif_kernels_avx512;
#endif
#ifdef WIF_BUILD_avx512_vaes
    list[5].kernels = &wif_kernels_avx512_vaes;
#endif
#ifdef WIF_BUILD_avx512_bf16
    list[6].kernels = &wif_kernels_avx512_bf16;
#endif
}
