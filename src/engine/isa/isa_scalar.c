#define ISA scalar
#include "simd/scalar.h"
#include "words/table.h"
#include "kernels/kernels_body.h"
