/* Advice to the operating system to make new memory of huge pages.
 *
 * The first store into new memory costs more than the draw: the system stops the thread at every
 * page of 4 KiB, and clears it.  With pages of 2 MiB it does so 512 times less often.  (One core of
 * the machine of bench/results.md makes 4.5 GB of huge pages a second, and 1.1 GB of small ones.)
 * NumPy advises it for its own arrays; the allocators of other libraries, such as torch's, do not.
 */
#ifndef WIF_PAGES_H
#define WIF_PAGES_H

/* From this size on it is worth a system call.  NumPy has the same limit. */
enum { WIF_HUGE_PAGES_BYTES = 4 << 20 };

#include <stddef.h>

#if defined(__linux__)
#include <stdint.h>
#include <sys/mman.h>
#endif

/* Advise huge pages for all memory pages that hold some of these bytes.  Nothing happens where the
 * system has none, or does not want to.  The first and the last page are taken whole: allocators
 * leave a few bytes free at the beginning of a mapping, and without its first page the first huge
 * page could not be one. */
static inline void wif_advise_huge_pages(const void *start, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = 4096, first = (uintptr_t)start & ~(page - 1);
    const uintptr_t last = ((uintptr_t)start + bytes + page - 1) & ~(page - 1);
    /* Where pages are larger than 4 KiB, an address within one is refused, which does no harm. */
    (void)madvise((void *)first, (size_t)(last - first), MADV_HUGEPAGE);
#else
    (void)start, (void)bytes;
#endif
}

#endif
