/* Makes the list of instruction sets, which says of each set what this machine lacks for it.  On
 * x86, cpuid and xgetbv tell what the processor and the operating system support; on AArch64, the
 * operating system does.
 *
 * The build defines WIF_BUILD_<set> for every set of isas.def: 1 if its kernels are compiled in,
 * else 0. */
#include "isa/dispatch.h"

#include "system/system.h"

/* X(feature, what a message calls it) for each feature that an entry of isas.def may need.  If a
 * machine lacks several features of a set, messages name the first of them in this order. */
#define FOR_EACH_FEATURE(X)                                                                        \
    X(AVX512, "AVX-512 F/BW/DQ/VL")                                                                \
    X(AVX2, "AVX2")                                                                                \
    X(FMA3, "FMA")                                                                                 \
    X(F16C, "F16C")                                                                                \
    X(VAES, "VAES")                                                                                \
    X(BF16, "AVX512_BF16")                                                                         \
    X(AESNI, "AES-NI")                                                                             \
    X(ARM_AES, ARM_AES_NAME)

#if defined(__aarch64__)
#define ARM_AES_NAME                                                                               \
    (wif_arm_aes() < 0 ? "a way to ask this system for AES" : "the AES instructions")
#else
#define ARM_AES_NAME "the AES instructions"
#endif

enum {
#define PLACE(feature, name) feature##_PLACE,
    FOR_EACH_FEATURE(PLACE)
#undef PLACE
#define BIT(feature, name) feature = 1 << feature##_PLACE,
        FOR_EACH_FEATURE(BIT)
#undef BIT
};

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static unsigned features(void) {
    unsigned a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* OSXSAVE: xgetbv can be executed */
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
    if (found & AVX512 && a >= 1) { /* a is the number of leaf 7's last subleaf */
        __cpuid_count(7, 1, a, b, c, d);
        if (a >> 5 & 1)
            found |= BF16;
    }
    return found;
}
#elif defined(__aarch64__)
static unsigned features(void) { return wif_arm_aes() > 0 ? ARM_AES : 0; }
#else
static unsigned features(void) { return 0; }
#endif

/* What a message calls the first feature that is wanted and not found; NULL if none is missing. */
static const char *missing(unsigned wanted, unsigned found) {
#define NAME_IF_MISSING(feature, name)                                                             \
    if (wanted & ~found & feature)                                                                 \
        return name;
    FOR_EACH_FEATURE(NAME_IF_MISSING)
#undef NAME_IF_MISSING
    return NULL;
}

/* What this machine lacks for a set of each architecture that isas.def names. */
#define LACKS_any(wanted, found) missing((wanted), (found))
#if defined(__x86_64__) || defined(__i386__)
#define LACKS_x86(wanted, found) missing((wanted), (found))
#else
#define LACKS_x86(wanted, found) "the x86 architecture"
#endif
#if defined(__aarch64__)
#define LACKS_aarch64(wanted, found) missing((wanted), (found))
#else
#define LACKS_aarch64(wanted, found) "the AArch64 architecture"
#endif

#define WIF_ISA(name, ...) extern const wif_kernels wif_kernels_##name;
#include "isa/isas.def"

/* The table of a set if the set is built, else NULL. */
#define TABLE_OF(built, name) TABLE_OF_(built, name)
#define TABLE_OF_(built, name) TABLE_IF_##built(name)
#define TABLE_IF_0(name) NULL
#define TABLE_IF_1(name) &wif_kernels_##name

void wif_list_isas(wif_isa list[WIF_ISAS]) {
    const unsigned found = features();
#define WIF_ISA(name, vocabulary, words, architecture, needs, ...)                                 \
    list[WIF_ISA_##name] =                                                                         \
        (wif_isa){#name, TABLE_OF(WIF_BUILD_##name, name), LACKS_##architecture(needs, found)};
#include "isa/isas.def"
    (void)found;
}
