#define ISA avx512
#include "simd_avx512.h"
#include "ars_aesni.h"
#include "kernels_body.h"
