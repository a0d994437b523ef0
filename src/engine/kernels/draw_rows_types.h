/* The kernels of one transform for every output type, by draw_rows_template.h.  isa.c includes this
 * once for each transform, with
 *
 *   TRANSFORM_NAME      the transform, e.g. normal
 *   SINGLE_FAMILY_ONLY  defined where the transform has no kernel of the double family
 *
 * The narrow types take the values of the single family, so that their transform is that of
 * float32.  If a type of kernels.h is missing here, isa.c does not compile, since its table names a
 * kernel for every type. */
#ifndef TRANSFORM_NAME
#error "draw_rows_types.h needs TRANSFORM_NAME, the name of a transform"
#endif

#define TYPES_JOIN_(a, b) a##b
#define TYPES_JOIN(a, b) TYPES_JOIN_(a, b)

#define NAME TYPES_JOIN(TRANSFORM_NAME, _f32)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f32)
#define VEC vf32
#define OUTPUT f32
#define GROUP_ITEMS WIF_GROUP_WORDS
#define ITEM_BYTES WIF_f32_BYTES
#include "kernels/draw_rows_template.h"

#ifndef SINGLE_FAMILY_ONLY
#define NAME TYPES_JOIN(TRANSFORM_NAME, _f64)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f64)
#define VEC vf64
#define OUTPUT f64
#define GROUP_ITEMS (WIF_GROUP_WORDS / 2)
#define ITEM_BYTES WIF_f64_BYTES
#include "kernels/draw_rows_template.h"
#endif

#define NAME TYPES_JOIN(TRANSFORM_NAME, _f16)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f32)
#define VEC vf32
#define OUTPUT f16
#define GROUP_ITEMS WIF_GROUP_WORDS
#define ITEM_BYTES WIF_f16_BYTES
#include "kernels/draw_rows_template.h"

#define NAME TYPES_JOIN(TRANSFORM_NAME, _bf16)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f32)
#define VEC vf32
#define OUTPUT bf16
#define GROUP_ITEMS WIF_GROUP_WORDS
#define ITEM_BYTES WIF_bf16_BYTES
#include "kernels/draw_rows_template.h"

#define NAME TYPES_JOIN(TRANSFORM_NAME, _f8e4m3fn)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f32)
#define VEC vf32
#define OUTPUT f8e4m3fn
#define GROUP_ITEMS WIF_GROUP_WORDS
#define ITEM_BYTES WIF_f8e4m3fn_BYTES
#include "kernels/draw_rows_template.h"

#define NAME TYPES_JOIN(TRANSFORM_NAME, _f8e5m2)
#define TRANSFORM TYPES_JOIN(TRANSFORM_NAME, _f32)
#define VEC vf32
#define OUTPUT f8e5m2
#define GROUP_ITEMS WIF_GROUP_WORDS
#define ITEM_BYTES WIF_f8e5m2_BYTES
#include "kernels/draw_rows_template.h"

#undef TRANSFORM_NAME
#undef SINGLE_FAMILY_ONLY
#undef TYPES_JOIN
#undef TYPES_JOIN_
