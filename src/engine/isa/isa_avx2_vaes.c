#define ISA avx2_vaes
#include "simd/avx2.h"
#include "words/vaes256.h"
#include "kernels/kernels_body.h"
