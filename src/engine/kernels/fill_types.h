/* The kernels of one transform in every output type: kernels_body.h includes this once a transform,
 * with TRANSFORM_NAME.  Narrow types take the single family's values. */
#define FILL_CAT_(a, b) a##b
#define FILL_CAT(a, b) FILL_CAT_(a, b)

#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f32)
#define OUTPUT f32
#define VEC vf32
#define NAME FILL_CAT(TRANSFORM_NAME, _f32)
#define GROUP_ITEMS 32
#define ITEM_BYTES 4
#include "kernels/fill_template.h"

#ifndef SINGLE_FAMILY_ONLY
#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f64)
#define OUTPUT f64
#define VEC vf64
#define NAME FILL_CAT(TRANSFORM_NAME, _f64)
#define GROUP_ITEMS 16
#define ITEM_BYTES 8
#include "kernels/fill_template.h"
#endif

#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f32)
#define OUTPUT f16
#define VEC vf32
#define NAME FILL_CAT(TRANSFORM_NAME, _f16)
#define GROUP_ITEMS 32
#define ITEM_BYTES 2
#include "kernels/fill_template.h"

#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f32)
#define OUTPUT bf16
#define VEC vf32
#define NAME FILL_CAT(TRANSFORM_NAME, _bf16)
#define GROUP_ITEMS 32
#define ITEM_BYTES 2
#include "kernels/fill_template.h"

#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f32)
#define OUTPUT f8e4m3fn
#define VEC vf32
#define NAME FILL_CAT(TRANSFORM_NAME, _f8e4m3fn)
#define GROUP_ITEMS 32
#define ITEM_BYTES 1
#include "kernels/fill_template.h"

#define TRANSFORM FILL_CAT(TRANSFORM_NAME, _f32)
#define OUTPUT f8e5m2
#define VEC vf32
#define NAME FILL_CAT(TRANSFORM_NAME, _f8e5m2)
#define GROUP_ITEMS 32
#define ITEM_BYTES 1
#include "kernels/fill_template.h"

#undef TRANSFORM_NAME
#undef SINGLE_FAMILY_ONLY
#undef FILL_CAT
#undef FILL_CAT_
