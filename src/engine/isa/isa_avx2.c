#define ISA avx2
#include "simd/avx2.h"
#include "words/aesni.h"
#include "kernels/kernels_body.h"
