#define ISA avx512_vaes
#include "simd/avx512.h"
#include "words/vaes512.h"
#include "kernels/kernels_body.h"
