/* Facts about this machine, found out at the first fill: which kernels draw, and from which size on
 * stores go past the caches. */
#ifndef WIF_MACHINE_H
#define WIF_MACHINE_H

#include <stdatomic.h>

#include "kernels/kernels.h"

/* The kernels in use.  Only wif_kernels_in_use and wif_use_kernels touch this variable. */
extern _Atomic(const wif_kernels *) wif_chosen_kernels;

/* Choose the kernels: the set that the environment variable WEIGHTINIT_FAST_ISA names, or else the
 * fastest one that this machine runs; NULL if the variable names none that can run here. */
const wif_kernels *wif_find_kernels(void);

static inline const wif_kernels *wif_kernels_in_use(void) {
    const wif_kernels *const chosen =
        atomic_load_explicit(&wif_chosen_kernels, memory_order_acquire);
    return chosen ? chosen : wif_find_kernels();
}

/* Use these kernels from now on, for tests and benchmarks. */
void wif_use_kernels(const wif_kernels *kernels);

/* The size of a fill from which on stores go past the caches (host/caches.h). */
size_t wif_nontemporal_from(void);

/* Set that size, for tests and benchmarks. */
void wif_set_nontemporal_from(size_t bytes);

#endif
