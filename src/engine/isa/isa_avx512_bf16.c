#define ISA avx512_bf16
#include "simd/avx512.h"
#include "words/vaes512.h"
#include "kernels/kernels_body.h"
