/* See machine.h. */
#include "api/machine.h"

#include <stdlib.h>
#include <string.h>

#include "host/caches.h"
#include "isa/dispatch.h"
#include "weightinit_fast.h"

_Atomic(const wif_kernels *) wif_chosen_kernels;
static _Atomic size_t nontemporal_from;

const wif_kernels *wif_find_kernels(void) {
    wif_isa list[WIF_ISAS];
    const wif_kernels *found = NULL;
    const char *wanted = getenv("WEIGHTINIT_FAST_ISA");
    if (wanted && !*wanted)
        wanted = NULL;
    wif_list_isas(list);
    for (int k = 0; k < WIF_ISAS; k++) /* the fastest set is the last one */
        if (list[k].kernels && !list[k].lacks && (!wanted || !strcmp(wanted, list[k].name)))
            found = list[k].kernels;
    if (found)
        wif_use_kernels(found);
    return found;
}

void wif_use_kernels(const wif_kernels *kernels) {
    atomic_store_explicit(&wif_chosen_kernels, kernels, memory_order_release);
}

const char *wif_instruction_set(void) {
    const wif_kernels *const kernels = wif_kernels_in_use();
    return kernels ? kernels->isa : NULL;
}

/* The size is kept, because cpuid takes up to 100 us on a virtual machine, which emulates it. */
size_t wif_nontemporal_from(void) {
    size_t bytes = atomic_load_explicit(&nontemporal_from, memory_order_relaxed);
    if (!bytes) {
        bytes = wif_nontemporal_bytes();
        wif_set_nontemporal_from(bytes);
    }
    return bytes;
}

void wif_set_nontemporal_from(size_t bytes) {
    /* 0 stands for a size that is not known yet, and no fill is smaller than 1 byte. */
    atomic_store_explicit(&nontemporal_from, bytes ? bytes : 1, memory_order_relaxed);
}
