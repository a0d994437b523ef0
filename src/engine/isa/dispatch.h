/* Which instruction sets this build has, and which of them this machine runs. */
#ifndef WIF_DISPATCH_H
#define WIF_DISPATCH_H

#include "kernels/kernels.h"

typedef struct {
    const char *name;
    const wif_kernels *kernels; /* NULL: not built */
    const char *lacks;          /* NULL: this machine runs it; else what is missing */
} wif_isa;

/* All sets the project knows, slowest first: the last runnable one is the one to use. */
enum { WIF_ISAS = 7 };
void wif_list_isas(wif_isa list[WIF_ISAS]);

#endif
