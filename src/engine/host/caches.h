/* The size of a buffer from which on its stores are nontemporal, that is, go past the caches.
 *
 * After ordinary stores the caller can read the values from a cache.  In a large buffer, however,
 * ordinary stores can be slower than nontemporal ones (docs/speed.md and bench/experiments.md):
 *
 *   AMD     An ordinary store of a whole line does not fetch that line, and two threads store into
 *           the third-level cache twice as fast as past it.  So stores are nontemporal only in a
 *           buffer that the third-level cache cannot hold.
 *   others  An ordinary store has half the speed of a nontemporal store as soon as the second-level
 *           cache is full.  So stores are nontemporal from WIF_NONTEMPORAL_BYTES on.
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
