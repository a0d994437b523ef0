/* The kernels of one vocabulary (VOCABULARY, named ISA) on words from memory. */
#include VOCABULARY
#include "ars_given.h"
#include "kernels/kernels_body.h"
