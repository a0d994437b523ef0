#define ISA neon
#include "simd_neon.h"
#include "ars_neon.h"
#include "kernels_body.h"
