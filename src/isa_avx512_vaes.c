#define ISA avx512_vaes
#include "simd_avx512.h"
#include "ars_vaes512.h"
#include "kernels_body.h"
