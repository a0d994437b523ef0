#define ISA neon
#include "simd/neon.h"
#include "words/neon.h"
#include "kernels/kernels_body.h"
