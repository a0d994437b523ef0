#define ISA avx2
#include "simd_avx2.h"
#include "ars_aesni.h"
#include "kernels_body.h"
