#define ISA scalar
#include "simd_scalar.h"
#include "ars_table.h"
#include "kernels_body.h"
