#define ISA avx512_bf16
#include "simd_avx512.h"
#include "ars_vaes512.h"
#include "kernels_body.h"
