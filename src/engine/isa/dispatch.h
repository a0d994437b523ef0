/* Which instruction sets this build has, and which of them this machine runs. */
#ifndef WIF_DISPATCH_H
#define WIF_DISPATCH_H

#include "kernels/kernels.h"

typedef struct {
    const char *name;
    const wif_kernels *kernels; /* NULL: this build lacks the set */
    const char *lacks;          /* NULL: this machine runs the set; else what the machine lacks */
} wif_isa;

/* The sets of isas.def, in its order: slowest first. */
enum {
#define WIF_ISA(name, ...) WIF_ISA_##name,
#include "isa/isas.def"
    WIF_ISAS /* how many there are */
};

void wif_list_isas(wif_isa list[WIF_ISAS]);

#endif
