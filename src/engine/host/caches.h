/* From which size of a buffer on stores go past the caches.
 *
 * What a fill leaves in a cache, its caller can read from there.  On the other hand it costs time
 * to get it there (bench/README.md has the numbers):
 *
 *   AMD     An ordinary store of a whole line does not fetch that line, and two threads store into
 *           the third-level cache twice as fast as past it.  So only what that cache cannot hold
 *           goes past it.
 *   others  An ordinary store has half the speed of a streaming store, once the second-level cache
 *           is full.
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
    /* Leaf 8000001D is "Cache Topology Information".  Bit 22 of leaf 80000001 says whether it is
     * there. */
    if (memcmp(vendor, "AuthenticAMD", 12) || !__get_cpuid(0x80000001, &a, &b, &c, &d) ||
        !(c >> 22 & 1))
        return WIF_NONTEMPORAL_BYTES;
    __cpuid_count(0x8000001d, 3, a, b, c, d);
    if ((a >> 5 & 7) != 3) /* there is no third-level cache */
        return WIF_NONTEMPORAL_BYTES;
    const size_t line = (b & 0xfff) + 1, partitions = (b >> 12 & 0x3ff) + 1, ways = (b >> 22) + 1;
    const size_t bytes = line * partitions * ways * ((size_t)c + 1);
    return bytes > WIF_NONTEMPORAL_BYTES ? bytes : WIF_NONTEMPORAL_BYTES;
}
#else
static inline size_t wif_nontemporal_bytes(void) { return WIF_NONTEMPORAL_BYTES; }
#endif

#endif
