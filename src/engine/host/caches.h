/* From which size of a buffer on stores go past the caches.
 *
 * What a fill leaves in a cache, its caller reads from there.  Against that stands what it costs to
 * get it there (bench/README.md has the numbers):
 *
 *   AMD    an ordinary store of a whole line does not fetch it, and into the third-level cache two
 *          threads store twice as fast as past it: stream what that cache cannot hold;
 *   others half the speed of a streaming store, once the second-level cache is full.
 */
#ifndef WIF_CACHES_H
#define WIF_CACHES_H

#include <stddef.h>

enum { WIF_NONTEMPORAL_BYTES = 4 << 20 };

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#include <string.h>

static inline size_t wif_nontemporal_bytes(void) {
    unsigned a, b, c, d;
    char vendor[12];
    if (!__get_cpuid(0, &a, &b, &c, &d))
        return WIF_NONTEMPORAL_BYTES;
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    /* Leaf 8000001D, "Cache Topology Information"; there if the leaf 80000001 says so in bit 22. */
    if (memcmp(vendor, "AuthenticAMD", 12) || !__get_cpuid(0x80000001, &a, &b, &c, &d) ||
        !(c >> 22 & 1))
        return WIF_NONTEMPORAL_BYTES;
    __cpuid_count(0x8000001d, 3, a, b, c, d);
    if ((a >> 5 & 7) != 3) /* no third level */
        return WIF_NONTEMPORAL_BYTES;
    const size_t line = (b & 0xfff) + 1, partitions = (b >> 12 & 0x3ff) + 1, ways = (b >> 22) + 1;
    const size_t bytes = line * partitions * ways * ((size_t)c + 1);
    return bytes > WIF_NONTEMPORAL_BYTES ? bytes : WIF_NONTEMPORAL_BYTES;
}
#else
static inline size_t wif_nontemporal_bytes(void) { return WIF_NONTEMPORAL_BYTES; }
#endif

#endif
