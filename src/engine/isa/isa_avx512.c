#define ISA avx512
#include "simd/avx512.h"
#include "words/aesni.h"
#include "kernels/kernels_body.h"
