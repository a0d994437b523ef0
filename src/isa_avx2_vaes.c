#define ISA avx2_vaes
#include "simd_avx2.h"
#include "ars_vaes256.h"
#include "kernels_body.h"
